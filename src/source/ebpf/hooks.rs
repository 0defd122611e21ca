//! Which program is attached to which tracepoint.

/// A program and the tracepoint it is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Directory below tracefs's `events`.
    pub category: &'static str,
    /// Name of the tracepoint.
    pub event: &'static str,
    /// Name of the function in `bpf/`.
    pub program: &'static str,
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.category, self.event)
    }
}

/// What ends a call, or a thread, gives back a slot: it is attached before what takes one.
pub const PROCESS: [Hook; 3] = [
    Hook { category: "sched", event: "sched_process_exit", program: "thread_exit" },
    Hook { category: "sched", event: "sched_process_exec", program: "exec_done" },
    Hook { category: "task", event: "task_newtask", program: "fork_done" },
];

/// A system call's enter and exit.
macro_rules! call {
    ($call:literal, $enter:literal, $leave:literal) => {
        (
            Hook { category: "syscalls", event: concat!("sys_enter_", $call), program: $enter },
            Hook { category: "syscalls", event: concat!("sys_exit_", $call), program: $leave },
        )
    };
}

/// System calls: what runs at their enter, and at their exit.
pub const SYSCALLS: [(Hook, Hook); 90] = [
    call!("execve", "enter_execve", "leave_exec"),
    call!("execveat", "enter_execveat", "leave_exec"),
    call!("chdir", "enter_directory", "leave_relocation"),
    call!("fchdir", "enter_fd", "leave_relocation"),
    call!("chroot", "enter_directory", "leave_relocation"),
    call!("pivot_root", "enter_directory", "leave_relocation"),
    call!("unshare", "enter_unshare", "leave_namespaces"),
    call!("setns", "enter_setns", "leave_namespaces"),
    call!("setuid", "enter_id", "leave_system"),
    call!("setreuid", "enter_two_ids", "leave_system"),
    call!("setresuid", "enter_three_ids", "leave_system"),
    call!("setgid", "enter_id", "leave_system"),
    call!("setregid", "enter_two_ids", "leave_system"),
    call!("setresgid", "enter_three_ids", "leave_system"),
    call!("setgroups", "enter_plain", "leave_system"),
    call!("setsid", "enter_plain", "leave_system"),
    call!("ptrace", "enter_ptrace", "leave_system"),
    call!("process_vm_writev", "enter_pid", "leave_system"),
    call!("pidfd_getfd", "enter_plain", "leave_system"),
    call!("init_module", "enter_init_module", "leave_privileged"),
    call!("finit_module", "enter_finit_module", "leave_privileged"),
    call!("delete_module", "enter_name_flags", "leave_privileged"),
    call!("bpf", "enter_bpf", "leave_system"),
    call!("mount", "enter_mount", "leave_system"),
    call!("move_mount", "enter_move_mount", "leave_system"),
    call!("fsopen", "enter_fsopen", "leave_system"),
    call!("fsconfig", "enter_fsconfig", "leave_system"),
    call!("fsmount", "enter_fsmount", "leave_system"),
    call!("fspick", "enter_fspick", "leave_system"),
    call!("open_tree", "enter_open_tree", "leave_system"),
    call!("open_tree_attr", "enter_mount_setattr", "leave_system"),
    call!("mount_setattr", "enter_mount_setattr", "leave_system"),
    // The tracepoint has the name of the kernel's function.
    call!("umount", "enter_name_flags", "leave_system"),
    call!("memfd_create", "enter_name_flags", "leave_system"),
    call!("kexec_load", "enter_kexec", "leave_privileged"),
    call!("kexec_file_load", "enter_kexec_file", "leave_privileged"),
    call!("clock_settime", "enter_clock_settime", "leave_privileged"),
    call!("settimeofday", "enter_settimeofday", "leave_privileged"),
    call!("adjtimex", "enter_adjtimex", "leave_privileged"),
    call!("clock_adjtime", "enter_clock_adjtime", "leave_privileged"),
    call!("io_uring_setup", "enter_io_uring", "leave_system"),
    call!("open", "enter_open", "leave_call"),
    call!("openat", "enter_openat", "leave_call"),
    call!("openat2", "enter_openat2", "leave_call"),
    call!("creat", "enter_creat", "leave_call"),
    call!("open_by_handle_at", "enter_handle", "leave_handle"),
    call!("rename", "enter_rename", "leave_call"),
    call!("renameat", "enter_renameat", "leave_call"),
    call!("renameat2", "enter_renameat2", "leave_call"),
    call!("unlink", "enter_name", "leave_call"),
    call!("unlinkat", "enter_at_flags", "leave_call"),
    call!("rmdir", "enter_name", "leave_call"),
    call!("mkdir", "enter_name_mode", "leave_call"),
    call!("mkdirat", "enter_at_mode", "leave_call"),
    call!("chmod", "enter_name_mode", "leave_call"),
    call!("fchmod", "enter_fd_mode", "leave_call"),
    call!("fchmodat", "enter_at_mode", "leave_call"),
    call!("fchmodat2", "enter_at_mode_flags", "leave_call"),
    call!("link", "enter_rename", "leave_call"),
    call!("linkat", "enter_renameat2", "leave_call"),
    call!("symlink", "enter_rename", "leave_call"),
    call!("symlinkat", "enter_symlinkat", "leave_call"),
    call!("mknod", "enter_mknod", "leave_call"),
    call!("mknodat", "enter_mknodat", "leave_call"),
    call!("chown", "enter_chown", "leave_call"),
    call!("lchown", "enter_chown", "leave_call"),
    call!("fchown", "enter_fchown", "leave_call"),
    call!("fchownat", "enter_fchownat", "leave_call"),
    call!("truncate", "enter_truncate", "leave_call"),
    call!("ftruncate", "enter_ftruncate", "leave_call"),
    call!("utime", "enter_utime", "leave_call"),
    call!("utimes", "enter_utimes", "leave_call"),
    call!("futimesat", "enter_futimesat", "leave_call"),
    call!("utimensat", "enter_utimensat", "leave_call"),
    call!("setxattr", "enter_xattr", "leave_call"),
    call!("lsetxattr", "enter_xattr", "leave_call"),
    call!("fsetxattr", "enter_fxattr", "leave_call"),
    call!("setxattrat", "enter_xattrat", "leave_call"),
    call!("removexattr", "enter_xattr", "leave_call"),
    call!("lremovexattr", "enter_xattr", "leave_call"),
    call!("fremovexattr", "enter_fxattr", "leave_call"),
    call!("removexattrat", "enter_xattrat", "leave_call"),
    call!("connect", "enter_address", "leave_socket"),
    call!("bind", "enter_address", "leave_socket"),
    call!("listen", "enter_listen", "leave_socket"),
    call!("accept", "enter_accept", "leave_accept"),
    call!("accept4", "enter_accept", "leave_accept"),
    call!("sendto", "enter_sendto", "leave_send"),
    call!("sendmsg", "enter_sendmsg", "leave_send"),
    call!("sendmmsg", "enter_sendmmsg", "leave_sendmmsg"),
];

/// Every system call of every process.
pub const RAW: Hook =
    Hook { category: "raw_syscalls", event: "sys_enter", program: "enter_compat" };

/// Signals to the sensor.
pub const SIGNAL: Hook =
    Hook { category: "signal", event: "signal_generate", program: "signal_sent" };

/// Operations of io_uring, told when they begin: the first that this kernel has.
pub const URING: [Hook; 2] = [
    Hook { category: "io_uring", event: "io_uring_submit_req", program: "uring_submit" },
    // Before 6.3.
    Hook { category: "io_uring", event: "io_uring_submit_sqe", program: "uring_submit" },
];

/// A call that the sensor makes to see its context, and that every kernel and architecture
/// has.
pub const TRIAL: Hook =
    Hook { category: "syscalls", event: "sys_enter_fchmod", program: "probe_call" };

/// The same call, for a look at the kernel's memory.
pub const PEEK: Hook = Hook { program: "probe_memory", ..TRIAL };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::SYSCALLS as CALLS;

    fn name_of(enter: Hook) -> &'static str {
        match enter.event.trim_start_matches("sys_enter_") {
            "umount" => "umount2",
            name => name,
        }
    }

    /// What a relocation does is known of excluded processes too: none of its programs may be
    /// that of a call which is reported, since those drop calls.
    #[test]
    fn relocations_share_no_program_with_calls_that_are_reported() {
        use crate::syscalls::Effect;
        for (enter, leave) in SYSCALLS {
            let name = name_of(enter);
            let call = CALLS.iter().find(|call| call.name == name).unwrap();
            let expected = match call.effect {
                Effect::Report(_) => None,
                Effect::Relocate(_) => Some("leave_relocation"),
                Effect::Both(..) => Some("leave_namespaces"),
            };
            let keeps = ["leave_relocation", "leave_namespaces"];
            assert_eq!(keeps.into_iter().find(|keeps| *keeps == leave.program), expected, "{name}");
            let mut alike = SYSCALLS.iter().filter(|(other, _)| other.program == enter.program);
            assert!(
                alike.all(|(_, other)| {
                    keeps.contains(&other.program) == keeps.contains(&leave.program)
                }),
                "{name}"
            );
        }
    }

    /// Beyond its budget a process is told one of each of them, by a bit for each
    /// (`bpf/flood.h`).
    #[test]
    fn calls_that_move_have_bits_of_their_own() {
        use crate::source::ebpf::abi::record::MOTE_MOVE_CALLS;
        use crate::syscalls::{Arch, Effect};
        for arch in Arch::ALL {
            let moves = CALLS.iter().filter(|call| !matches!(call.effect, Effect::Report(_)));
            let numbers: Vec<u32> = moves.filter_map(|call| call.number(arch)).collect();
            let bits: std::collections::BTreeSet<u32> =
                numbers.iter().map(|number| number % MOTE_MOVE_CALLS).collect();
            assert_eq!(bits.len(), numbers.len(), "{numbers:?}");
            const { assert!(MOTE_MOVE_CALLS <= u64::BITS) };
        }
    }

    /// A call without a hook would be silently unseen, a hook without a number undecodable.
    #[test]
    fn hooks_and_numbers_name_the_same_calls() {
        let mut hooked: Vec<_> = SYSCALLS.iter().map(|(enter, _)| name_of(*enter)).collect();
        let mut known: Vec<_> = CALLS.iter().map(|call| call.name).collect();
        hooked.sort_unstable();
        known.sort_unstable();
        assert_eq!(hooked, known);
    }
}
