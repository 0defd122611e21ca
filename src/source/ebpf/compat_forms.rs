//! What each 32-bit system call is given, in which place (`bpf/compat.c`).

use ::syscalls::x86::Sysno;

use super::abi::record::*;
use crate::syscalls;

const NOTHING: u8 = MOTE_GIVEN_NOTHING as u8;
const NO_ID: u8 = MOTE_GIVEN_NO_ID as u8;

/// The form of a call: which of its arguments is what.
impl mote_compat_call {
    const fn of(kind: u32) -> mote_compat_call {
        mote_compat_call {
            syscall: 0,
            kind: kind as u16,
            flags: 0,
            path: NOTHING,
            from: NOTHING,
            dirfd: MOTE_GIVEN_CWD as u8,
            from_dirfd: MOTE_GIVEN_CWD as u8,
            call_flags: NOTHING,
            mode: NOTHING,
            value: NOTHING,
            value_high: NOTHING,
            named: 1,
            route: MOTE_COMPAT_BULK as u8,
            filter: MOTE_COMPAT_ALL as u8,
            moves: 0,
            words: 0,
            narrow: 0,
            reserved: [0; 2],
        }
    }

    const fn name(path: u8) -> mote_compat_call {
        mote_compat_call { path, ..mote_compat_call::of(MOTE_KIND_NAME) }
    }

    const fn name_at(dirfd: u8, path: u8) -> mote_compat_call {
        mote_compat_call { dirfd, ..mote_compat_call::name(path) }
    }

    const fn descriptor(dirfd: u8) -> mote_compat_call {
        let unnamed = MOTE_UNNAMED as u16;
        mote_compat_call { dirfd, named: 0, flags: unnamed, ..mote_compat_call::of(MOTE_KIND_NAME) }
    }

    /// With neither.
    const fn plain() -> mote_compat_call {
        mote_compat_call { named: 0, ..mote_compat_call::of(MOTE_KIND_NAME) }
    }

    const fn pair(from: u8, path: u8) -> mote_compat_call {
        mote_compat_call { from, path, ..mote_compat_call::of(MOTE_KIND_PAIR) }
    }

    /// A descriptor, and a string that is no path.
    const fn descriptor_and(dirfd: u8, from: u8) -> mote_compat_call {
        let flags = MOTE_UNNAMED as u16;
        mote_compat_call { dirfd, from, flags, ..mote_compat_call::of(MOTE_KIND_PAIR) }
    }

    /// The descriptor is the first argument.
    const fn socket() -> mote_compat_call {
        let flags = MOTE_UNNAMED as u16;
        mote_compat_call { dirfd: 0, flags, ..mote_compat_call::of(MOTE_KIND_SOCKET) }
    }

    const fn address(path: u8, bytes: u8) -> mote_compat_call {
        mote_compat_call { path, mode: bytes, flags: 0, ..mote_compat_call::socket() }
    }

    const fn old_dirfd(self, from_dirfd: u8) -> mote_compat_call {
        mote_compat_call { from_dirfd, ..self }
    }

    const fn dirfd(self, dirfd: u8) -> mote_compat_call {
        mote_compat_call { dirfd, ..self }
    }

    const fn flags(self, call_flags: u8) -> mote_compat_call {
        mote_compat_call { call_flags, ..self }
    }

    const fn mode(self, mode: u8) -> mote_compat_call {
        mote_compat_call { mode, ..self }
    }

    const fn value(self, low: u8, high: u8) -> mote_compat_call {
        mote_compat_call { value: low, value_high: high, ..self }
    }

    const fn ids(real: u8, effective: u8, saved: u8) -> mote_compat_call {
        mote_compat_call::plain().value(real, effective).mode(saved).system()
    }

    /// So many of its arguments are in memory: socketcall(2).
    const fn words(self, words: u8) -> mote_compat_call {
        mote_compat_call { words, ..self }
    }

    /// Its ids have 16 bits.
    const fn narrow(self) -> mote_compat_call {
        mote_compat_call { narrow: 1, ..self }
    }

    /// What stands in memory is not read.
    const fn unread(self) -> mote_compat_call {
        mote_compat_call { flags: self.flags | MOTE_FLAGS_UNREAD as u16, ..self }
    }

    const fn only(self, filter: u32) -> mote_compat_call {
        mote_compat_call { filter: filter as u8, ..self }
    }

    const fn system(self) -> mote_compat_call {
        mote_compat_call { route: MOTE_COMPAT_SYSTEM as u8, ..self }
    }

    /// Changes what names mean, and is not told.
    const fn relocation(self) -> mote_compat_call {
        mote_compat_call { route: MOTE_COMPAT_NAMES as u8, moves: 1, ..self }
    }

    /// Changes what names mean, and is told.
    const fn namespaces(self) -> mote_compat_call {
        mote_compat_call { moves: 1, ..self.system() }
    }
}

type Form = mote_compat_call;

const CHANGES: u32 = MOTE_COMPAT_CHANGES;
const SENDS: u32 = MOTE_COMPAT_SENDS;

/// A 32-bit call.
struct Call {
    number: u32,
    /// Where the kernel does it, since 4.17: it calls one of these
    /// (linux `arch/x86/entry/syscalls/syscall_32.tbl`).
    functions: [&'static str; 2],
    /// The 64-bit call that does the same.
    same: &'static str,
    form: Form,
}

/// A call, whose function may have another name, the 64-bit call that does the same, and its form. One
/// that the table of numbers does not have yet has the number that it has everywhere (from 403
/// on, linux `arch/x86/entry/syscalls/syscall_32.tbl`).
macro_rules! call {
    ($number:ident, $same:literal, $form:expr) => {
        call!($number = $number, $same, $form)
    };
    ($number:ident = $function:ident, $same:literal, $form:expr) => {
        call!((Sysno::$number as u32) = $function, $same, $form)
    };
    (($number:expr) = $function:ident, $same:literal, $form:expr) => {
        Call { number: $number, functions: functions!($function), same: $same, form: $form }
    };
}

macro_rules! functions {
    ($function:ident) => {
        [
            concat!("__ia32_compat_sys_", stringify!($function)),
            concat!("__ia32_sys_", stringify!($function)),
        ]
    };
}

const CALLS: &[Call] = &[
    call!(open, "open", Form::name(0).flags(1).mode(2).only(CHANGES)),
    call!(openat, "openat", Form::name_at(0, 1).flags(2).mode(3).only(CHANGES)),
    call!(openat2, "openat2", Form::name_at(0, 1).flags(2).only(MOTE_COMPAT_HOW)),
    call!(creat, "creat", Form::name(0).flags(MOTE_GIVEN_CREAT as u8).mode(1)),
    call!(open_by_handle_at, "open_by_handle_at", Form::descriptor(0).flags(2)),
    call!(rename, "rename", Form::pair(0, 1)),
    call!(renameat, "renameat", Form::pair(1, 3).old_dirfd(0).dirfd(2)),
    call!(renameat2, "renameat2", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4)),
    call!(unlink, "unlink", Form::name(0)),
    call!(unlinkat, "unlinkat", Form::name_at(0, 1).flags(2)),
    call!(rmdir, "rmdir", Form::name(0)),
    call!(link, "link", Form::pair(0, 1)),
    call!(linkat, "linkat", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4)),
    call!(symlink, "symlink", Form::pair(0, 1)),
    call!(symlinkat, "symlinkat", Form::pair(0, 2).dirfd(1)),
    call!(mkdir, "mkdir", Form::name(0).mode(1)),
    call!(mkdirat, "mkdirat", Form::name_at(0, 1).mode(2)),
    call!(mknod, "mknod", Form::name(0).mode(1).value(2, NOTHING)),
    call!(mknodat, "mknodat", Form::name_at(0, 1).mode(2).value(3, NOTHING)),
    call!(chmod, "chmod", Form::name(0).mode(1)),
    call!(fchmod, "fchmod", Form::descriptor(0).mode(1)),
    call!(fchmodat, "fchmodat", Form::name_at(0, 1).mode(2)),
    call!(fchmodat2, "fchmodat2", Form::name_at(0, 1).mode(2).flags(3)),
    call!(chown = chown16, "chown", Form::name(0).value(1, 2).narrow()),
    call!(chown32 = chown, "chown", Form::name(0).value(1, 2)),
    call!(lchown = lchown16, "lchown", Form::name(0).value(1, 2).narrow()),
    call!(lchown32 = lchown, "lchown", Form::name(0).value(1, 2)),
    call!(fchown = fchown16, "fchown", Form::descriptor(0).value(1, 2).narrow()),
    call!(fchown32 = fchown, "fchown", Form::descriptor(0).value(1, 2)),
    call!(fchownat, "fchownat", Form::name_at(0, 1).value(2, 3).flags(4)),
    call!(truncate, "truncate", Form::name(0).value(1, NOTHING)),
    call!(truncate64 = ia32_truncate64, "truncate", Form::name(0).value(1, 2)),
    call!(ftruncate, "ftruncate", Form::descriptor(0).value(1, NOTHING)),
    call!(ftruncate64 = ia32_ftruncate64, "ftruncate", Form::descriptor(0).value(1, 2)),
    call!(utime = utime32, "utime", Form::name(0).unread()),
    call!(utimes = utimes_time32, "utimes", Form::name(0).unread()),
    call!(futimesat = futimesat_time32, "futimesat", Form::name_at(0, 1).unread()),
    call!(utimensat = utimensat_time32, "utimensat", Form::name_at(0, 1).flags(3).unread()),
    call!(utimensat_time64 = utimensat, "utimensat", Form::name_at(0, 1).flags(3).unread()),
    call!(setxattr, "setxattr", Form::pair(1, 0)),
    call!(lsetxattr, "lsetxattr", Form::pair(1, 0)),
    call!(fsetxattr, "fsetxattr", Form::descriptor_and(0, 1)),
    call!(removexattr, "removexattr", Form::pair(1, 0)),
    call!(lremovexattr, "lremovexattr", Form::pair(1, 0)),
    call!(fremovexattr, "fremovexattr", Form::descriptor_and(0, 1)),
    call!((463) = setxattrat, "setxattrat", Form::pair(3, 1).dirfd(0).flags(2)),
    call!((466) = removexattrat, "removexattrat", Form::pair(3, 1).dirfd(0).flags(2)),
    call!(bind, "bind", Form::address(1, 2)),
    call!(connect, "connect", Form::address(1, 2)),
    call!(listen, "listen", Form::socket().flags(1)),
    call!(accept4, "accept4", ACCEPT),
    call!(sendto, "sendto", Form::address(4, 5).flags(3).only(SENDS)),
    call!(sendmsg, "sendmsg", SENDMSG),
    call!(setuid = setuid16, "setuid", Form::ids(NO_ID, 0, NO_ID).narrow()),
    call!(setuid32 = setuid, "setuid", Form::ids(NO_ID, 0, NO_ID)),
    call!(setreuid = setreuid16, "setreuid", Form::ids(0, 1, NO_ID).narrow()),
    call!(setreuid32 = setreuid, "setreuid", Form::ids(0, 1, NO_ID)),
    call!(setresuid = setresuid16, "setresuid", Form::ids(0, 1, 2).narrow()),
    call!(setresuid32 = setresuid, "setresuid", Form::ids(0, 1, 2)),
    call!(setgid = setgid16, "setgid", Form::ids(NO_ID, 0, NO_ID).narrow()),
    call!(setgid32 = setgid, "setgid", Form::ids(NO_ID, 0, NO_ID)),
    call!(setregid = setregid16, "setregid", Form::ids(0, 1, NO_ID).narrow()),
    call!(setregid32 = setregid, "setregid", Form::ids(0, 1, NO_ID)),
    call!(setresgid = setresgid16, "setresgid", Form::ids(0, 1, 2).narrow()),
    call!(setresgid32 = setresgid, "setresgid", Form::ids(0, 1, 2)),
    call!(setgroups = setgroups16, "setgroups", Form::plain().system()),
    call!(setgroups32 = setgroups, "setgroups", Form::plain().system()),
    call!(setsid, "setsid", Form::plain().system()),
    call!(
        ptrace,
        "ptrace",
        Form::plain().flags(0).value(1, NOTHING).only(MOTE_COMPAT_PTRACE).system()
    ),
    call!(process_vm_writev, "process_vm_writev", Form::plain().value(0, NOTHING).system()),
    call!(pidfd_getfd, "pidfd_getfd", Form::plain().system()),
    call!(init_module, "init_module", Form::descriptor_and(NO_ID, 2).system()),
    call!(finit_module, "finit_module", Form::descriptor_and(0, 1).flags(2).system()),
    call!(delete_module, "delete_module", Form::name(0).flags(1).system()),
    call!(memfd_create, "memfd_create", Form::name(0).flags(1).system()),
    call!(kexec_load, "kexec_load", Form::plain().flags(3).system()),
    call!(bpf, "bpf", Form::descriptor(NO_ID).flags(0).only(MOTE_COMPAT_LOADS).unread().system()),
    call!(mount, "mount", Form::pair(0, 1).flags(3).unread().system()),
    call!(move_mount, "move_mount", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4).system()),
    call!(fsopen, "fsopen", Form::plain().flags(1).unread().system()),
    call!(fsconfig, "fsconfig", Form::descriptor(0).flags(1).unread().system()),
    call!(fsmount, "fsmount", Form::descriptor(0).flags(1).value(2, NOTHING).system()),
    call!(fspick, "fspick", Form::name_at(0, 1).flags(2).system()),
    call!(open_tree, "open_tree", COPY),
    // Unlike open_tree it changes what it does not copy.
    call!((467) = open_tree_attr, "open_tree_attr", Form::name_at(0, 1).flags(2).unread().system()),
    call!(mount_setattr, "mount_setattr", Form::name_at(0, 1).flags(2).unread().system()),
    call!(umount = oldumount, "umount2", Form::name(0).system()),
    call!(umount2 = umount, "umount2", Form::name(0).flags(1).system()),
    call!(stime = stime32, "settimeofday", Form::plain().unread().system()),
    call!(settimeofday, "settimeofday", Form::plain().unread().system()),
    call!(
        clock_settime = clock_settime32,
        "clock_settime",
        Form::plain().flags(0).unread().system()
    ),
    call!(
        clock_settime64 = clock_settime,
        "clock_settime",
        Form::plain().flags(0).unread().system()
    ),
    call!(io_uring_setup, "io_uring_setup", Form::plain().unread().system()),
    call!(chdir, "chdir", Form::name(0).relocation()),
    // The descriptor is where it works, and not what is changed.
    call!(fchdir, "fchdir", Form { named: 0, ..Form::name_at(0, NOTHING).relocation() }),
    call!(chroot, "chroot", Form::name(0).relocation()),
    call!(pivot_root, "pivot_root", Form::name(0).relocation()),
    call!(unshare, "unshare", Form::plain().flags(0).namespaces()),
    call!(setns, "setns", Form::plain().flags(1).namespaces()),
];

const COPY: Form = Form::name_at(0, 1).flags(2).only(MOTE_COMPAT_COPIES).system();
const ACCEPT: Form = Form::socket().only(MOTE_COMPAT_ACCEPTS);
const SENDMSG: Form = Form { from: 1, ..Form::address(NOTHING, NOTHING).flags(2).only(SENDS) };

/// The calls of socketcall(2) (linux `include/uapi/linux/net.h`), in the same way.
const SOCKET_CALLS: &[(u32, &str, Form)] = &[
    (2, "bind", Form::address(1, 2).words(3)),
    (3, "connect", Form::address(1, 2).words(3)),
    (4, "listen", Form::socket().flags(1).words(2)),
    (5, "accept", ACCEPT.words(3)),
    (11, "sendto", Form::address(4, 5).flags(3).only(SENDS).words(6)),
    (16, "sendmsg", SENDMSG.words(3)),
    (18, "accept4", ACCEPT.words(4)),
];

/// The elements of the map `compat_calls`: where they go, and what they are.
pub(super) fn elements() -> impl Iterator<Item = (u32, mote_compat_call)> {
    let calls = CALLS.iter().map(|call| (call.number, call.same, call.form));
    let socket_calls = SOCKET_CALLS
        .iter()
        .map(|(call, name, form)| (MOTE_COMPAT_SOCKET_CALLS + call, *name, *form));
    calls.chain(socket_calls).filter_map(|(place, name, form)| {
        let number = syscalls::number_here(name)?;
        Some((place, mote_compat_call { syscall: number as i32, ..form }))
    })
}

/// The functions that the kernel has for each of them, and the 64-bit call that does the same.
pub(super) fn functions() -> impl Iterator<Item = ([&'static str; 2], &'static str)> {
    let calls = CALLS.iter().map(|call| (call.functions, call.same));
    calls.chain([(functions!(socketcall), "connect")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Effect, SYSCALLS};

    /// Each has its place in the map, and stands for a call that is told, or that moves names.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_call_has_its_place() {
        let elements: Vec<_> = elements().collect();
        assert_eq!(elements.len(), CALLS.len() + SOCKET_CALLS.len());
        let places: std::collections::BTreeSet<u32> = elements.iter().map(|(at, _)| *at).collect();
        assert_eq!(places.len(), elements.len());
        assert!(places.iter().all(|at| *at < MOTE_COMPAT_CALLS));
        for Call { number, same, form, .. } in CALLS {
            assert!(*number < MOTE_COMPAT_SOCKET_CALLS, "{same}");
            let effect = SYSCALLS.iter().find(|call| call.name == *same).unwrap().effect;
            let moves = matches!(effect, Effect::Relocate(_) | Effect::Both(..));
            assert_eq!(form.moves != 0, moves, "{same}");
        }
    }

    /// A call without arguments has one function for 32-bit and 64-bit callers (linux
    /// `arch/x86/include/asm/syscall_wrapper.h`, `__SYS_STUB0`), and of the latter the number has to
    /// be none of a 32-bit call that is told.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_64_bit_setsid_is_no_32_bit_call() {
        let number = syscalls::number_here("setsid").unwrap();
        assert!(elements().all(|(place, _)| place != number));
    }

    /// What is seen of 64-bit calls, but for what needs memory that has another layout.
    #[test]
    fn no_call_is_forgotten() {
        let unseen = [
            // Told as any exec, by sched:sched_process_exec.
            "execve",
            "execveat",
            // Not on i386.
            "kexec_file_load",
            "accept",
            // Of another layout in memory.
            "adjtimex",
            "clock_adjtime",
            "sendmmsg",
        ];
        for call in SYSCALLS {
            let is_there = CALLS.iter().any(|given| given.same == call.name);
            assert_eq!(is_there, !unseen.contains(&call.name), "{}", call.name);
        }
    }
}
