//! System calls of a running sensor. All others fail with ENOSYS, as if the kernel did not have them:
//! a library then takes the older call that does the same (glibc's `clone3`).
//!
//! Not among them are execve, ptrace, mount, and whatever changes users, name spaces, modules or the
//! clock; no memory is mapped or made executable. Arguments are looked at where the kernel has them in the
//! call itself, and so names of files are not: who takes the sensor over can write to what is root's.
//! io_uring is there to be measured, and does files and connections, past the filter.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use rustix::thread::set_no_new_privs;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

use crate::source::ebpf;
#[cfg(target_arch = "x86_64")]
use crate::source::ebpf::compat::X32_SYSCALL_BIT;

/// With any arguments.
const CALLS: &[c_long] = &[
    // The loop, and what goes on as if nothing had been when the process was stopped meanwhile.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    // The time, where the vDSO cannot tell it; and children that are waited for.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // Files: /proc, the configuration, state, the spool, tracefs. Their owner and their names beyond a
    // rename are not changed.
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_umask,
    libc::SYS_pipe2,
    libc::SYS_dup,
    libc::SYS_dup3,
    // Receivers, the sockets of commands and of the service manager, the process connector, and what
    // looks up the name of a receiver.
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    // The process connector is asked on each CPU.
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    // eBPF: programs, maps, rings.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    // What is measured: requests of io_uring, and a call that fails.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_getppid,
    // Children that end while that is measured, and their threads.
    libc::SYS_wait4,
    libc::SYS_kill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    // Signals that end the sensor or let it read its configuration again, and a panic's.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // Memory; see `without` for what makes it code.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // What the sensor is and has: limits, users, the host's name and memory, keys of hash tables.
    libc::SYS_prlimit64,
    libc::SYS_capget,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
];

/// The same by numbers that only x86-64 has.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[c_long] = &[
    libc::SYS_epoll_wait,
    libc::SYS_poll,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_chmod,
    libc::SYS_dup2,
    // Of x32, to see whether the kernel has its calls.
    X32_SYSCALL_BIT | libc::SYS_getpid,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[c_long] = &[];

/// Families of sockets: receivers, commands, and the process connector.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Beside those of perf. `SIOCOUTQ` has the number of `TIOCOUTQ`.
const REQUESTS: [u64; 4] = [libc::FIONBIO, libc::FIOCLEX, libc::TCGETS, libc::TIOCOUTQ];
/// A new name, which the process connector tells of; how children end that are measured; and what
/// rustix looks for the vDSO and the size of a page in (from 6.4 on, linux `include/uapi/linux/prctl.h`).
const OPTIONS: [i32; 5] = [
    libc::PR_GET_NAME,
    libc::PR_SET_NAME,
    libc::PR_SET_PDEATHSIG,
    libc::PR_SET_DUMPABLE,
    PR_GET_AUXV,
];
const PR_GET_AUXV: i32 = 0x4155_5856;
/// Name spaces of a child.
const CLONE_NEW: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP;

/// Forbids all others, and new privileges, for the rest of this process's life.
pub fn filter() -> io::Result<()> {
    let mut program = program().map_err(io::Error::other)?;
    set_no_new_privs(true)?;
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr().cast(),
    };
    // Without the flag the kernel slows a filtered process down, against itself (`spec_store_bypass_disable`,
    // before 5.16). It came with 4.17, seccomp(2) with 3.17.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the kernel copies `len` instructions, which are there until it returns.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    if result == 0 {
        return Ok(());
    }
    // SAFETY: the same.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn program() -> Result<BpfProgram, BackendError> {
    let filter = SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    let native: BpfProgram = filter.try_into()?;
    Ok([trial_calls(), &native].concat())
}

/// What stands before the filter, which ends a process at a 32-bit call: of these the sensor makes
/// one, getppid, to see whether the kernel has them (`source/ebpf/compat.rs`).
#[cfg(target_arch = "x86_64")]
fn trial_calls() -> &'static [sock_filter] {
    use syscalls::x86::Sysno;
    // Classes, modes and sources of linux `include/uapi/linux/bpf_common.h`; offsets of `struct
    // seccomp_data` and AUDIT_ARCH_I386 of `seccomp.h` and `audit.h` beside it.
    const LOAD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const NUMBER: u32 = 0;
    const ARCH: u32 = 4;
    const I386: u32 = 0x4000_0003;
    const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
        sock_filter { code, jt, jf, k }
    }
    const {
        &[
            step(LOAD, ARCH, 0, 0),
            step(IF_EQUAL, I386, 0, 4),
            step(LOAD, NUMBER, 0, 0),
            step(IF_EQUAL, Sysno::getppid as u32, 0, 1),
            step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
            step(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, 0, 0),
        ]
    }
}
#[cfg(not(target_arch = "x86_64"))]
fn trial_calls() -> &'static [sock_filter] {
    &[]
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let whatever = CALLS.iter().chain(OLD_CALLS).map(|call| (*call, vec![]));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = whatever.collect();
    rules.insert(libc::SYS_socket, one_of(0, FAMILIES.map(|family| family as u64))?);
    rules.insert(libc::SYS_prctl, one_of(0, OPTIONS.map(|option| option as u64))?);
    rules.insert(libc::SYS_ioctl, one_of(1, REQUESTS.into_iter().chain(ebpf::IOCTLS))?);
    rules.insert(libc::SYS_clone, without(0, CLONE_NEW)?);
    rules.insert(libc::SYS_mmap, without(2, libc::PROT_EXEC)?);
    rules.insert(libc::SYS_mprotect, without(2, libc::PROT_EXEC)?);
    Ok(rules)
}

/// This argument has one of these values.
fn one_of(
    argument: u8,
    values: impl IntoIterator<Item = u64>,
) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |value| when(argument, SeccompCmpOp::Eq, value);
    values.into_iter().map(rule).collect()
}

/// This argument has none of these bits.
fn without(argument: u8, bits: i32) -> Result<Vec<SeccompRule>, BackendError> {
    Ok(vec![when(argument, SeccompCmpOp::MaskedEq(bits as u32 as u64), 0)?])
}

fn when(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)?;
    SeccompRule::new(vec![condition])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_stands_twice() {
        let all = CALLS.iter().chain(OLD_CALLS);
        let distinct: std::collections::BTreeSet<_> = all.clone().collect();
        assert_eq!(distinct.len(), all.count());
        assert_eq!(
            rules().unwrap().len(),
            distinct.len() + 6,
            "those whose arguments are looked at"
        );
    }

    #[test]
    fn filter_fits_into_the_kernel() {
        // linux `include/uapi/linux/bpf_common.h`, `BPF_MAXINSNS`.
        assert!(program().unwrap().len() <= 4096);
    }
}
