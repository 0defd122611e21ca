//! The vocabulary that every stage shares: one event, with room for its largest kind.
//!
//! An [`Event`] is made once and reused. Strings are bytes as the kernel had them, not
//! UTF-8. What was cut or could not be known is said in [`Truncated`] and [`Flags`].

use crate::limits::{ARGS_BYTES, COMM_BYTES, PATH_BYTES};
use core::net::{Ipv4Addr, Ipv6Addr};

/// Bytes with a fixed capacity.
pub type Bytes<const N: usize> = heapless::Vec<u8, N>;

/// `AT_FDCWD` (linux `include/uapi/linux/fcntl.h`): a relative name starts at the
/// working directory.
pub const AT_FDCWD: i32 = -100;

/// What happened. The numbers are part of the record format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// A program was executed (execve, execveat), or the attempt failed.
    Exec = 1,
    /// A process was created (fork, vfork, clone, clone3); threads are left out.
    Fork = 2,
    /// A process ended.
    Exit = 3,
    /// A file was opened to be written or created.
    Open = 32,
    /// A name was changed.
    Rename = 33,
    /// A name was removed.
    Unlink = 34,
    /// A directory was removed.
    Rmdir = 35,
    /// A directory was created.
    Mkdir = 38,
    /// Permission bits were changed.
    Chmod = 40,
    /// A socket was connected, or the attempt failed.
    Connect = 64,
    /// Events are missing from here on: how many, and where they were lost.
    Loss = 96,
}

/// Which ring an action travels on, and what is kept longest when room runs out. The
/// numbers are part of the record format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// Process, privilege and system events, and the sensor's own records.
    Priority = 0,
    /// File and network events.
    Bulk = 1,
}

impl Class {
    /// Every class, in the order of its number.
    pub const ALL: [Class; 2] = [Class::Priority, Class::Bulk];

    /// The class of this number.
    pub fn from_number(number: u8) -> Option<Class> {
        Class::ALL.into_iter().find(|class| *class as u8 == number)
    }
}

impl Action {
    /// Every action, in the order of its number.
    pub const ALL: [Action; 11] = [
        Action::Exec,
        Action::Fork,
        Action::Exit,
        Action::Open,
        Action::Rename,
        Action::Unlink,
        Action::Rmdir,
        Action::Mkdir,
        Action::Chmod,
        Action::Connect,
        Action::Loss,
    ];

    /// The action of this number, if this version knows it.
    pub fn from_number(number: u8) -> Option<Action> {
        Action::ALL.into_iter().find(|action| *action as u8 == number)
    }

    /// The name in `event.action`.
    pub fn name(self) -> &'static str {
        match self {
            Action::Exec => "exec",
            Action::Fork => "fork",
            Action::Exit => "exit",
            Action::Open => "open",
            Action::Rename => "rename",
            Action::Unlink => "unlink",
            Action::Rmdir => "rmdir",
            Action::Mkdir => "mkdir",
            Action::Chmod => "chmod",
            Action::Connect => "connect",
            Action::Loss => "loss",
        }
    }

    /// Which ring and which batch it belongs to.
    pub fn class(self) -> Class {
        match self as u8 {
            32..=95 => Class::Bulk,
            _ => Class::Priority,
        }
    }
}

/// A change of what a process's names mean. It is applied to what follows, not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// It works in the directory `path`, or, if that is empty, in its descriptor `dirfd`.
    Directory,
    /// It has another root directory.
    Root,
    /// It has namespaces of its own: `call_flags` are the `CLONE_*` of unshare(2), `None`
    /// whatever setns(2) was given.
    Namespaces,
}

/// A set of bits with a name each, as it travels in a record.
macro_rules! bit_set {
    ($(#[$doc:meta])* $set:ident { $($(#[$bit_doc:meta])* $bit:ident = $shift:literal, $name:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $set(pub u16);

        impl $set {
            $($(#[$bit_doc])* pub const $bit: $set = $set(1 << $shift);)*

            /// Whether every bit of `other` is set.
            pub fn contains(self, other: $set) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether no bit is set.
            pub fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Sets the bits of `other`.
            pub fn insert(&mut self, other: $set) {
                self.0 |= other.0;
            }

            /// The names of the bits that are set; bits that this version does not know
            /// have none.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                [$(($set::$bit, $name)),*]
                    .into_iter()
                    .filter(move |(bit, _)| self.contains(*bit))
                    .map(|(_, name)| name)
            }
        }
    };
}

bit_set! {
    /// What a reader has to know to trust an event as far as it goes and no further.
    Flags {
        /// A relative name whose directory could not be known: `path` is not absolute.
        PATH_RELATIVE = 0, "path_relative";
        /// The same for the old name of a rename.
        FROM_RELATIVE = 1, "from_relative";
        /// A name could not be read from the caller's memory: `path` is empty or partial.
        PATH_UNREAD = 2, "path_unread";
        /// The same for the old name of a rename.
        FROM_UNREAD = 3, "from_unread";
        /// Some arguments could not be read from the caller's memory.
        ARGS_UNREAD = 4, "args_unread";
        /// A name was read when the system call returned, not when it was entered.
        READ_LATE = 5, "read_late";
        /// The result is not known: the event was sent before the call returned.
        RESULT_UNKNOWN = 6, "result_unknown";
        /// The path may name another file than it says: it has `..` behind what may be a
        /// symbolic link, or where it starts was found out after the event, or not at all.
        PATH_UNRESOLVED = 7, "path_unresolved";
        /// The address could not be read from the caller's memory.
        ADDRESS_UNREAD = 8, "address_unread";
        /// `executable` is what could be found out after the event, or comes from a path
        /// that was in doubt itself.
        EXECUTABLE_UNRESOLVED = 9, "executable_unresolved";
        /// The process has another root directory or mount namespace than the host: names
        /// are as it sees them.
        OTHER_ROOT = 10, "other_root";
        /// The process is in a user namespace of its own, in which any user can mount
        /// anything anywhere.
        USER_NAMESPACE = 11, "user_namespace";
        /// A signal interrupted the call. The kernel may have started it again: then another
        /// event has its result.
        INTERRUPTED = 12, "interrupted";
    }
}

bit_set! {
    /// Which fields were cut at their capacity.
    Truncated {
        /// `path`.
        PATH = 0, "file.path";
        /// `from`.
        FROM = 1, "file.Ext.original.path";
        /// `args`: cut inside an argument, or arguments left out.
        ARGS = 2, "process.args";
        /// `executable`.
        EXECUTABLE = 3, "process.executable";
        /// `peer`: a unix address.
        ADDRESS = 4, "destination.address";
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// IPv4 address and port.
    V4(Ipv4Addr, u16),
    /// IPv6 address and port.
    V6(Ipv6Addr, u16),
    /// A unix socket: its name is the event's `path`, an abstract one begins with NUL.
    Unix,
    /// Another address family, by its number (`AF_*`, linux `include/linux/socket.h`).
    Other(u16),
}

/// The transport below a connection, where the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transport {
    /// Not told.
    Unknown = 0,
    /// TCP.
    Tcp = 6,
}

/// Where events were lost. The numbers are part of the record format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LossPlace {
    /// A perf ring was full (`PERF_RECORD_LOST`, or `ENOSPC` from the output helper).
    RingFull = 1,
    /// The output helper failed for another reason.
    RingOutput = 2,
    /// The kernel skipped a program because another one was running on that CPU, and
    /// counted it (`bpf_prog_info.recursion_misses`; older kernels do not).
    ProgramSkipped = 3,
    /// A ring record was not of the agreed shape.
    Malformed = 4,
    /// The queue to syslog was full.
    SyslogQueue = 5,
    /// The receiver refused a message for its size or form.
    SyslogRefused = 6,
    /// A process found no place in the process table: its later events lack what only
    /// the table knows. No event was lost.
    ProcessTable = 7,
    /// An event was larger than a batch.
    BatchFull = 8,
}

impl LossPlace {
    /// Every place, in the order of its number.
    pub const ALL: [LossPlace; 8] = [
        LossPlace::RingFull,
        LossPlace::RingOutput,
        LossPlace::ProgramSkipped,
        LossPlace::Malformed,
        LossPlace::SyslogQueue,
        LossPlace::SyslogRefused,
        LossPlace::ProcessTable,
        LossPlace::BatchFull,
    ];

    /// The place of this number, if this version knows it.
    pub fn from_number(number: u8) -> Option<LossPlace> {
        LossPlace::ALL.into_iter().find(|place| *place as u8 == number)
    }

    /// The name in `mote.lost.where`.
    pub fn name(self) -> &'static str {
        match self {
            LossPlace::RingFull => "ring_full",
            LossPlace::RingOutput => "ring_output",
            LossPlace::ProgramSkipped => "program_skipped",
            LossPlace::Malformed => "malformed",
            LossPlace::SyslogQueue => "syslog_queue",
            LossPlace::SyslogRefused => "syslog_refused",
            LossPlace::ProcessTable => "process_table",
            LossPlace::BatchFull => "batch_full",
        }
    }
}

/// The fields of a loss record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where they were lost.
    pub place: LossPlace,
    /// Which ring or batch, where the place has one.
    pub class: Option<Class>,
    /// Which CPU's ring, where the place has one.
    pub cpu: Option<u16>,
    /// How many since the last loss record of the same place, ring and CPU.
    pub count: u64,
}

impl Loss {
    /// How many events are missing. A full process table loses knowledge, not events.
    pub fn events(&self) -> u64 {
        match self.place {
            LossPlace::ProcessTable => 0,
            _ => self.count,
        }
    }
}

/// One event. Fields that its action does not have are empty or `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number of the event since the sensor started, from 1; 0 before it has one.
    pub sequence: u64,
    /// `CLOCK_MONOTONIC`, in nanoseconds. After decoding a record: Unix time.
    pub time_ns: u64,
    /// What happened.
    pub action: Action,
    /// Process (thread group) id in the initial pid namespace. Of a fork: the child's.
    pub pid: u32,
    /// Thread id. Of a fork: the child's.
    pub tid: u32,
    /// Parent's process id, where known.
    pub ppid: Option<u32>,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Real group id in the initial user namespace.
    pub gid: u32,
    /// The thread's name.
    pub comm: Bytes<COMM_BYTES>,
    /// The path that the process executed, as the kernel was given it, made absolute;
    /// for processes older than the sensor, `/proc/PID/exe`. Empty: unknown.
    pub executable: Bytes<PATH_BYTES>,
    /// System call number of the host's architecture, where there was one.
    pub syscall: Option<u32>,
    /// What it returned: a result, or a negated errno. Of a fork: the child's pid.
    pub ret: Option<i64>,
    /// What could not be known.
    pub flags: Flags,
    /// What was cut.
    pub truncated: Truncated,
    /// Exec: arguments, each closed by a NUL, the last one perhaps cut.
    pub args: Bytes<ARGS_BYTES>,
    /// Exec: how many arguments there were, in `args` or not, where known.
    pub args_count: Option<u32>,
    /// Exit: the status as wait(2) gives it.
    pub exit_status: Option<u32>,
    /// The file acted on; of a rename the new name; of a unix connect the socket's name;
    /// of an exec the path that was executed.
    pub path: Bytes<PATH_BYTES>,
    /// Rename: the old name.
    pub from: Bytes<PATH_BYTES>,
    /// Directory that a relative `path` starts at: a descriptor of the process or
    /// [`AT_FDCWD`]. For fchmod the file itself. Not in records.
    pub dirfd: i32,
    /// The same for `from`.
    pub from_dirfd: i32,
    /// open: `O_*`; rename: `RENAME_*`; unlink: `AT_*`. Not in records: fork: `CLONE_*`.
    pub call_flags: Option<u32>,
    /// Permission bits given to open, mkdir or chmod.
    pub mode: Option<u32>,
    /// Connect: where to.
    pub peer: Option<Endpoint>,
    /// Connect: over what.
    pub transport: Transport,
    /// Loss: what is missing.
    pub loss: Option<Loss>,
}

impl Event {
    /// An event with nothing in it.
    pub const fn new() -> Event {
        Event {
            sequence: 0,
            time_ns: 0,
            action: Action::Loss,
            pid: 0,
            tid: 0,
            ppid: None,
            uid: 0,
            gid: 0,
            comm: Bytes::new(),
            executable: Bytes::new(),
            syscall: None,
            ret: None,
            flags: Flags(0),
            truncated: Truncated(0),
            args: Bytes::new(),
            args_count: None,
            exit_status: None,
            path: Bytes::new(),
            from: Bytes::new(),
            dirfd: AT_FDCWD,
            from_dirfd: AT_FDCWD,
            call_flags: None,
            mode: None,
            peer: None,
            transport: Transport::Unknown,
            loss: None,
        }
    }

    /// How many events a reader does not learn of without this one: a loss record tells
    /// of all that it counts.
    pub fn if_lost(&self) -> u64 {
        self.loss.map_or(1, |loss| loss.events().max(1))
    }

    /// Empties every field, in place: an `Event` is too large to be copied per event.
    pub fn clear(&mut self) {
        let Event {
            sequence,
            time_ns,
            action,
            pid,
            tid,
            ppid,
            uid,
            gid,
            comm,
            executable,
            syscall,
            ret,
            flags,
            truncated,
            args,
            args_count,
            exit_status,
            path,
            from,
            dirfd,
            from_dirfd,
            call_flags,
            mode,
            peer,
            transport,
            loss,
        } = self;
        (*sequence, *time_ns, *action) = (0, 0, Action::Loss);
        (*pid, *tid, *ppid, *uid, *gid) = (0, 0, None, 0, 0);
        (*syscall, *ret, *flags, *truncated) = (None, None, Flags(0), Truncated(0));
        (*args_count, *exit_status, *call_flags, *mode) = (None, None, None, None);
        (*dirfd, *from_dirfd) = (AT_FDCWD, AT_FDCWD);
        (*peer, *transport, *loss) = (None, Transport::Unknown, None);
        comm.clear();
        for bytes in [executable, path, from] {
            bytes.clear();
        }
        args.clear();
    }
}

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are on the wire: changing one breaks every decoder in the field.
    #[test]
    fn action_and_loss_numbers_are_pinned() {
        let actions = Action::ALL.map(|a| (a as u8, a.name()));
        assert_eq!(
            actions,
            [
                (1, "exec"),
                (2, "fork"),
                (3, "exit"),
                (32, "open"),
                (33, "rename"),
                (34, "unlink"),
                (35, "rmdir"),
                (38, "mkdir"),
                (40, "chmod"),
                (64, "connect"),
                (96, "loss"),
            ]
        );
        assert_eq!(Class::ALL.map(|class| class as u8), [0, 1]);
        let places = LossPlace::ALL.map(|p| p as u8);
        assert_eq!(places, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn bits_have_names_and_unknown_bits_have_none() {
        let mut flags = Flags::default();
        flags.insert(Flags::READ_LATE);
        flags.insert(Flags(1 << 15));
        assert_eq!(flags.names().collect::<Vec<_>>(), ["read_late"]);
    }

    #[test]
    fn a_loss_record_is_worth_what_it_counts() {
        let mut event = Event::new();
        event.action = Action::Exec;
        assert_eq!(event.if_lost(), 1);
        for (place, count, worth) in [
            (LossPlace::RingFull, 100, 100),
            (LossPlace::SyslogQueue, u64::MAX, u64::MAX),
            // The record itself: no event is behind it.
            (LossPlace::ProcessTable, 100, 1),
        ] {
            event.loss = Some(Loss { place, class: None, cpu: None, count });
            assert_eq!(event.if_lost(), worth, "{place:?}");
        }
    }

    #[test]
    fn clear_leaves_a_new_event() {
        let mut event = Event::new();
        event.sequence = 7;
        event.path.extend_from_slice(b"/x").unwrap();
        event.peer = Some(Endpoint::Unix);
        event.dirfd = 3;
        event.clear();
        assert_eq!(event, Event::new());
    }
}
