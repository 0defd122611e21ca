//! The vocabulary that every stage shares: one event, with room for its largest kind.
//!
//! An [`Event`] is made once and reused. Strings are bytes as the kernel had them, not
//! UTF-8. What was cut or could not be known is said in [`Truncated`] and [`Flags`].

mod action;
mod bytes;
mod change;
mod container;
mod executable;
mod given;
mod lineage;
mod loss;
mod marks;
pub(crate) mod numbered;
mod opened;
mod own;
mod rule;
mod shorten;

pub use action::{Action, Class, Endpoint, Relocation, Transport};
pub use bytes::{Bytes, append, extend, replace};
pub use change::Change;
pub use container::Runtime;
pub use executable::ExecutableKind;
pub use given::{Device, FileType, Given, MountStep};
pub use lineage::Lineage;
pub use loss::{IfLost, Loss, LossPlace};
pub use marks::{Flags, Truncated};
pub use opened::{Opened, Tree};
pub use own::{BlindSpots, Capability, Heartbeat, HeartbeatMore, Pause, Resumption};
pub use rule::RuleId;

use crate::limits::{ARGS_BYTES, COMM_BYTES, PATH_BYTES};

/// `AT_FDCWD` (linux `include/uapi/linux/fcntl.h`): a relative name starts at the
/// working directory.
pub const AT_FDCWD: i32 = -100;

/// `AT_EMPTY_PATH` (linux `include/uapi/linux/fcntl.h`): an empty name means the descriptor.
pub const AT_EMPTY_PATH: u32 = 0x1000;

/// No user and no group has this id (`INVALID_UID`, linux `include/linux/uidgid.h`): it is
/// not known.
pub const NO_ID: u32 = u32::MAX;

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
    /// When the process began, in hundredths of a second since the host booted, suspended or not
    /// (`CLOCK_BOOTTIME`), as field 22 of /proc/PID/stat; where known.
    pub start: Option<u64>,
    /// Process id of who made the process, where known.
    pub ppid: Option<u32>,
    /// What else it has from those that it descends from.
    pub lineage: Lineage,
    /// Real user id in the initial user namespace; [`NO_ID`]: unknown.
    pub uid: u32,
    /// Real group id in the initial user namespace; [`NO_ID`]: unknown.
    pub gid: u32,
    /// The thread's name.
    pub comm: Bytes<COMM_BYTES>,
    /// The path that the process executed, as the kernel was given it, made absolute;
    /// for processes older than the sensor, `/proc/PID/exe`. Empty: unknown.
    pub executable: Bytes<PATH_BYTES>,
    /// What that is, if it is no file that has a name, as far as that is known.
    pub executable_kind: Option<ExecutableKind>,
    /// System call number of the host's architecture, where there was one; of an operation of
    /// io_uring the call that does the same.
    pub syscall: Option<u32>,
    /// What it returned: a result, or a negated errno. Of a fork: the child's pid.
    pub ret: Option<i64>,
    /// What could not be known.
    pub flags: Flags,
    /// What was cut.
    pub truncated: Truncated,
    /// Exec: arguments, each closed by a NUL, the last one perhaps cut. Capability: the same of hooks
    /// that this kernel does not have.
    pub args: Bytes<ARGS_BYTES>,
    /// Exec: how many arguments there were, in `args` or not, where known.
    pub args_count: Option<u32>,
    /// Exec: the directory that the process works in. Empty: not certain.
    pub working_directory: Bytes<PATH_BYTES>,
    /// Exit: the status as wait(2) gives it.
    pub exit_status: Option<u32>,
    /// The file acted on; of a rename the new name; of a unix socket its name, the peer's or its own;
    /// of an exec the path that was executed. Capability: the kernel's release.
    pub path: Bytes<PATH_BYTES>,
    /// Rename and link: the old name. Symlink: what it leads to, as it was given. Setxattr: the
    /// attribute's name. Module_load: its parameters, kexec_load: the kernel's. Mount: the source.
    /// Module_unload, bpf_load, memfd_create: the name. Heartbeat and capability: the sensor's version.
    pub from: Bytes<PATH_BYTES>,
    /// Directory that a relative `path` starts at: a descriptor of the process or
    /// [`AT_FDCWD`]. Not in records.
    pub dirfd: i32,
    /// What `dirfd` was open on. Not in records.
    pub opened: Opened,
    /// `dirfd` is the file itself: there is no name. Not in records.
    pub by_descriptor: bool,
    /// The same for `from`.
    pub from_dirfd: i32,
    /// What `from_dirfd` was open on. Not in records.
    pub from_opened: Opened,
    /// `CLOCK_MONOTONIC` in nanoseconds, not later than the call was entered; 0 where that
    /// was not seen. Not in records.
    pub entered_ns: u64,
    /// open: `O_*`; rename: `RENAME_*`; link: `AT_*`; ptrace: `PTRACE_*`; kill: the signal; unshare, setns:
    /// `CLONE_*`; mount: `MS_*`, or those of the step (fsconfig: the command); umount: `MNT_*`;
    /// bpf_load: `BPF_PROG_TYPE_*`; others as the call has them. Not in records: fork: `CLONE_*`.
    pub call_flags: Option<u32>,
    /// Permission bits given to open, mkdir, mknod or chmod.
    pub mode: Option<u32>,
    /// What the call was given beside that. Of a fork, and not in records: the thread that made it.
    pub given: Option<Given>,
    /// Connect and send: where to. Accept: where from.
    pub peer: Option<Endpoint>,
    /// Of a socket: its own end.
    pub local: Option<Endpoint>,
    /// Of a socket: what it speaks.
    pub transport: Option<Transport>,
    /// Loss: what is missing.
    pub loss: Option<Loss>,
    /// Heartbeat: what was counted.
    pub heartbeat: Option<Heartbeat>,
    /// Capability: what is seen.
    pub capability: Option<Capability>,
    /// Pause: for how long at most. The process is the one that asked for it.
    pub pause: Option<Pause>,
    /// Resume: why.
    pub resumption: Option<Resumption>,
    /// The exclusion of a process, with what its descendants do, that this process descends
    /// from. Not in records.
    pub excluded_ancestor: Option<RuleId>,
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
            start: None,
            ppid: None,
            lineage: Lineage::new(),
            uid: 0,
            gid: 0,
            comm: Bytes::new(),
            executable: Bytes::new(),
            executable_kind: None,
            syscall: None,
            ret: None,
            flags: Flags(0),
            truncated: Truncated(0),
            args: Bytes::new(),
            args_count: None,
            working_directory: Bytes::new(),
            exit_status: None,
            path: Bytes::new(),
            from: Bytes::new(),
            dirfd: AT_FDCWD,
            opened: Opened::new(),
            by_descriptor: false,
            from_dirfd: AT_FDCWD,
            from_opened: Opened::new(),
            entered_ns: 0,
            call_flags: None,
            mode: None,
            given: None,
            peer: None,
            local: None,
            transport: None,
            loss: None,
            heartbeat: None,
            capability: None,
            pause: None,
            resumption: None,
            excluded_ancestor: None,
        }
    }

    /// How many events a reader does not learn of without this one: itself, and of a loss record
    /// all that it counts.
    pub fn if_lost(&self) -> u64 {
        self.loss.map_or(0, |loss| loss.events()).saturating_add(1)
    }

    /// A socket's own name or its peer's, if it is a unix socket's: this is what `path` is then.
    pub fn is_on_unix_socket(&self) -> bool {
        [self.peer, self.local].contains(&Some(Endpoint::Unix))
    }

    /// Empties every field, in place: an `Event` is too large to be copied per event.
    pub fn clear(&mut self) {
        let Event {
            sequence,
            time_ns,
            action,
            pid,
            tid,
            start,
            ppid,
            lineage,
            uid,
            gid,
            comm,
            executable,
            executable_kind,
            syscall,
            ret,
            flags,
            truncated,
            args,
            args_count,
            working_directory,
            exit_status,
            path,
            from,
            dirfd,
            opened,
            by_descriptor,
            from_dirfd,
            from_opened,
            entered_ns,
            call_flags,
            mode,
            given,
            peer,
            local,
            transport,
            loss,
            heartbeat,
            capability,
            pause,
            resumption,
            excluded_ancestor,
        } = self;
        (*sequence, *time_ns, *entered_ns, *action) = (0, 0, 0, Action::Loss);
        (*pid, *tid, *ppid, *uid, *gid) = (0, 0, None, 0, 0);
        (*start, *executable_kind) = (None, None);
        (*syscall, *ret, *flags, *truncated) = (None, None, Flags(0), Truncated(0));
        (*args_count, *exit_status, *call_flags, *mode, *given) = (None, None, None, None, None);
        (*dirfd, *from_dirfd, *by_descriptor) = (AT_FDCWD, AT_FDCWD, false);
        (*peer, *local, *transport, *loss) = (None, None, None, None);
        (*heartbeat, *capability, *pause, *resumption) = (None, None, None, None);
        *excluded_ancestor = None;
        lineage.clear();
        comm.clear();
        for bytes in [executable, working_directory, path, from] {
            bytes.clear();
        }
        args.clear();
        opened.clear();
        from_opened.clear();
    }
}

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

#[cfg(test)]
mod tests;
