//! The system calls that mote reports: numbers on each architecture, and what they mean.
//!
//! Numbers: linux `arch/x86/entry/syscalls/syscall_64.tbl` and
//! `include/uapi/asm-generic/unistd.h` (arm64). A call that an architecture does not
//! have has no number there.

use crate::event::{Action, Relocation};

/// An architecture whose system call numbers a record carries. The numbers are part of
/// the record format: the ELF machine numbers (`EM_X86_64`, `EM_AARCH64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Arch {
    /// x86-64, 64-bit calls.
    X86_64 = 62,
    /// arm64, 64-bit calls.
    Aarch64 = 183,
}

impl Arch {
    /// The architecture this program was built for.
    pub const HOST: Arch = if cfg!(target_arch = "x86_64") {
        Arch::X86_64
    } else if cfg!(target_arch = "aarch64") {
        Arch::Aarch64
    } else {
        panic!("mote supports x86-64 and arm64")
    };

    /// The architecture of this number, if this version knows it.
    pub fn from_number(number: u8) -> Option<Arch> {
        [Arch::X86_64, Arch::Aarch64].into_iter().find(|arch| *arch as u8 == number)
    }

    /// The name as `uname -m` has it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }
}

/// One system call.
#[derive(Debug)]
pub struct Syscall {
    /// Its name in the kernel's table.
    pub name: &'static str,
    /// Its number on x86-64.
    pub x86_64: Option<u32>,
    /// Its number on arm64.
    pub aarch64: Option<u32>,
    /// What becomes of a call.
    pub effect: Effect,
}

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is reported as this.
    Report(Action),
    /// It changes what the process table knows.
    Relocate(Relocation),
}

const fn both(name: &'static str, x86_64: u32, aarch64: u32, effect: Effect) -> Syscall {
    Syscall { name, x86_64: Some(x86_64), aarch64: Some(aarch64), effect }
}

const fn x86_only(name: &'static str, x86_64: u32, effect: Effect) -> Syscall {
    Syscall { name, x86_64: Some(x86_64), aarch64: None, effect }
}

use Effect::{Relocate, Report};

/// Every system call that has a hook.
pub const SYSCALLS: &[Syscall] = &[
    both("execve", 59, 221, Report(Action::Exec)),
    both("execveat", 322, 281, Report(Action::Exec)),
    x86_only("open", 2, Report(Action::Open)),
    both("openat", 257, 56, Report(Action::Open)),
    both("openat2", 437, 437, Report(Action::Open)),
    x86_only("creat", 85, Report(Action::Open)),
    x86_only("rename", 82, Report(Action::Rename)),
    both("renameat", 264, 38, Report(Action::Rename)),
    both("renameat2", 316, 276, Report(Action::Rename)),
    x86_only("unlink", 87, Report(Action::Unlink)),
    both("unlinkat", 263, 35, Report(Action::Unlink)),
    x86_only("rmdir", 84, Report(Action::Rmdir)),
    x86_only("mkdir", 83, Report(Action::Mkdir)),
    both("mkdirat", 258, 34, Report(Action::Mkdir)),
    x86_only("chmod", 90, Report(Action::Chmod)),
    both("fchmod", 91, 52, Report(Action::Chmod)),
    both("fchmodat", 268, 53, Report(Action::Chmod)),
    both("fchmodat2", 452, 452, Report(Action::Chmod)),
    both("connect", 42, 203, Report(Action::Connect)),
    both("chdir", 80, 49, Relocate(Relocation::Directory)),
    both("fchdir", 81, 50, Relocate(Relocation::Directory)),
    both("chroot", 161, 51, Relocate(Relocation::Root)),
    both("pivot_root", 155, 41, Relocate(Relocation::Root)),
    both("unshare", 272, 97, Relocate(Relocation::Namespaces)),
    both("setns", 308, 268, Relocate(Relocation::Namespaces)),
];

/// The call of this number on `arch`, if it has a hook.
pub fn by_number(arch: Arch, number: u32) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|call| {
        let own = match arch {
            Arch::X86_64 => call.x86_64,
            Arch::Aarch64 => call.aarch64,
        };
        own == Some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_on_each_architecture() {
        for call in SYSCALLS {
            for (arch, number) in [(Arch::X86_64, call.x86_64), (Arch::Aarch64, call.aarch64)] {
                if let Some(number) = number {
                    assert_eq!(by_number(arch, number).unwrap().name, call.name);
                }
            }
        }
    }

    /// The table against the C library's headers, for the architecture of the build.
    #[test]
    fn numbers_agree_with_libc() {
        for (name, number) in [
            ("execve", libc::SYS_execve),
            ("execveat", libc::SYS_execveat),
            ("openat", libc::SYS_openat),
            ("openat2", libc::SYS_openat2),
            ("renameat2", libc::SYS_renameat2),
            ("unlinkat", libc::SYS_unlinkat),
            ("mkdirat", libc::SYS_mkdirat),
            ("fchmod", libc::SYS_fchmod),
            ("fchmodat", libc::SYS_fchmodat),
            ("connect", libc::SYS_connect),
            ("chdir", libc::SYS_chdir),
            ("fchdir", libc::SYS_fchdir),
            ("chroot", libc::SYS_chroot),
            ("pivot_root", libc::SYS_pivot_root),
            ("unshare", libc::SYS_unshare),
            ("setns", libc::SYS_setns),
        ] {
            let call = by_number(Arch::HOST, number as u32).unwrap();
            assert_eq!(call.name, name);
        }
    }
}
