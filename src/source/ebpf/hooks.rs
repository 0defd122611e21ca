//! Which program is attached to which tracepoint.

use std::io;

use super::abi::record::mote_settings;
use super::tracefs::{Format, Tracefs};

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
pub const SYSCALLS: [(Hook, Hook); 82] = [
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

/// A tracepoint that cannot be used as the programs need it.
#[derive(Debug)]
pub enum FormatError {
    /// This kernel does not have it.
    Absent(&'static str),
    /// Reading it failed.
    Read(&'static str, io::Error),
    /// It lacks a field, or has it elsewhere than the programs read it.
    Layout(&'static str, &'static str),
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FormatError::Absent(event) => write!(f, "this kernel has no tracepoint {event}"),
            FormatError::Read(event, error) => {
                write!(f, "the format of tracepoint {event} could not be read: {error}")
            }
            FormatError::Layout(event, field) => {
                write!(f, "tracepoint {event} has no field {field} where it is expected")
            }
        }
    }
}

/// Where the fields of the process tracepoints are on this kernel.
pub fn settings(tracefs: &Tracefs) -> Result<mote_settings, FormatError> {
    let mut settings = mote_settings::default();
    let exec = required(tracefs, "sched", "sched_process_exec")?;
    settings.exec_filename_offset = offset(&exec, "sched_process_exec", "filename")?;
    let newtask = required(tracefs, "task", "task_newtask")?;
    settings.newtask_pid_offset = offset(&newtask, "task_newtask", "pid")?;
    settings.newtask_clone_flags_offset = offset(&newtask, "task_newtask", "clone_flags")?;
    let exit = required(tracefs, "sched", "sched_process_exit")?;
    // 6.18 has it, 6.12 does not.
    settings.exit_group_dead_offset = exit.field("group_dead").map_or(0, |f| f.offset_bytes);
    if let Some(format) = read(tracefs, SIGNAL.category, SIGNAL.event)? {
        settings.signal_number_offset = offset(&format, SIGNAL.event, "sig")?;
        settings.signal_code_offset = offset(&format, SIGNAL.event, "code")?;
        settings.signal_pid_offset = offset(&format, SIGNAL.event, "pid")?;
    }
    if let Some(format) = read(tracefs, RAW.category, RAW.event)? {
        settings.raw_number_offset = offset(&format, RAW.event, "id")?;
        settings.raw_args_offset = offset(&format, RAW.event, "args")?;
    }
    if let Some((_, format)) = uring(tracefs)? {
        let offset = |name| format.field(name).map_or(0, |field| field.offset_bytes);
        settings.uring_opcode_offset = offset("opcode");
        settings.uring_request_offset = offset("req");
        settings.uring_flags_offset = offset("flags");
    }
    Ok(settings)
}

/// What tells of io_uring's operations. `None`: this kernel has no io_uring, or does not tell which
/// operation it is (before 5.5).
pub fn uring(tracefs: &Tracefs) -> Result<Option<(Hook, Format)>, FormatError> {
    for hook in URING {
        if let Some(format) = read(tracefs, hook.category, hook.event)?
            && format.field("opcode").is_some()
        {
            return Ok(Some((hook, format)));
        }
    }
    Ok(None)
}

/// A call that the sensor makes to see its context, and that every kernel and architecture
/// has.
pub const TRIAL: Hook =
    Hook { category: "syscalls", event: "sys_enter_fchmod", program: "probe_call" };

/// The same call, for a look at the kernel's memory.
pub const PEEK: Hook = Hook { program: "probe_memory", ..TRIAL };

/// Whether programs of system calls can be preempted. Kernels that let them also read names
/// for the trace buffer, which their formats show (both came between 6.19 and 7.2).
pub fn calls_are_preemptible(tracefs: &Tracefs) -> Result<bool, FormatError> {
    let openat = required(tracefs, "syscalls", "sys_enter_openat")?;
    Ok(openat.field("__filename_val").is_some())
}

/// Whether execve has its tracepoints.
pub fn has_execve(tracefs: &Tracefs) -> Result<bool, FormatError> {
    Ok(read(tracefs, "syscalls", "sys_enter_execve")?.is_some())
}

/// Whether the system calls of this kernel are [usual](is_usual): one stands for all.
pub fn calls_are_usual(tracefs: &Tracefs) -> Result<bool, FormatError> {
    let trial = required(tracefs, TRIAL.category, TRIAL.event)?;
    Ok(is_usual(&trial))
}

/// Whether a `syscalls:*` tracepoint has its number, and its first argument or result,
/// where `struct call_context` of `bpf/kernel.h` has them.
pub fn is_usual(format: &Format) -> bool {
    // 3.10 calls it `nr`.
    let number = format.field("__syscall_nr").or(format.field("nr"));
    number.is_some_and(|field| field.offset_bytes == 8)
        && format.field_after(8).is_none_or(|field| field.offset_bytes == 16)
}

fn read(
    tracefs: &Tracefs,
    category: &str,
    event: &'static str,
) -> Result<Option<Format>, FormatError> {
    tracefs.format(category, event).map_err(|error| FormatError::Read(event, error))
}

fn required(tracefs: &Tracefs, category: &str, event: &'static str) -> Result<Format, FormatError> {
    read(tracefs, category, event)?.ok_or(FormatError::Absent(event))
}

fn offset(format: &Format, event: &'static str, field: &'static str) -> Result<u32, FormatError> {
    format.field(field).map(|f| f.offset_bytes).ok_or(FormatError::Layout(event, field))
}

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

    /// A call without a hook would be silently unseen, a hook without a number undecodable.
    #[test]
    fn hooks_and_numbers_name_the_same_calls() {
        let mut hooked: Vec<_> = SYSCALLS.iter().map(|(enter, _)| name_of(*enter)).collect();
        let mut known: Vec<_> = CALLS.iter().map(|call| call.name).collect();
        hooked.sort_unstable();
        known.sort_unstable();
        assert_eq!(hooked, known);
    }

    /// Formats as those kernels printed them: offsets of the file name, the new task's id and
    /// flags, and `group_dead`.
    #[test]
    fn fields_are_found_on_every_kernel() {
        for (kernel, group_dead) in [
            ("3.10.0-1160.el7", 0),
            ("4.15.0", 0),
            ("4.18.0-147.el8", 0),
            ("5.4.59", 0),
            ("5.14.2", 0),
            ("6.1.192-debian", 0),
            ("6.18-nokprobes", 32),
            ("7.2.13-debian", 32),
        ] {
            let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tracefs");
            let tracefs = Tracefs::at(format!("{dir}/{kernel}").into());
            let settings = settings(&tracefs).unwrap();
            assert_eq!(settings.exec_filename_offset, 8, "{kernel}");
            assert_eq!(settings.newtask_pid_offset, 8, "{kernel}");
            assert_eq!(settings.newtask_clone_flags_offset, 32, "{kernel}");
            assert_eq!(settings.exit_group_dead_offset, group_dead, "{kernel}");
            let openat = tracefs.format("syscalls", "sys_enter_openat").unwrap().unwrap();
            assert!(is_usual(&openat), "{kernel}");
            assert_eq!(calls_are_preemptible(&tracefs).unwrap(), kernel.starts_with('7'));
        }
    }

    /// The operation, its request and its flags in the record, where the kernel tells them.
    #[test]
    fn io_uring_is_found_under_both_names() {
        let uring = |kernel: &str| {
            let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tracefs");
            let found = uring(&Tracefs::at(format!("{dir}/{kernel}").into())).unwrap();
            found.map(|(hook, format)| {
                let offset = |name| format.field(name).map(|field| field.offset_bytes);
                (hook.event, ["opcode", "req", "flags"].map(offset))
            })
        };
        let (new, old) = ("io_uring_submit_req", "io_uring_submit_sqe");
        for (kernel, expected) in [
            ("5.4.59", None),
            ("5.8.1", Some((old, [Some(16), None, None]))),
            ("5.14.2", Some((old, [Some(24), Some(16), Some(40)]))),
            ("6.1.192-debian", Some((old, [Some(32), Some(16), Some(36)]))),
            ("6.18-nokprobes", Some((new, [Some(32), Some(16), Some(40)]))),
            ("7.2.13-debian", Some((new, [Some(32), Some(16), Some(40)]))),
        ] {
            assert_eq!(uring(kernel), expected, "{kernel}");
        }
    }

    #[test]
    fn a_tracepoint_that_is_not_there_is_told_so() {
        let empty = tempfile::tempdir().unwrap();
        let error = settings(&Tracefs::at(empty.path().into())).unwrap_err();
        assert_eq!(error.to_string(), "this kernel has no tracepoint sched_process_exec");
    }

    /// RHEL 9.3 and later, whose records all begin with one more field.
    #[test]
    fn a_longer_entry_moves_every_field() {
        let exec = Format::parse(
            "name: sched_process_exec\nID: 310\nformat:\n\
             \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\
             \tfield:unsigned char common_preempt_lazy_count;\toffset:8;\tsize:1;\tsigned:0;\n\n\
             \tfield:__data_loc char[] filename;\toffset:12;\tsize:4;\tsigned:1;\n",
        )
        .unwrap();
        assert_eq!(offset(&exec, "sched_process_exec", "filename").unwrap(), 12);
        let connect = Format::parse(
            "name: sys_enter_connect\nID: 1\nformat:\n\
             \tfield:unsigned char common_preempt_lazy_count;\toffset:8;\tsize:1;\tsigned:0;\n\n\
             \tfield:int __syscall_nr;\toffset:12;\tsize:4;\tsigned:1;\n\
             \tfield:int fd;\toffset:16;\tsize:8;\tsigned:0;\n",
        )
        .unwrap();
        assert!(!is_usual(&connect));
    }

    #[test]
    fn a_layout_that_the_programs_do_not_read_is_refused() {
        let layout = |number, argument| {
            let text = format!(
                "ID: 1\n\tfield:int __syscall_nr;\toffset:{number};\tsize:4;\n\
                 \tfield:long ret;\toffset:{argument};\tsize:8;"
            );
            is_usual(&Format::parse(&text).unwrap())
        };
        assert!(layout(8, 16));
        assert!(!layout(8, 24));
        assert!(!layout(16, 24));
    }
}
