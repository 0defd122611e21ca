//! Ring bytes → [`Event`]. A pure function of the bytes: lengths are checked, and what is
//! not of the agreed shape is an error, never a guess.

mod call;
mod socket;

use core::fmt;
use core::mem::offset_of;

use super::abi::record::*;
use crate::event::{Action, Event, Flags, Given, Relocation, Truncated, append};
use crate::limits;
use memchr::memchr;

/// `-ERESTARTSYS`, `-ERESTARTNOINTR`, `-ERESTARTNOHAND`, `-ERESTART_RESTARTBLOCK` (linux
/// `include/linux/errno.h`): what a call that a signal interrupts returns inside the kernel.
/// The caller sees `EINTR`, or the call is entered once more.
const RESTARTS: [i64; 4] = [-512, -513, -514, -516];
/// `CLONE_*` (linux `include/uapi/linux/sched.h`).
const CLONE_FS: u32 = 0x200;
const CLONE_THREAD: u32 = 0x1_0000;

/// What crosses the ring fits into an event.
const _: () = assert!(
    MOTE_ARGS_BYTES as usize == limits::ARGS_BYTES
        && MOTE_EXEC_PATH_BYTES as usize <= limits::PATH_BYTES
        && MOTE_WORD_BYTES as usize == limits::WORD_BYTES
        && MOTE_COMM_BYTES as usize == limits::COMM_BYTES + 1
        && 1 << MOTE_BULK_WINDOW_LOG2_NS == limits::MOVES_UNSEEN_NS
        && MOTE_NAME_BYTES as usize <= limits::PATH_BYTES
        && MOTE_PAIR_BYTES as usize <= limits::PATH_BYTES
        && MOTE_ADDRESS_BYTES as usize <= limits::PATH_BYTES
        && (MOTE_NAME_BYTES + MOTE_COMPONENT_BYTES) as usize <= limits::OPENED_BYTES
);

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Something to report.
    Event,
    /// Something that changes what the names in the process's later events mean.
    Relocation(Relocation),
    /// Both.
    Both(Relocation),
}

/// A record that is not of the agreed shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends before or in the field at this offset.
    Short(usize),
    /// No such kind.
    Kind(u16),
    /// A system call that this kind of record does not have.
    Syscall(i32),
    /// Its parts are longer than it is, or than their room.
    Length(u32),
    /// No such tree of mounts.
    Tree(u8),
    /// The components of a path, of so many bytes, are none.
    Components(u16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Short(offset) => {
                write!(f, "the record ends before or in its field at byte {offset}")
            }
            Malformed::Kind(kind) => write!(f, "no kind of record has number {kind}"),
            Malformed::Syscall(number) => write!(f, "system call {number} has no such record"),
            Malformed::Length(bytes) => write!(f, "a string of {bytes} bytes does not fit"),
            Malformed::Tree(tree) => write!(f, "no tree of mounts has number {tree}"),
            Malformed::Components(bytes) => write!(f, "{bytes} bytes are no components of a path"),
        }
    }
}

/// Fills `event`, which must be empty, from one record. The ring may have padded it.
pub fn decode(record: &[u8], event: &mut Event) -> Result<Decoded, Malformed> {
    let record = Record(record);
    record.has(size_of::<mote_header>())?;
    let kind = record.u16(offset_of!(mote_header, kind))?;
    let flags = u32::from(record.u16(offset_of!(mote_header, flags))?);
    let ret = record.u64(offset_of!(mote_header, ret))? as i64;
    let syscall = record.u32(offset_of!(mote_header, syscall))? as i32;
    event.time_ns = record.u64(offset_of!(mote_header, time_ns))?;
    event.pid = record.u32(offset_of!(mote_header, pid))?;
    event.tid = record.u32(offset_of!(mote_header, tid))?;
    event.uid = record.u32(offset_of!(mote_header, uid))?;
    event.gid = record.u32(offset_of!(mote_header, gid))?;
    event.syscall = u32::try_from(syscall).ok();
    if flags & MOTE_RESULT_UNKNOWN != 0 {
        event.flags.insert(Flags::RESULT_UNKNOWN);
    } else if RESTARTS.contains(&ret) {
        event.ret = Some(-i64::from(libc::EINTR));
        event.flags.insert(Flags::INTERRUPTED);
    } else {
        event.ret = Some(ret);
    }
    let comm = record.bytes(offset_of!(mote_header, comm), MOTE_COMM_BYTES as usize)?;
    append(&mut event.comm, until_nul(comm));
    set_flags(flags, event);

    let mut decoded = Decoded::Event;
    match u32::from(kind) {
        MOTE_KIND_EXEC => exec(&record, event)?,
        MOTE_KIND_FORK => return fork(&record, event),
        MOTE_KIND_EXIT => exit(&record, flags, event)?,
        MOTE_KIND_NAME | MOTE_KIND_PAIR => decoded = call::call(&record, flags, syscall, event)?,
        MOTE_KIND_SOCKET => socket::socket(&record, flags, syscall, event)?,
        MOTE_KIND_SIGNAL => signal(&record, event)?,
        _ => return Err(Malformed::Kind(kind)),
    }
    forget_unread(flags, event);
    Ok(decoded)
}

/// What an operation of io_uring or a 32-bit call was given, if that was not read.
fn forget_unread(flags: u32, event: &mut Event) {
    if flags & (MOTE_URING | MOTE_COMPAT) == 0 || flags & MOTE_FLAGS_UNREAD == 0 {
        return;
    }
    event.mode = None;
    let in_memory = matches!(event.action, Action::Open | Action::IoUring | Action::BpfLoad);
    if flags & MOTE_URING != 0 || in_memory {
        event.call_flags = None;
    }
    // Of a step what was not read is empty.
    event.given = event.given.take().filter(|given| matches!(given, Given::Step(_)));
}

fn set_flags(flags: u32, event: &mut Event) {
    // As of most.
    if flags == 0 {
        return;
    }
    for (bit, flag) in [
        (MOTE_PATH_UNREAD, Flags::PATH_UNREAD),
        (MOTE_FROM_UNREAD, Flags::FROM_UNREAD),
        (MOTE_ARGS_UNREAD, Flags::ARGS_UNREAD),
        (MOTE_READ_LATE, Flags::READ_LATE),
        (MOTE_FLAGS_UNREAD, Flags::CALL_FLAGS_UNREAD),
        (MOTE_URING, Flags::IO_URING),
        (MOTE_COMPAT, Flags::COMPAT_SYSCALL),
    ] {
        if flags & bit != 0 {
            event.flags.insert(flag);
        }
    }
    for (bit, field) in [
        (MOTE_PATH_CUT, Truncated::PATH),
        (MOTE_FROM_CUT, Truncated::FROM),
        (MOTE_ARGS_CUT, Truncated::ARGS),
    ] {
        if flags & bit != 0 {
            event.truncated.insert(field);
        }
    }
}

fn exec(record: &Record, event: &mut Event) -> Result<(), Malformed> {
    event.action = Action::Exec;
    event.dirfd = record.u32(offset_of!(mote_exec, dirfd))? as i32;
    let args_bytes = record.u16(offset_of!(mote_exec, args_bytes))?;
    let path_bytes = record.u16(offset_of!(mote_exec, path_bytes))?;
    let data = offset_of!(mote_exec, data);
    put(&mut event.args, record.bytes(data, args_bytes.into())?)?;
    let path = record.bytes(data + usize::from(args_bytes), path_bytes.into())?;
    put(&mut event.path, until_nul(path))?;
    event.entered_ns = entered_ns(event, record.u32(offset_of!(mote_exec, duration_us))?);
    // How many there were is known only if all were seen.
    if !event.truncated.contains(Truncated::ARGS) && event.syscall.is_some() {
        event.args_count = Some(record.u16(offset_of!(mote_exec, args_count))?.into());
    }
    Ok(())
}

fn fork(record: &Record, event: &mut Event) -> Result<Decoded, Malformed> {
    event.action = Action::Fork;
    let child = record.u32(offset_of!(mote_fork, child_pid))?;
    // The flags that matter fit (clone3's newer ones concern signals and cgroups).
    let clone_flags = record.u64(offset_of!(mote_fork, clone_flags))? as u32;
    if clone_flags & CLONE_THREAD != 0 {
        // One with a directory of its own, as after unshare(2).
        event.call_flags = Some(CLONE_FS);
        return Ok(Decoded::Relocation(Relocation::Namespaces));
    }
    event.call_flags = Some(clone_flags);
    // The thread that made it.
    event.given = Some(Given::Process(event.tid));
    // The header is the parent's; the event is about the child.
    event.ppid = Some(event.pid);
    event.pid = child;
    event.tid = child;
    Ok(Decoded::Event)
}

/// When a call was entered that took so long, or a little before; 0: not known.
fn entered_ns(event: &Event, duration_us: u32) -> u64 {
    match duration_us {
        MOTE_DURATION_UNKNOWN => 0,
        _ => event.time_ns.saturating_sub((u64::from(duration_us) + 1) * 1000),
    }
}

fn exit(record: &Record, flags: u32, event: &mut Event) -> Result<(), Malformed> {
    event.action = Action::Exit;
    event.ret = None;
    if flags & MOTE_STATUS_UNKNOWN == 0 {
        event.exit_status = Some(record.u32(offset_of!(mote_exit, status))?);
    }
    Ok(())
}

fn signal(record: &Record, event: &mut Event) -> Result<(), Malformed> {
    event.action = Action::Kill;
    event.call_flags = Some(record.u32(offset_of!(mote_signal, number))?);
    event.given = Some(Given::Process(record.u32(offset_of!(mote_signal, target))?));
    Ok(())
}

/// The bytes of a record. Fields are read by offset, unaligned, bounds checked.
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// Whether it has so many, before fields that all records have: these are not checked one by
    /// one then.
    fn has(&self, bytes: usize) -> Result<(), Malformed> {
        if self.0.len() < bytes { Err(Malformed::Short(self.0.len())) } else { Ok(()) }
    }

    fn bytes(&self, offset: usize, bytes: usize) -> Result<&'a [u8], Malformed> {
        self.0.get(offset..offset + bytes).ok_or(Malformed::Short(offset))
    }

    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], Malformed> {
        self.bytes(offset, N)?.try_into().map_err(|_| Malformed::Short(offset))
    }

    fn u8(&self, offset: usize) -> Result<u8, Malformed> {
        self.array(offset).map(|[byte]| byte)
    }

    fn u16(&self, offset: usize) -> Result<u16, Malformed> {
        self.array(offset).map(u16::from_ne_bytes)
    }

    fn u32(&self, offset: usize) -> Result<u32, Malformed> {
        self.array(offset).map(u32::from_ne_bytes)
    }

    fn u64(&self, offset: usize) -> Result<u64, Malformed> {
        self.array(offset).map(u64::from_ne_bytes)
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

fn put<const N: usize>(to: &mut crate::event::Bytes<N>, bytes: &[u8]) -> Result<(), Malformed> {
    crate::event::extend(to, bytes).ok_or(Malformed::Length(bytes.len() as u32))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
pub(crate) mod tests;
