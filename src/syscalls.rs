//! The system calls that mote reports: numbers on each architecture, and what they mean.
//!
//! Numbers: linux `arch/x86/entry/syscalls/syscall_64.tbl` and
//! `include/uapi/asm-generic/unistd.h` (arm64). A call that an architecture does not
//! have has no number there.

use crate::event::numbered::numbered;
use crate::event::{Action, Relocation};

numbered! {
    /// An architecture whose system call numbers a record carries. The numbers are part of
    /// the record format: the ELF machine numbers (`EM_X86_64`, `EM_AARCH64`). The names are
    /// those of `uname -m`.
    Arch {
        /// x86-64, 64-bit calls.
        X86_64 = 62, "x86_64";
        /// arm64, 64-bit calls.
        Aarch64 = 183, "aarch64";
    }
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
    /// The Linux release that has it first, if it came after 3.10. Distributions took some over
    /// into older kernels.
    pub since: Option<(u8, u8)>,
}

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is reported as this.
    Report(Action),
    /// It changes what the process table knows.
    Relocate(Relocation),
    /// Both, the latter if it succeeds.
    Both(Action, Relocation),
}

const fn both(name: &'static str, x86_64: u32, aarch64: u32, effect: Effect) -> Syscall {
    Syscall { name, x86_64: Some(x86_64), aarch64: Some(aarch64), effect, since: None }
}

const fn x86_only(name: &'static str, x86_64: u32, effect: Effect) -> Syscall {
    Syscall { name, x86_64: Some(x86_64), aarch64: None, effect, since: None }
}

impl Syscall {
    const fn since(self, major: u8, minor: u8) -> Syscall {
        Syscall { since: Some((major, minor)), ..self }
    }
}

use Effect::{Both, Relocate, Report};

/// Every system call that has a hook.
pub const SYSCALLS: &[Syscall] = &[
    both("execve", 59, 221, Report(Action::Exec)),
    both("execveat", 322, 281, Report(Action::Exec)).since(3, 19),
    both("setuid", 105, 146, Report(Action::Setuid)),
    both("setreuid", 113, 145, Report(Action::Setuid)),
    both("setresuid", 117, 147, Report(Action::Setuid)),
    both("setgid", 106, 144, Report(Action::Setgid)),
    both("setregid", 114, 143, Report(Action::Setgid)),
    both("setresgid", 119, 149, Report(Action::Setgid)),
    both("setgroups", 116, 159, Report(Action::Setgid)),
    both("setsid", 112, 157, Report(Action::Setsid)),
    both("ptrace", 101, 117, Report(Action::Ptrace)),
    both("process_vm_writev", 311, 271, Report(Action::Ptrace)),
    both("pidfd_getfd", 438, 438, Report(Action::Ptrace)).since(5, 6),
    both("init_module", 175, 105, Report(Action::ModuleLoad)),
    both("finit_module", 313, 273, Report(Action::ModuleLoad)),
    both("delete_module", 176, 106, Report(Action::ModuleUnload)),
    both("bpf", 321, 280, Report(Action::BpfLoad)).since(3, 18),
    both("mount", 165, 40, Report(Action::Mount)),
    both("move_mount", 429, 429, Report(Action::Mount)).since(5, 2),
    both("fsopen", 430, 430, Report(Action::Mount)).since(5, 2),
    both("fsconfig", 431, 431, Report(Action::Mount)).since(5, 2),
    both("fsmount", 432, 432, Report(Action::Mount)).since(5, 2),
    both("fspick", 433, 433, Report(Action::Mount)).since(5, 2),
    both("open_tree", 428, 428, Report(Action::Mount)).since(5, 2),
    both("open_tree_attr", 467, 467, Report(Action::Mount)).since(6, 15),
    both("mount_setattr", 442, 442, Report(Action::Mount)).since(5, 12),
    both("umount2", 166, 39, Report(Action::Umount)),
    both("memfd_create", 319, 279, Report(Action::MemfdCreate)).since(3, 17),
    both("kexec_load", 246, 104, Report(Action::KexecLoad)),
    both("kexec_file_load", 320, 294, Report(Action::KexecLoad)).since(3, 17),
    both("clock_settime", 227, 112, Report(Action::ClockSet)),
    both("settimeofday", 164, 170, Report(Action::ClockSet)),
    both("adjtimex", 159, 171, Report(Action::ClockSet)),
    both("clock_adjtime", 305, 266, Report(Action::ClockSet)),
    both("io_uring_setup", 425, 425, Report(Action::IoUring)).since(5, 1),
    x86_only("open", 2, Report(Action::Open)),
    both("openat", 257, 56, Report(Action::Open)),
    both("openat2", 437, 437, Report(Action::Open)).since(5, 6),
    x86_only("creat", 85, Report(Action::Open)),
    both("open_by_handle_at", 304, 265, Report(Action::Open)),
    x86_only("rename", 82, Report(Action::Rename)),
    both("renameat", 264, 38, Report(Action::Rename)),
    both("renameat2", 316, 276, Report(Action::Rename)).since(3, 15),
    x86_only("unlink", 87, Report(Action::Unlink)),
    both("unlinkat", 263, 35, Report(Action::Unlink)),
    x86_only("rmdir", 84, Report(Action::Rmdir)),
    x86_only("mkdir", 83, Report(Action::Mkdir)),
    both("mkdirat", 258, 34, Report(Action::Mkdir)),
    x86_only("chmod", 90, Report(Action::Chmod)),
    both("fchmod", 91, 52, Report(Action::Chmod)),
    both("fchmodat", 268, 53, Report(Action::Chmod)),
    both("fchmodat2", 452, 452, Report(Action::Chmod)).since(6, 6),
    x86_only("link", 86, Report(Action::Link)),
    both("linkat", 265, 37, Report(Action::Link)),
    x86_only("symlink", 88, Report(Action::Symlink)),
    both("symlinkat", 266, 36, Report(Action::Symlink)),
    x86_only("mknod", 133, Report(Action::Mknod)),
    both("mknodat", 259, 33, Report(Action::Mknod)),
    x86_only("chown", 92, Report(Action::Chown)),
    x86_only("lchown", 94, Report(Action::Chown)),
    both("fchown", 93, 55, Report(Action::Chown)),
    both("fchownat", 260, 54, Report(Action::Chown)),
    both("truncate", 76, 45, Report(Action::Truncate)),
    both("ftruncate", 77, 46, Report(Action::Truncate)),
    x86_only("utime", 132, Report(Action::Utime)),
    x86_only("utimes", 235, Report(Action::Utime)),
    x86_only("futimesat", 261, Report(Action::Utime)),
    both("utimensat", 280, 88, Report(Action::Utime)),
    both("setxattr", 188, 5, Report(Action::Setxattr)),
    both("lsetxattr", 189, 6, Report(Action::Setxattr)),
    both("fsetxattr", 190, 7, Report(Action::Setxattr)),
    both("setxattrat", 463, 463, Report(Action::Setxattr)).since(6, 13),
    both("removexattr", 197, 14, Report(Action::Setxattr)),
    both("lremovexattr", 198, 15, Report(Action::Setxattr)),
    both("fremovexattr", 199, 16, Report(Action::Setxattr)),
    both("removexattrat", 466, 466, Report(Action::Setxattr)).since(6, 13),
    both("connect", 42, 203, Report(Action::Connect)),
    both("bind", 49, 200, Report(Action::Bind)),
    both("listen", 50, 201, Report(Action::Listen)),
    both("accept", 43, 202, Report(Action::Accept)),
    both("accept4", 288, 242, Report(Action::Accept)),
    both("sendto", 44, 206, Report(Action::Send)),
    both("sendmsg", 46, 211, Report(Action::Send)),
    both("sendmmsg", 307, 269, Report(Action::Send)),
    both("chdir", 80, 49, Relocate(Relocation::Directory)),
    both("fchdir", 81, 50, Relocate(Relocation::Directory)),
    both("chroot", 161, 51, Relocate(Relocation::Root)),
    both("pivot_root", 155, 41, Relocate(Relocation::Root)),
    both("unshare", 272, 97, Both(Action::Unshare, Relocation::Namespaces)),
    both("setns", 308, 268, Both(Action::Setns, Relocation::Namespaces)),
];

impl Syscall {
    /// Its number on `arch`.
    pub const fn number(&self, arch: Arch) -> Option<u32> {
        match arch {
            Arch::X86_64 => self.x86_64,
            Arch::Aarch64 => self.aarch64,
        }
    }
}

/// More than any number.
const NUMBERS: usize = 512;

/// By number: the place in [`SYSCALLS`], from 1; 0: none. To search for it would be a twentieth of
/// what an event costs.
const fn places(arch: Arch) -> [u8; NUMBERS] {
    const _: () = assert!(SYSCALLS.len() < 256);
    let mut places = [0; NUMBERS];
    let mut place = 0;
    while place < SYSCALLS.len() {
        if let Some(number) = SYSCALLS[place].number(arch) {
            places[number as usize] = place as u8 + 1;
        }
        place += 1;
    }
    places
}

/// The call of this number on `arch`, if it has a hook.
pub fn by_number(arch: Arch, number: u32) -> Option<&'static Syscall> {
    static X86_64: [u8; NUMBERS] = places(Arch::X86_64);
    static AARCH64: [u8; NUMBERS] = places(Arch::Aarch64);
    let places = match arch {
        Arch::X86_64 => &X86_64,
        Arch::Aarch64 => &AARCH64,
    };
    let place = *places.get(number as usize)?;
    SYSCALLS.get(usize::from(place).checked_sub(1)?)
}

/// The number of the call of this name, on the architecture this program was built for.
pub fn number_here(name: &str) -> Option<u32> {
    SYSCALLS.iter().find(|call| call.name == name)?.number(Arch::HOST)
}

/// The name of an error number, `EPERM`. The kernel's own, which no program sees, begin at 512.
pub fn errno(code: u32) -> Option<&'static str> {
    if code >= 512 { None } else { ::syscalls::Errno::new(code.cast_signed()).name() }
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
            ("linkat", libc::SYS_linkat),
            ("symlinkat", libc::SYS_symlinkat),
            ("mknodat", libc::SYS_mknodat),
            ("fchown", libc::SYS_fchown),
            ("fchownat", libc::SYS_fchownat),
            ("truncate", libc::SYS_truncate),
            ("ftruncate", libc::SYS_ftruncate),
            ("utimensat", libc::SYS_utimensat),
            ("setxattr", libc::SYS_setxattr),
            ("lsetxattr", libc::SYS_lsetxattr),
            ("fsetxattr", libc::SYS_fsetxattr),
            ("removexattr", libc::SYS_removexattr),
            ("lremovexattr", libc::SYS_lremovexattr),
            ("fremovexattr", libc::SYS_fremovexattr),
            ("connect", libc::SYS_connect),
            ("bind", libc::SYS_bind),
            ("listen", libc::SYS_listen),
            ("accept", libc::SYS_accept),
            ("accept4", libc::SYS_accept4),
            ("sendto", libc::SYS_sendto),
            ("sendmsg", libc::SYS_sendmsg),
            ("sendmmsg", libc::SYS_sendmmsg),
            ("chdir", libc::SYS_chdir),
            ("fchdir", libc::SYS_fchdir),
            ("chroot", libc::SYS_chroot),
            ("pivot_root", libc::SYS_pivot_root),
            ("unshare", libc::SYS_unshare),
            ("setns", libc::SYS_setns),
            ("setuid", libc::SYS_setuid),
            ("setreuid", libc::SYS_setreuid),
            ("setresuid", libc::SYS_setresuid),
            ("setgid", libc::SYS_setgid),
            ("setregid", libc::SYS_setregid),
            ("setresgid", libc::SYS_setresgid),
            ("setgroups", libc::SYS_setgroups),
            ("setsid", libc::SYS_setsid),
            ("ptrace", libc::SYS_ptrace),
            ("process_vm_writev", libc::SYS_process_vm_writev),
            ("pidfd_getfd", libc::SYS_pidfd_getfd),
            ("init_module", libc::SYS_init_module),
            ("finit_module", libc::SYS_finit_module),
            ("delete_module", libc::SYS_delete_module),
            ("bpf", libc::SYS_bpf),
            ("mount", libc::SYS_mount),
            ("move_mount", libc::SYS_move_mount),
            ("fsopen", libc::SYS_fsopen),
            ("fsconfig", libc::SYS_fsconfig),
            ("fsmount", libc::SYS_fsmount),
            ("fspick", libc::SYS_fspick),
            ("open_tree", libc::SYS_open_tree),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("open_by_handle_at", libc::SYS_open_by_handle_at),
            ("umount2", libc::SYS_umount2),
            ("memfd_create", libc::SYS_memfd_create),
            ("kexec_load", libc::SYS_kexec_load),
            ("kexec_file_load", libc::SYS_kexec_file_load),
            ("clock_settime", libc::SYS_clock_settime),
            ("settimeofday", libc::SYS_settimeofday),
            ("adjtimex", libc::SYS_adjtimex),
            ("clock_adjtime", libc::SYS_clock_adjtime),
            ("io_uring_setup", libc::SYS_io_uring_setup),
        ] {
            let call = by_number(Arch::HOST, number as u32).unwrap();
            assert_eq!(call.name, name);
        }
    }
}
