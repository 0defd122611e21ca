//! Every capacity of the sensor: its unit and its reason.
//!
//! A full buffer is an outcome that is counted and reported, never a panic. A
//! capacity that is not here does not exist.

/// Longest absolute path an [`Event`](crate::event::Event) holds, in bytes: a working
/// directory and a name as long as the kernel part passes on. Longer ones are cut and
/// marked.
pub const PATH_BYTES: usize = 2048;

/// Bytes of all arguments of one exec, each closed by a NUL. Kernel side:
/// `MOTE_ARGS_BYTES` in `bpf/record.h`.
pub const ARGS_BYTES: usize = 1024;

/// `TASK_COMM_LEN` without its NUL (linux `include/linux/sched.h`).
pub const COMM_BYTES: usize = 15;

/// `HOST_NAME_MAX` (linux `include/uapi/linux/utsname.h`, `__NEW_UTS_LEN`).
pub const HOSTNAME_BYTES: usize = 64;

/// One syslog message with its header, in bytes. rsyslog and its imuxsock cut at 8 KiB
/// by default (`maxMessageSize`); the rest is room for what a relay puts in front.
pub const LINE_BYTES: usize = 7936;

/// Bytes of the encoded batch inside a line: base64 makes 4 of 3, and the header of
/// RFC 5424 with the longest host name takes under 256.
pub const BATCH_BYTES: usize = (LINE_BYTES - 256) / 4 * 3;

/// Process contexts (pid, tid, ids, names) that one batch can refer to.
pub const BATCH_ACTORS: usize = 128;

/// Directory and executable strings that one batch can refer to.
pub const BATCH_STRINGS: usize = 192;

/// Syslog messages that wait while the receiver is away, in [`LINE_BYTES`] each. Pages
/// of messages never queued are never resident.
pub const QUEUE_MESSAGES: usize = 128;

/// Processes the sensor knows at the same time. More are resolved from /proc, if they
/// still live, and counted.
pub const PROCESSES: usize = 4096;

/// Distinct executables and working directories of all known processes.
pub const PROCESS_STRINGS: usize = 1024;

/// Exclusions of the configuration.
pub const EXCLUSIONS: usize = 1024;

/// CPUs whose rings are read. Beyond, the sensor refuses to start rather than be blind
/// on some.
pub const CPUS: usize = 256;

/// The longest line that `mote decode` reads, in bytes: a relay may have put anything in
/// front of a record. Longer ones are cut.
pub const DECODE_LINE_BYTES: usize = 64 * 1024;
