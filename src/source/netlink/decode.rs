//! Datagram bytes → [`Message`] → [`Event`]. Pure functions of the bytes: lengths are
//! checked, and what is not of the kernel's shape is an error, never a guess.
//!
//! A datagram is one or more of `struct nlmsghdr` (linux `include/uapi/linux/netlink.h`),
//! in each a `struct cn_msg` (`connector.h`), in that a `struct proc_event` (`cn_proc.h`).
//! The kernel pads the event to its largest kind, so its length tells nothing of the kind,
//! and fields that a kernel does not have are zero or missing.

use core::fmt;

use crate::event::{Action, Change, Event, append};
use crate::limits::COMM_BYTES;

/// `struct nlmsghdr`: length, type, flags, sequence, port.
const HEADER_BYTES: usize = 16;
/// `struct cn_msg` without its data: idx, val, seq, ack, len, flags.
const CONNECTOR_BYTES: usize = 20;
/// `struct proc_event` up to its union: what, cpu, timestamp.
const EVENT_BYTES: usize = 16;
/// `NLMSG_ALIGNTO`.
const ALIGNMENT: usize = 4;
/// `CN_IDX_PROC` and `CN_VAL_PROC` (linux `include/uapi/linux/connector.h`).
pub const ID: (u32, u32) = (1, 1);
/// What the kernel gives as the CPU of an acknowledgement that is in no CPU's sequence
/// (`cn_proc_ack`, 3.10).
const NO_CPU: u32 = u32::MAX;

/// `enum proc_cn_event`.
const FORK: u32 = 0x1;
const EXEC: u32 = 0x2;
const UID: u32 = 0x4;
const GID: u32 = 0x40;
const SID: u32 = 0x80;
const PTRACE: u32 = 0x100;
const COMM: u32 = 0x200;
const COREDUMP: u32 = 0x4000_0000;
const EXIT: u32 = 0x8000_0000;
const NONE: u32 = 0;

/// A thread and the process that it is of. What the kernel calls `pid` is the thread's
/// number, `tgid` the process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
}

/// What the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The answer to a request of some listener: its number plus one, and an errno or 0.
    Answer(u32, u32),
    /// `child` was made. Of a thread, and of a child made with `CLONE_PARENT`, the parent
    /// is that of the one that made it (`copy_process`: `real_parent`).
    Fork {
        /// Whose child it is.
        parent: Task,
        /// The new task.
        child: Task,
    },
    /// It executes another program.
    Exec(Task),
    /// It has this real user id.
    User(Task, u32),
    /// It has this real group id.
    Group(Task, u32),
    /// It began a session.
    Session(Task),
    /// It is traced from now on, by `tracer`; by nobody any more if that is 0.
    Traced(Task, Task),
    /// It has this name.
    Name(Task, [u8; COMM_BYTES]),
    /// It dumps core.
    CoreDump(Task),
    /// The task ends, with this status as wait(2) gives it.
    Exit {
        /// The thread that ends; others of its process may live on.
        task: Task,
        /// Its own, which is the process's if all of it was ended (`exit_group`, a signal).
        status: u32,
        /// The parent's process id, from 4.18 on.
        parent: Option<u32>,
    },
    /// What this version does not know.
    Other(u32),
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// On which CPU it was made; `None`: it is in no CPU's sequence.
    pub cpu: Option<u32>,
    /// Counts the messages of that CPU, whoever listens.
    pub sequence: u32,
    /// `CLOCK_MONOTONIC` (`ktime_get_ns`; `ktime_get_ts` in 3.10), as of eBPF events.
    pub time_ns: u64,
    /// What it says.
    pub what: What,
}

/// What a [`Message`] means to the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something to report. Of an exit: if it is that of the process's last thread.
    Event,
    /// Something that later events depend on.
    Change(Change),
    /// Nothing that this version reports.
    Nothing,
}

/// A message that is not of the agreed shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends within its headers, or says that it is longer than it is.
    Short(usize),
    /// It is not the process connector's: index and value.
    Foreign(u32, u32),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Short(bytes) => write!(f, "the message ends after {bytes} bytes"),
            Malformed::Foreign(idx, val) => write!(f, "a message of connector {idx}.{val}"),
        }
    }
}

/// The messages of a datagram. After one whose length cannot be there are no more.
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages(datagram)
}

/// See [`messages`].
pub struct Messages<'a>(&'a [u8]);

impl Iterator for Messages<'_> {
    type Item = Result<Message, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        if rest.is_empty() {
            return None;
        }
        let length = Fields(rest).u32(0).map_or(0, |length| length as usize);
        if length < HEADER_BYTES || length > rest.len() {
            self.0 = &[];
            return Some(Err(Malformed::Short(rest.len())));
        }
        self.0 = &rest[length.next_multiple_of(ALIGNMENT).min(rest.len())..];
        Some(message(&rest[HEADER_BYTES..length]))
    }
}

/// A `struct cn_msg` with its data.
fn message(bytes: &[u8]) -> Result<Message, Malformed> {
    let short = Malformed::Short(bytes.len());
    let fields = Fields(bytes);
    let (idx, val) = (fields.u32(0).ok_or(short)?, fields.u32(4).ok_or(short)?);
    if (idx, val) != ID {
        return Err(Malformed::Foreign(idx, val));
    }
    let sequence = fields.u32(8).ok_or(short)?;
    let ack = fields.u32(12).ok_or(short)?;
    let length = fields.u16(16).ok_or(short)?;
    let data = CONNECTOR_BYTES..CONNECTOR_BYTES + usize::from(length);
    let event = Fields(bytes.get(data).ok_or(short)?);
    let what = event.u32(0).ok_or(short)?;
    let cpu = event.u32(4).ok_or(short)?;
    let time_ns = event.u64(8).ok_or(short)?;
    let what = event.what(what, ack).ok_or(short)?;
    Ok(Message { cpu: (cpu != NO_CPU).then_some(cpu), sequence, time_ns, what })
}

impl Message {
    /// Fills `event`, which must be empty, with what the message says.
    pub fn tell(&self, event: &mut Event) -> Told {
        event.time_ns = self.time_ns;
        let mut by = |task: Task| (event.pid, event.tid) = (task.pid, task.tid);
        match self.what {
            What::Fork { child, .. } if child.pid != child.tid => {
                by(child);
                Told::Change(Change::Thread)
            }
            What::Fork { parent, child } => {
                by(child);
                event.action = Action::Fork;
                event.ppid = Some(parent.pid);
                event.ret = Some(child.pid.into());
                Told::Event
            }
            What::Exec(task) => {
                by(task);
                event.action = Action::Exec;
                // Of attempts that fail nothing is told.
                event.ret = Some(0);
                Told::Event
            }
            What::Exit { task, status, parent } => {
                by(task);
                event.action = Action::Exit;
                event.exit_status = Some(status);
                event.ppid = parent;
                Told::Event
            }
            What::User(task, user) => {
                by(task);
                event.uid = user;
                Told::Change(Change::User)
            }
            What::Group(task, group) => {
                by(task);
                event.gid = group;
                Told::Change(Change::Group)
            }
            What::Name(task, name) => {
                by(task);
                append(&mut event.comm, name.split(|byte| *byte == 0).next().unwrap_or(&name));
                Told::Change(Change::Name)
            }
            What::Session(task) => {
                by(task);
                Told::Change(Change::Session)
            }
            What::Traced(..) | What::CoreDump(_) | What::Answer(..) | What::Other(_) => {
                Told::Nothing
            }
        }
    }
}

/// Fields are read by offset, unaligned, bounds checked.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    fn u16(self, offset: usize) -> Option<u16> {
        self.array(offset).map(u16::from_ne_bytes)
    }

    fn u32(self, offset: usize) -> Option<u32> {
        self.array(offset).map(u32::from_ne_bytes)
    }

    fn u64(self, offset: usize) -> Option<u64> {
        self.array(offset).map(u64::from_ne_bytes)
    }

    /// The union of a `struct proc_event`; `ack` is that of the `struct cn_msg`.
    fn what(self, what: u32, ack: u32) -> Option<What> {
        let at = |index: usize| self.u32(EVENT_BYTES + 4 * index);
        // The thread's number comes first.
        let task = |index: usize| Some(Task { tid: at(index)?, pid: at(index + 1)? });
        Some(match what {
            NONE => What::Answer(ack, at(0)?),
            FORK => What::Fork { parent: task(0)?, child: task(2)? },
            EXEC => What::Exec(task(0)?),
            UID => What::User(task(0)?, at(2)?),
            GID => What::Group(task(0)?, at(2)?),
            SID => What::Session(task(0)?),
            PTRACE => What::Traced(task(0)?, task(2)?),
            COMM => What::Name(task(0)?, self.array(EVENT_BYTES + 8)?),
            COREDUMP => What::CoreDump(task(0)?),
            EXIT => What::Exit {
                task: task(0)?,
                status: at(2)?,
                // Index 3 is the signal that the parent gets. No process has a parent 0 but
                // the first and the kernel's.
                parent: at(5).filter(|pid| *pid != 0),
            },
            _ => What::Other(what),
        })
    }
}
