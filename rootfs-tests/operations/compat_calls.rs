//! 32-bit system calls that are told, by their names alone: on some kernels each has a probe of its
//! own. Left out are setsid, and the sends, which need a socket and an address (`compat.rs`).

use crate::call::c;
use crate::compat::{HERE, Low, int80, start};
use crate::support::expect::{assert_complete, at};
use crate::support::{Sensor, decode, scratch};
use std::collections::BTreeMap;
use syscalls::x86::Sysno;

/// No descriptor, id, process or clock.
const NONE: u32 = u32::MAX;
/// The same as a 16-bit id.
const NARROW: u32 = 0xffff;
const NOBODY: u32 = i32::MAX as u32;
/// Where nothing is.
const NOWHERE: u32 = 8;
const O_WRONLY: u32 = 1;
const S_IFIFO: u32 = 0o010_000;
const PTRACE_ATTACH: u32 = 16;
const BPF_PROG_LOAD: u32 = 5;
const OPEN_TREE_CLONE: u32 = 1;
const CLONE_NEWNET: u32 = 0x4000_0000;
/// More than a process, or a kernel, can have.
const TOO_MANY: u32 = 70_000;

/// Calls that change nothing, and the 64-bit call that each is told as. `no` is the name of
/// nothing, `how` what openat2(2) is given. Those that came after 5.8 are left out, as nobody knows
/// whether this kernel has them.
#[rustfmt::skip]
fn calls(no: u32, how: u32) -> Vec<(Sysno, &'static str, [u32; 5])> {
    let mut calls = vec![
        (Sysno::open, "open", [no, O_WRONLY, 0, 0, 0]),
        (Sysno::openat, "openat", [HERE, no, O_WRONLY, 0, 0]),
        (Sysno::openat2, "openat2", [HERE, no, how, 24, 0]),
        (Sysno::creat, "creat", [no, 0, 0, 0, 0]),
        (Sysno::open_by_handle_at, "open_by_handle_at", [NONE, NOWHERE, 0, 0, 0]),
        (Sysno::rename, "rename", [no, no, 0, 0, 0]),
        (Sysno::renameat, "renameat", [HERE, no, HERE, no, 0]),
        (Sysno::renameat2, "renameat2", [HERE, no, HERE, no, 0]),
        (Sysno::unlink, "unlink", [no, 0, 0, 0, 0]),
        (Sysno::unlinkat, "unlinkat", [HERE, no, 0, 0, 0]),
        (Sysno::rmdir, "rmdir", [no, 0, 0, 0, 0]),
        (Sysno::link, "link", [no, no, 0, 0, 0]),
        (Sysno::linkat, "linkat", [HERE, no, HERE, no, 0]),
        (Sysno::symlink, "symlink", [no, no, 0, 0, 0]),
        (Sysno::symlinkat, "symlinkat", [no, HERE, no, 0, 0]),
        (Sysno::mkdir, "mkdir", [no, 0, 0, 0, 0]),
        (Sysno::mkdirat, "mkdirat", [HERE, no, 0, 0, 0]),
        (Sysno::mknod, "mknod", [no, S_IFIFO, 0, 0, 0]),
        (Sysno::mknodat, "mknodat", [HERE, no, S_IFIFO, 0, 0]),
        (Sysno::chmod, "chmod", [no, 0, 0, 0, 0]),
        (Sysno::fchmod, "fchmod", [NONE, 0, 0, 0, 0]),
        (Sysno::fchmodat, "fchmodat", [HERE, no, 0, 0, 0]),
        (Sysno::fchownat, "fchownat", [HERE, no, NONE, NONE, 0]),
        (Sysno::truncate, "truncate", [no, 0, 0, 0, 0]),
        (Sysno::truncate64, "truncate", [no, 0, 0, 0, 0]),
        (Sysno::ftruncate, "ftruncate", [NONE, 0, 0, 0, 0]),
        (Sysno::ftruncate64, "ftruncate", [NONE, 0, 0, 0, 0]),
        (Sysno::utime, "utime", [no, 0, 0, 0, 0]),
        (Sysno::utimes, "utimes", [no, 0, 0, 0, 0]),
        (Sysno::futimesat, "futimesat", [HERE, no, 0, 0, 0]),
        (Sysno::utimensat, "utimensat", [HERE, no, 0, 0, 0]),
        (Sysno::utimensat_time64, "utimensat", [HERE, no, 0, 0, 0]),
        (Sysno::setxattr, "setxattr", [no, no, 0, 0, 0]),
        (Sysno::lsetxattr, "lsetxattr", [no, no, 0, 0, 0]),
        (Sysno::fsetxattr, "fsetxattr", [NONE, no, 0, 0, 0]),
        (Sysno::removexattr, "removexattr", [no, no, 0, 0, 0]),
        (Sysno::lremovexattr, "lremovexattr", [no, no, 0, 0, 0]),
        (Sysno::fremovexattr, "fremovexattr", [NONE, no, 0, 0, 0]),
        (Sysno::bind, "bind", [NONE, NOWHERE, 16, 0, 0]),
        (Sysno::connect, "connect", [NONE, NOWHERE, 16, 0, 0]),
        (Sysno::listen, "listen", [NONE, 1, 0, 0, 0]),
        (Sysno::accept4, "accept4", [NONE, 0, 0, 0, 0]),
        (Sysno::ptrace, "ptrace", [PTRACE_ATTACH, NOBODY, 0, 0, 0]),
        (Sysno::process_vm_writev, "process_vm_writev", [NOBODY, 0, 0, 0, 0]),
        (Sysno::pidfd_getfd, "pidfd_getfd", [NONE, 0, 0, 0, 0]),
        (Sysno::init_module, "init_module", [NOWHERE, 0, NOWHERE, 0, 0]),
        (Sysno::finit_module, "finit_module", [NONE, NOWHERE, 0, 0, 0]),
        (Sysno::delete_module, "delete_module", [NOWHERE, 0, 0, 0, 0]),
        (Sysno::memfd_create, "memfd_create", [NOWHERE, 0, 0, 0, 0]),
        (Sysno::kexec_load, "kexec_load", [0, TOO_MANY, NOWHERE, 0, 0]),
        (Sysno::bpf, "bpf", [BPF_PROG_LOAD, NOWHERE, 48, 0, 0]),
        (Sysno::mount, "mount", [no, no, 0, 0, 0]),
        (Sysno::move_mount, "move_mount", [HERE, no, HERE, no, 0]),
        (Sysno::fsopen, "fsopen", [NOWHERE, 0, 0, 0, 0]),
        (Sysno::fsconfig, "fsconfig", [NONE, 0, 0, 0, 0]),
        (Sysno::fsmount, "fsmount", [NONE, 0, 0, 0, 0]),
        (Sysno::fspick, "fspick", [HERE, no, 0, 0, 0]),
        (Sysno::open_tree, "open_tree", [HERE, no, OPEN_TREE_CLONE, 0, 0]),
        (Sysno::umount, "umount2", [no, 0, 0, 0, 0]),
        (Sysno::umount2, "umount2", [no, 0, 0, 0, 0]),
        (Sysno::stime, "settimeofday", [NOWHERE, 0, 0, 0, 0]),
        (Sysno::settimeofday, "settimeofday", [NOWHERE, 0, 0, 0, 0]),
        (Sysno::clock_settime, "clock_settime", [NONE, NOWHERE, 0, 0, 0]),
        (Sysno::clock_settime64, "clock_settime", [NONE, NOWHERE, 0, 0, 0]),
        (Sysno::io_uring_setup, "io_uring_setup", [1, NOWHERE, 0, 0, 0]),
        (Sysno::unshare, "unshare", [0, 0, 0, 0, 0]),
        (Sysno::setns, "setns", [NONE, CLONE_NEWNET, 0, 0, 0]),
        (Sysno::setgroups, "setgroups", [TOO_MANY, 0, 0, 0, 0]),
        (Sysno::setgroups32, "setgroups", [TOO_MANY, 0, 0, 0, 0]),
    ];
    for (narrow, wide, same) in [
        (Sysno::chown, Sysno::chown32, "chown"),
        (Sysno::lchown, Sysno::lchown32, "lchown"),
        (Sysno::fchown, Sysno::fchown32, "fchown"),
    ] {
        let at = if same == "fchown" { NONE } else { no };
        calls.extend([(narrow, same, [at, NARROW, NARROW, 0, 0]), (wide, same, [at, NONE, NONE, 0, 0])]);
    }
    for (narrow, wide, same) in [
        (Sysno::setreuid, Sysno::setreuid32, "setreuid"),
        (Sysno::setregid, Sysno::setregid32, "setregid"),
        (Sysno::setresuid, Sysno::setresuid32, "setresuid"),
        (Sysno::setresgid, Sysno::setresgid32, "setresgid"),
    ] {
        calls.extend([(narrow, same, [NARROW, NARROW, NARROW, 0, 0]), (wide, same, [NONE; 5])]);
    }
    for (narrow, wide, same) in [
        (Sysno::setuid, Sysno::setuid32, "setuid"),
        (Sysno::setgid, Sysno::setgid32, "setgid"),
    ] {
        calls.extend([(narrow, same, [0; 5]), (wide, same, [0; 5])]);
    }
    calls
}

pub fn each_32_bit_call_is_told() {
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    let mut low = Low::new();
    let no = low.text(&c(dir.join("no/such")));
    let mut how = [0; 24];
    how[0] = O_WRONLY as u8;
    let calls = calls(no, low.bytes(&how));
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for (call, same, args) in &calls {
        int80(*call, *args);
        *expected.entry((*same).to_owned()).or_default() += 1;
    }
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        let flags = at(event, "mote.flags").as_array();
        let is_compat =
            flags.is_some_and(|flags| flags.iter().any(|flag| flag == "compat_syscall"));
        if is_compat && *at(event, "process.pid") == std::process::id() {
            let name = at(event, "mote.syscall_name").as_str().unwrap();
            *told.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(told, expected);
}
