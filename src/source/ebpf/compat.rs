//! 32-bit system calls on x86-64: how they are seen, and whether they are. What each of them is given
//! is in `compat_forms`.
//!
//! Any process can make them by `int 0x80`, and the `syscalls:*` tracepoints leave them out. Where
//! the kernel has kprobes these see them at no cost to others, if it has one function that all of
//! them go through: `ia32_sys_call` from 6.9 on and in older stable kernels (linux
//! `arch/x86/entry/syscall_32.c`, commit 1e3ad78334a6), before 5.8 `do_int80_syscall_32` and
//! `do_fast_syscall_32` (`arch/x86/entry/common.c`; from then on nothing can be attached to them).
//! In between the function of each call is probed. Without kprobes there is
//! `raw_syscalls:sys_enter`, which costs every system call of the host some 90 ns, and so is attached
//! only if that is asked for.

#![allow(unsafe_code)]

use std::path::Path;

#[cfg(target_arch = "x86_64")]
use ::syscalls::x86::Sysno;

use super::child;
use super::kprobe::Kprobe;

/// Whether 32-bit system calls are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// This kernel has none.
    #[default]
    Absent,
    /// They are.
    Seen,
    /// They are not, for want of a function to attach to.
    Unseen,
    /// Nor can they be, by a program at every call.
    Failed,
}

/// Functions that a kernel may have; each group sees all calls.
pub const KPROBES: [&[Kprobe]; 2] = [
    &[Kprobe { function: "ia32_sys_call", program: PROGRAM, at_return: false }],
    &[
        Kprobe { function: "do_int80_syscall_32", program: PROGRAM, at_return: false },
        Kprobe { function: "do_fast_syscall_32", program: PROGRAM, at_return: false },
    ],
];

/// What is attached to each of them.
pub const PROGRAM: &str = "probe_compat";

/// What comes of a 32-bit call that the sensor makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Nobody can make one: the kernel is built or booted without them (`ia32_emulation=0`).
    Absent,
    /// It works.
    Works,
    /// The sensor may not make one (seccomp, as by `SystemCallArchitectures=native` of systemd).
    Denied,
}

/// Tries it in a child, which may not survive it. `/proc/sys/abi/vsyscall32` is there only with
/// `CONFIG_IA32_EMULATION` (linux `arch/x86/entry/vdso/vdso32-setup.c`).
pub fn trial() -> Trial {
    if !cfg!(target_arch = "x86_64") || !Path::new("/proc/sys/abi/vsyscall32").exists() {
        return Trial::Absent;
    }
    match child::signal_after(call) {
        Ok(None) => Trial::Works,
        // There is no such interrupt.
        Ok(Some(libc::SIGSEGV)) => Trial::Absent,
        Ok(Some(_)) | Err(_) => Trial::Denied,
    }
}

/// Whether this kernel has the calls of x32, which nothing sees: any program can make them, if it
/// is built with `CONFIG_X86_X32_ABI` and, on Debian, booted with `syscall.x32=y`.
pub fn has_x32() -> bool {
    cfg!(target_arch = "x86_64")
        && child::signal_after(call_x32).is_ok_and(|s| s == Some(X32_IS_HERE))
}

/// What a child that could make such a call dies from.
const X32_IS_HERE: i32 = libc::SIGUSR1;
/// `__X32_SYSCALL_BIT` (linux `arch/x86/include/uapi/asm/unistd.h`).
pub const X32_SYSCALL_BIT: libc::c_long = 0x4000_0000;

fn call_x32() {
    // SAFETY: takes no arguments; the signal is this child's own.
    unsafe {
        if libc::syscall(X32_SYSCALL_BIT | libc::SYS_getpid) > 0 {
            libc::signal(X32_IS_HERE, libc::SIG_DFL);
            libc::raise(X32_IS_HERE);
        }
    }
}

/// `getppid` as a 32-bit call, which needs no arguments and changes nothing.
#[cfg(target_arch = "x86_64")]
pub(super) fn call() {
    // SAFETY: takes nothing and touches no memory. Up to 4.16 the kernel leaves these registers
    // with other values (arch/x86/entry/entry_64_compat.S).
    unsafe {
        core::arch::asm!(
            "int 0x80",
            inlateout("eax") Sysno::getppid as u32 => _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
}

/// There is none.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn call() {}

/// Where `thread_info.status` can be in a `task_struct`, in bytes: since 4.9 that begins with
/// `thread_info`, which has `flags`, from 5.11 on `syscall_work`, and then this (linux
/// `arch/x86/include/asm/thread_info.h`).
const STATUS: [u32; 2] = [8, 16];
/// Set in it as long as a 32-bit call runs.
const TS_COMPAT: u32 = 2;

/// Which it is, from the beginning of our own `task_struct` in a 32-bit call and in another one.
pub(super) fn find_status(compat: &[u8], usual: &[u8]) -> Option<u32> {
    let bit = |task: &[u8], offset: u32| {
        let bytes = task.get(offset as usize..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes) & TS_COMPAT)
    };
    let differs = |at: &u32| (bit(compat, *at), bit(usual, *at)) == (Some(TS_COMPAT), Some(0));
    let mut found = STATUS.into_iter().filter(differs);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_what_a_32_bit_call_changes() {
        let task = |at: usize, status: u32| {
            let mut task = vec![0; 64];
            task[at..at + 4].copy_from_slice(&status.to_ne_bytes());
            task
        };
        assert_eq!(find_status(&task(8, 3), &task(8, 1)), Some(8));
        assert_eq!(find_status(&task(16, 2), &task(16, 0)), Some(16));
        // Set in both, or in neither.
        assert_eq!(find_status(&task(16, 2), &task(16, 2)), None);
        assert_eq!(find_status(&task(16, 0), &task(16, 0)), None);
        // In two places.
        let both = [&task(8, 2)[..16], &2u32.to_ne_bytes()[..]].concat();
        assert_eq!(find_status(&both, &[0; 64]), None);
        assert_eq!(find_status(&[], &[]), None);
    }
}
