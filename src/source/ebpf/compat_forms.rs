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

/// A 32-bit call, the 64-bit call that does the same, and its form.
const CALLS: &[(Sysno, &str, Form)] = &[
    (Sysno::open, "open", Form::name(0).flags(1).mode(2).only(CHANGES)),
    (Sysno::openat, "openat", Form::name_at(0, 1).flags(2).mode(3).only(CHANGES)),
    (Sysno::openat2, "openat2", Form::name_at(0, 1).flags(2).only(MOTE_COMPAT_HOW)),
    (Sysno::creat, "creat", Form::name(0).flags(MOTE_GIVEN_CREAT as u8).mode(1)),
    (Sysno::rename, "rename", Form::pair(0, 1)),
    (Sysno::renameat, "renameat", Form::pair(1, 3).old_dirfd(0).dirfd(2)),
    (Sysno::renameat2, "renameat2", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4)),
    (Sysno::unlink, "unlink", Form::name(0)),
    (Sysno::unlinkat, "unlinkat", Form::name_at(0, 1).flags(2)),
    (Sysno::rmdir, "rmdir", Form::name(0)),
    (Sysno::link, "link", Form::pair(0, 1)),
    (Sysno::linkat, "linkat", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4)),
    (Sysno::symlink, "symlink", Form::pair(0, 1)),
    (Sysno::symlinkat, "symlinkat", Form::pair(0, 2).dirfd(1)),
    (Sysno::mkdir, "mkdir", Form::name(0).mode(1)),
    (Sysno::mkdirat, "mkdirat", Form::name_at(0, 1).mode(2)),
    (Sysno::mknod, "mknod", Form::name(0).mode(1).value(2, NOTHING)),
    (Sysno::mknodat, "mknodat", Form::name_at(0, 1).mode(2).value(3, NOTHING)),
    (Sysno::chmod, "chmod", Form::name(0).mode(1)),
    (Sysno::fchmod, "fchmod", Form::descriptor(0).mode(1)),
    (Sysno::fchmodat, "fchmodat", Form::name_at(0, 1).mode(2)),
    (Sysno::fchmodat2, "fchmodat2", Form::name_at(0, 1).mode(2).flags(3)),
    (Sysno::chown, "chown", Form::name(0).value(1, 2).narrow()),
    (Sysno::chown32, "chown", Form::name(0).value(1, 2)),
    (Sysno::lchown, "lchown", Form::name(0).value(1, 2).narrow()),
    (Sysno::lchown32, "lchown", Form::name(0).value(1, 2)),
    (Sysno::fchown, "fchown", Form::descriptor(0).value(1, 2).narrow()),
    (Sysno::fchown32, "fchown", Form::descriptor(0).value(1, 2)),
    (Sysno::fchownat, "fchownat", Form::name_at(0, 1).value(2, 3).flags(4)),
    (Sysno::truncate, "truncate", Form::name(0).value(1, NOTHING)),
    (Sysno::truncate64, "truncate", Form::name(0).value(1, 2)),
    (Sysno::ftruncate, "ftruncate", Form::descriptor(0).value(1, NOTHING)),
    (Sysno::ftruncate64, "ftruncate", Form::descriptor(0).value(1, 2)),
    (Sysno::utime, "utime", Form::name(0).unread()),
    (Sysno::utimes, "utimes", Form::name(0).unread()),
    (Sysno::futimesat, "futimesat", Form::name_at(0, 1).unread()),
    (Sysno::utimensat, "utimensat", Form::name_at(0, 1).flags(3).unread()),
    (Sysno::utimensat_time64, "utimensat", Form::name_at(0, 1).flags(3).unread()),
    (Sysno::setxattr, "setxattr", Form::pair(1, 0)),
    (Sysno::lsetxattr, "lsetxattr", Form::pair(1, 0)),
    (Sysno::fsetxattr, "fsetxattr", Form::descriptor_and(0, 1)),
    (Sysno::removexattr, "removexattr", Form::pair(1, 0)),
    (Sysno::lremovexattr, "lremovexattr", Form::pair(1, 0)),
    (Sysno::fremovexattr, "fremovexattr", Form::descriptor_and(0, 1)),
    (Sysno::bind, "bind", Form::address(1, 2)),
    (Sysno::connect, "connect", Form::address(1, 2)),
    (Sysno::listen, "listen", Form::socket().flags(1)),
    (Sysno::accept4, "accept4", ACCEPT),
    (Sysno::sendto, "sendto", Form::address(4, 5).flags(3).only(SENDS)),
    (Sysno::sendmsg, "sendmsg", SENDMSG),
    (Sysno::setuid, "setuid", Form::ids(NO_ID, 0, NO_ID).narrow()),
    (Sysno::setuid32, "setuid", Form::ids(NO_ID, 0, NO_ID)),
    (Sysno::setreuid, "setreuid", Form::ids(0, 1, NO_ID).narrow()),
    (Sysno::setreuid32, "setreuid", Form::ids(0, 1, NO_ID)),
    (Sysno::setresuid, "setresuid", Form::ids(0, 1, 2).narrow()),
    (Sysno::setresuid32, "setresuid", Form::ids(0, 1, 2)),
    (Sysno::setgid, "setgid", Form::ids(NO_ID, 0, NO_ID).narrow()),
    (Sysno::setgid32, "setgid", Form::ids(NO_ID, 0, NO_ID)),
    (Sysno::setregid, "setregid", Form::ids(0, 1, NO_ID).narrow()),
    (Sysno::setregid32, "setregid", Form::ids(0, 1, NO_ID)),
    (Sysno::setresgid, "setresgid", Form::ids(0, 1, 2).narrow()),
    (Sysno::setresgid32, "setresgid", Form::ids(0, 1, 2)),
    (Sysno::setgroups, "setgroups", Form::plain().system()),
    (Sysno::setgroups32, "setgroups", Form::plain().system()),
    (Sysno::setsid, "setsid", Form::plain().system()),
    (
        Sysno::ptrace,
        "ptrace",
        Form::plain().flags(0).value(1, NOTHING).only(MOTE_COMPAT_PTRACE).system(),
    ),
    (Sysno::process_vm_writev, "process_vm_writev", Form::plain().value(0, NOTHING).system()),
    (Sysno::pidfd_getfd, "pidfd_getfd", Form::plain().system()),
    (Sysno::init_module, "init_module", Form::descriptor_and(NO_ID, 2).system()),
    (Sysno::finit_module, "finit_module", Form::descriptor_and(0, 1).flags(2).system()),
    (Sysno::delete_module, "delete_module", Form::name(0).flags(1).system()),
    (Sysno::memfd_create, "memfd_create", Form::name(0).flags(1).system()),
    (Sysno::kexec_load, "kexec_load", Form::plain().flags(3).system()),
    (Sysno::bpf, "bpf", Form::descriptor(NO_ID).flags(0).only(MOTE_COMPAT_LOADS).unread().system()),
    (Sysno::mount, "mount", Form::pair(0, 1).flags(3).system()),
    (Sysno::move_mount, "move_mount", Form::pair(1, 3).old_dirfd(0).dirfd(2).flags(4).system()),
    (Sysno::umount, "umount2", Form::name(0).system()),
    (Sysno::umount2, "umount2", Form::name(0).flags(1).system()),
    (Sysno::stime, "settimeofday", Form::plain().unread().system()),
    (Sysno::settimeofday, "settimeofday", Form::plain().unread().system()),
    (Sysno::clock_settime, "clock_settime", Form::plain().flags(0).unread().system()),
    (Sysno::clock_settime64, "clock_settime", Form::plain().flags(0).unread().system()),
    (Sysno::io_uring_setup, "io_uring_setup", Form::plain().unread().system()),
    (Sysno::chdir, "chdir", Form::name(0).relocation()),
    // The descriptor is where it works, and not what is changed.
    (Sysno::fchdir, "fchdir", Form { named: 0, ..Form::name_at(0, NOTHING).relocation() }),
    (Sysno::chroot, "chroot", Form::name(0).relocation()),
    (Sysno::pivot_root, "pivot_root", Form::name(0).relocation()),
    (Sysno::unshare, "unshare", Form::plain().flags(0).namespaces()),
    (Sysno::setns, "setns", Form::plain().flags(1).namespaces()),
];

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
    let calls = CALLS.iter().map(|(call, name, form)| (*call as u32, *name, *form));
    let socket_calls = SOCKET_CALLS
        .iter()
        .map(|(call, name, form)| (MOTE_COMPAT_SOCKET_CALLS + call, *name, *form));
    calls.chain(socket_calls).filter_map(|(place, name, form)| {
        let number = syscalls::number_here(name)?;
        Some((place, mote_compat_call { syscall: number as i32, ..form }))
    })
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
        for (call, name, form) in CALLS {
            assert!((*call as u32) < MOTE_COMPAT_SOCKET_CALLS, "{name}");
            let effect = SYSCALLS.iter().find(|call| call.name == *name).unwrap().effect;
            let moves = matches!(effect, Effect::Relocate(_) | Effect::Both(..));
            assert_eq!(form.moves != 0, moves, "{name}");
        }
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
            // Newer than the table of numbers, or of another layout in memory.
            "adjtimex",
            "clock_adjtime",
            "sendmmsg",
            "setxattrat",
            "removexattrat",
        ];
        for call in SYSCALLS {
            let is_there = CALLS.iter().any(|(_, name, _)| *name == call.name);
            assert_eq!(is_there, !unseen.contains(&call.name), "{}", call.name);
        }
    }
}
