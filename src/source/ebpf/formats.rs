//! What the running kernel's tracepoints are like: which there are, and where their fields are.

use std::io;

use super::abi::record::mote_settings;
use super::hooks::{Hook, RAW, SIGNAL, TRIAL, URING};
use super::tracefs::{Format, Tracefs};

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
