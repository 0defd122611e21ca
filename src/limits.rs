//! Every capacity of the sensor: its unit and its reason.
//!
//! A full buffer is an outcome that is counted and reported, never a panic. A
//! capacity that is not here does not exist. Of those that a machine-size profile sets
//! (`sensor/profile.rs`), this is what `default` has, and of processes the most.

/// Longest absolute path an [`Event`](crate::event::Event) holds, in bytes: a working
/// directory and a name as long as the kernel part passes on. Longer ones are cut and
/// marked.
pub const PATH_BYTES: usize = 2048;

/// Longest path of an open descriptor that the kernel part passes on, in bytes: its
/// components, of which the last one begins within a name's room (`bpf/record.h`).
pub const OPENED_BYTES: usize = 1280;

/// Bytes of all arguments of one exec, each closed by a NUL. Kernel side:
/// `MOTE_ARGS_BYTES` in `bpf/record.h`.
pub const ARGS_BYTES: usize = 1023;

/// `TASK_COMM_LEN` without its NUL (linux `include/linux/sched.h`).
pub const COMM_BYTES: usize = 15;

/// The type of a mounted file system, or the name of one of its options, with its NUL. Kernel side:
/// `MOTE_WORD_BYTES` in `bpf/record.h`. The kernel's types fit; `fuse.` with a longer subtype and
/// longer options are cut, and marked.
pub const WORD_BYTES: usize = 12;

/// A container's id, in bytes: every runtime has 64 hexadecimal digits. The name of one that has
/// a name is that of a host, as a rule, and no longer either ([`HOSTNAME_BYTES`]); a longer one is
/// not told.
pub const CONTAINER_BYTES: usize = 64;

/// The beginning of `/proc/PID/cgroup` that is read, in bytes: a line for each of some 14
/// hierarchies.
pub const CGROUP_BYTES: usize = 4096;

/// `HOST_NAME_MAX` (linux `include/uapi/linux/utsname.h`, `__NEW_UTS_LEN`).
pub const HOSTNAME_BYTES: usize = 64;

/// One syslog message with its header, in bytes. rsyslog and its imuxsock cut at 8 KiB
/// by default (`maxMessageSize`); the rest is room for what a relay puts in front.
pub const LINE_BYTES: usize = 7936;

/// The header of RFC 5424 with the longest host name takes under 128, an octet count 5.
pub const SYSLOG_HEADER_BYTES: usize = 256;

/// Bytes of the encoded batch inside a line: base64 makes 4 of 3.
pub const BATCH_BYTES: usize = (LINE_BYTES - SYSLOG_HEADER_BYTES) / 4 * 3;

/// Events of one batch. Some make do with eight bytes, and what `mote decode` makes of a message has to
/// find room in an answer to rsyslog ([`ANSWER_BYTES`]): 2 KB of each event do.
pub const BATCH_EVENTS: usize = 480;

/// Process contexts (pid, tid, ids, names) that one batch can refer to.
pub const BATCH_ACTORS: usize = 128;

/// Directory and executable strings that one batch can refer to.
pub const BATCH_STRINGS: usize = 192;

/// Syslog messages that wait while the receiver is away, in [`LINE_BYTES`] each. Pages
/// of messages never queued are never resident. Of as many more, sent and perhaps not
/// read, only what they carried is remembered, 12 KiB in all.
pub const QUEUE_MESSAGES: usize = 128;

/// Messages that wait to be sent a second time ([`Receiver::repeat`](crate::sink::Receiver)): so few that
/// `mote decode` knows the second ones ([`DECODE_RECENT`]).
pub const REPEATED_MESSAGES: usize = 512;

/// Their bytes: of ten seconds at 10,000 events a second, of 20 bytes each.
pub const REPEATED_BYTES: usize = 2 << 20;

/// The longest time between a message and its repetition.
pub const REPEAT_SECONDS_MOST: u64 = 60;

/// Writes to a receiver before the rings and signals get their turn: a spool of hours must not hold
/// the loop while a fast receiver takes it.
pub const WRITES_PER_FLUSH: usize = 128;

/// Receivers of one sensor.
pub const RECEIVERS: usize = 4;

/// Events of a batch as messages of their own, made at once, in bytes: some fifty of JSON.
pub const EXPANDED_BYTES: usize = 64 << 10;

/// The most of them: the shortest has more bytes than this is a part of [`EXPANDED_BYTES`].
pub const EXPANDED_LINES: usize = 256;

/// Messages a second that systemd's journal is sent in the long run, and how many at once if there
/// were none before. With both it is less than 20,000 in 600 s, what rsyslog's imjournal takes of
/// all programs together (`Ratelimit.Burst`), and than 10,000 in 30 s, what journald takes of one
/// (`RateLimitBurst` of journald.conf(5)).
pub const JOURNAL_RATE: u32 = 30;

/// See [`JOURNAL_RATE`].
pub const JOURNAL_BURST: u32 = 1_800;

/// What a spool holds unless `mote run` is told: some 3.5 million renames, or 1.9 million events of the
/// installation of packages.
pub const SPOOL_MIB: u32 = 64;

/// The least: some files, and room for messages that are read again.
pub const SPOOL_MIB_LEAST: u32 = 1;

/// The most: to count what is in a file that is removed to make room, it is read, and has a part of
/// this.
pub const SPOOL_MIB_MOST: u32 = 4096;

/// Files of a log of the spool. A third of them, full, have all of its room: files that are not full
/// find a place too.
pub const SPOOL_FILES: usize = 192;

/// The least size at which the next file of a log of the spool is begun.
pub const SPOOL_FILE_BYTES_LEAST: u64 = 64 << 10;

/// Files of a log that could not be read and are kept.
pub const SPOOL_SET_ASIDE: usize = 4;

/// What of each log is sent again to a receiver that ended and is back, in messages: with those
/// that are not known to be read, no more than `mote decode` knows again ([`DECODE_RECENT`]).
pub const SPOOL_RESENT_MESSAGES: u64 = 128;

/// Steps in which it is known when these were delivered: forty of a quarter of a second, and sixteen
/// of as many parts of the messages.
pub const SPOOL_RESENT_ENTRIES: usize = 64;

/// Processes the sensor knows at the same time. More are resolved from /proc, if they
/// still live, and counted.
pub const PROCESSES: usize = 4096;

/// Processes that ended last, to know an end that two of their threads tell: these come
/// within microseconds, so fewer processes end in between than there are CPUs.
pub const PROCESSES_ENDED: usize = CPUS;

/// Distinct executables, working directories and containers of all known processes.
pub const PROCESS_STRINGS: usize = 1024;

/// Longest of them, in bytes. A longer one is read from /proc when it is needed.
pub const PROCESS_STRING_BYTES: usize = 1024;

/// Ancestors of a process that are looked at for an exclusion with descendants: more than any
/// process has.
pub const GENERATIONS: usize = 64;

/// The longest configuration file, in bytes. A longer one is no configuration.
pub const CONFIGURATION_BYTES: u64 = 1 << 20;

/// Exclusions of the configuration.
pub const EXCLUSIONS: usize = 1024;

/// Places for excluded processes in the kernel part, by the low bits of their ids: of two in one
/// place one is excluded. As many as [`PROCESSES`], so that few share one. Kernel side:
/// `MOTE_PROGRAM_SLOTS` in `bpf/record.h`.
pub const EXCLUDED_PLACES: usize = 4096;

/// Processes by which the kernel part counts what it does not send, until they are gone. What is
/// not sent of more than these is counted without them. Kernel side: `MOTE_UNSENT_SLOTS`.
pub const UNSENT_PROCESSES: usize = 1024;

/// File and network events that are told of a process, a second, unless `mote run` is given another
/// number: twice what tar unpacks into memory (`docs/operating.md`), and less than a tenth of what the
/// sensor takes with a CPU of its own.
pub const BULK_BUDGET: u32 = 100_000;

/// The most that it can be given: more than a CPU makes.
pub const BULK_BUDGET_MOST: u32 = 10_000_000;

/// How long, in nanoseconds, a process may move unseen once its budget is had: the window of it.
/// Kernel side: `MOTE_BULK_WINDOW_LOG2_NS`.
pub const MOVES_UNSEEN_NS: u64 = 1 << 30;

/// Processes that are remembered when the table has no room for them, since others can change their
/// directories; 8 bytes each. A power of two.
pub const STRAYS: usize = 1024;

/// Places for processes with such a budget, by a hash of their ids: of two in one place only the
/// events of one are counted. Kernel side: `MOTE_FLOOD_PLACES`.
pub const BUDGET_PLACES: usize = 4096;

/// Processes with more events than that, until it is reported four times a second. As many as are
/// counted apart ([`UNSENT_PROCESSES`]); what more there are is reported without them. A power of
/// two.
pub const SUPPRESSED_PROCESSES: usize = 1024;

/// The last of them that are remembered for `mote health`: an administrator looks at a few.
pub const FLOODS: usize = 8;

/// A CPU's ring of process and system events, in bytes: some 800 execs with their
/// arguments, between two ticks. A power of two of pages, as every ring.
pub const PRIORITY_RING_BYTES: usize = 128 << 10;

/// A CPU's ring of file and network events, in bytes: some 1,500 of them.
pub const BULK_RING_BYTES: usize = 256 << 10;

/// The least that a ring is shrunk to, in bytes: four of the longest records.
pub const RING_BYTES_LEAST: usize = 16 << 10;

/// The rings of all CPUs take one part in this many of the host's memory, at most: 1 MiB of 64.
pub const RING_MEMORY_DIVISOR: u64 = 64;

/// A ring wakes the sensor when it is filled to one part in this many.
pub const RING_WATERMARK_DIVISOR: usize = 4;

/// The end of what libbpf and the verifier say when they refuse the programs: some hundred
/// instructions before the one that was refused.
pub const LIBBPF_LOG_BYTES: usize = 8 << 10;

/// The end of what the verifier says of one program that it takes, for the tests that ask for it.
pub const VERIFIED_LOG_BYTES: usize = 256 << 10;

/// Records taken from the rings before signals and the sink get their turn.
pub const RECORDS_PER_TURN: usize = 4096;

/// What is asked for as the room of the process connector's socket, in bytes. The kernel
/// doubles it, and a message takes some 800 of them, of its memory: some 10,000 messages,
/// and no memory while there are none.
pub const CONNECTOR_SOCKET_BYTES: usize = 4 << 20;

/// Messages of the process connector that wait to be handled, of 56 bytes. Most take a
/// microsecond, an exec some 50: it is looked up in /proc. A power of two.
pub const CONNECTOR_MESSAGES: usize = 8192;

/// The longest datagram of the process connector that is read, in bytes. An event has 76.
pub const CONNECTOR_DATAGRAM_BYTES: usize = 4096;

/// CPUs of whose messages the numbers are looked at: as many as any kernel is built for
/// (`NR_CPUS`).
pub const CONNECTOR_CPUS: usize = 8192;

/// Gaps in the numbers of the process connector's messages that may still be filled. Those
/// of 3.10 are, by one message each, from every CPU that was interrupted.
pub const CONNECTOR_GAPS: usize = 64;

/// Messages of the process connector handled before signals and the sink get their turn.
pub const MESSAGES_PER_TURN: usize = 512;

/// Losses told apart until they are reported: of two rings on every CPU, in three places,
/// and of the places that have no CPU. A power of two.
pub const LOSS_KEYS: usize = 2048;

/// File paths counted apart for statistics: no path with more than a 512th of all events is
/// missed, and the ten most frequent ones are wanted. In 1 MiB while they are counted.
pub const STATISTICS_PATHS: usize = 512;

/// Initiators, the executables of processes, counted apart for statistics: as many as are
/// known at a time ([`PROCESS_STRINGS`]), so that their counts are exact on most hosts. In
/// 2 MiB while they are counted.
pub const STATISTICS_INITIATORS: usize = 1024;

/// CPUs whose rings are read. Beyond, the sensor refuses to start rather than be blind
/// on some.
pub const CPUS: usize = 256;

/// Lines of its own log that a sensor keeps, for syslog and the support bundle.
pub const LOG_LINES: usize = 128;

/// The longest of them that is kept, in bytes. The verifier's words are longer, and go to
/// standard error only.
pub const LOG_LINE_BYTES: usize = 1024;

/// System call numbers that are counted, from 0: more than any architecture has.
pub const STATISTICS_SYSCALLS: usize = 511;

/// Processes that are to be excluded in the kernel, between two turns. One that finds no
/// room is noted again by its next event.
pub const NEWLY_EXCLUDED: usize = 64;

/// eBPF providers that are being detached at a time, which takes each some ten seconds: more
/// only where somebody switches all the time, who then waits.
pub const RETIRING: usize = 4;

/// The longest watch of `mote diagnostic ebpf-statistics`, in seconds.
pub const STATISTICS_SECONDS: u32 = 3600;

/// The most paths and calls that it tells.
pub const STATISTICS_TOP: u32 = 512;

/// Clients of the control socket at a time. Further ones wait in the listener's queue.
pub const CONTROL_CLIENTS: usize = 8;

/// The longest request of a client, in bytes: an exclusion of the longest path, every byte of
/// it escaped.
pub const CONTROL_REQUEST_BYTES: usize = 16 << 10;

/// The longest name of a field in the Elastic Common Schema and below `mote`, with those of the
/// objects that it is in, in bytes: `process.session_leader.entity_id` has 32.
pub const FIELD_NAME_BYTES: usize = 64;

/// The longest value of a field, in bytes, before it is escaped: a path, where U+FFFD takes the
/// place of every byte.
pub const FORMAT_VALUE_BYTES: usize = 3 * PATH_BYTES;

/// What CEF has of the exact bytes of an event's fields, in hex: its five paths, the last parts of
/// two of them, and less than a path of the rest and of names.
pub const FORMAT_EXACT_BYTES: usize = 2 * (5 + 2 + 1) * PATH_BYTES;

/// The longest part of a line of text, in bytes: what the action has. Each byte of three paths and
/// of the arguments may be written in four, and what else there is takes less than a path.
pub const FORMAT_PART_BYTES: usize = 4 * (3 + 1) * PATH_BYTES;

/// What is left of each string of an event whose line of text would not fit a message, in bytes,
/// if nothing longer does. In the worst one, the OCSF document of an exec that failed, a byte of
/// each takes 106: each name stands there once to six times, in six bytes (`\u0001`), and once
/// more in hex. With all else, some 4,260, 32 would fit; with 30 there is room for another field.
pub const SHORTENED_BYTES: usize = 30;

/// The longest line that `mote decode` reads, in bytes: a relay may have put anything in
/// front of a record. Longer ones are cut.
pub const DECODE_LINE_BYTES: usize = 64 * 1024;

/// Events of a batch of version 2 that are read, by the format: more than a sensor puts into one
/// ([`BATCH_EVENTS`]) or ever will into a message, where none takes less than three bytes.
pub const DECODE_EVENTS: u64 = 4096;

/// The most that events take of an answer to rsyslog's `mmexternal`, in bytes: less than the 1 MiB
/// that rsyslog is told to take (`maxMessageSize`), with room for what is said of the rest. A
/// message of a sensor makes half of that; one made to be large could make 30 MB, and a line of 64 KiB
/// 270 MB.
pub const ANSWER_BYTES: usize = 1_000_000;

/// What is read of the end of a file of events, in bytes, to know what rsyslogd wrote before it was
/// ended: twice what it makes of the longest answer ([`ANSWER_BYTES`]), with blanks and `\/`.
pub const WRITTEN_BYTES: u64 = 4 << 20;

/// Batches of a class of one run of a sensor that `mote decode` remembers, to know one that was sent
/// again: more than a sensor may send again ([`QUEUE_MESSAGES`], [`SPOOL_RESENT_MESSAGES`],
/// [`REPEATED_MESSAGES`]), with what was between a message and its repetition. Behind two relays that
/// were restarted under a flood that was up to 800 (`make chain`).
pub const DECODE_RECENT: usize = 2048;

/// Classes of runs of sensors whose batches it remembers, 16 KiB each: 128 MiB at most, and twice as much
/// in a file (`mote decode --recent`). A host has two at a time.
pub const DECODE_STREAMS: usize = 8192;

/// The longest answer of the kernel's audit that is read, in bytes: a rule, with texts of
/// which each has up to `PATH_MAX` (4,096) bytes.
pub const AUDIT_DATAGRAM_BYTES: usize = 64 * 1024;

/// Rules of the kernel's audit that are read. Hosts have some hundred.
pub const AUDIT_RULES: usize = 8192;

/// How much is read of a file of the host's (of audit, of cron, of a bundle), in bytes.
pub const HOST_FILE_BYTES: u64 = 1 << 20;
