//! The fields of each action, to the wire.

use super::encode::{NoRoom, Strings, append};
use super::names::Pair;
use super::own;
use super::wire::{
    Blob, Exec, ExecMore, Ids, Mount, MountMore, Node, Owner, Side, Socket, SocketMore, Values,
};
use crate::event::{Action, Bytes, Event, Given};
use crate::limits::BATCH_BYTES;

/// What every event has. Of a fork, the flags of the call are the sensor's own.
pub(super) fn values(event: &Event) -> Values {
    Values {
        syscall: event.syscall,
        ret: event.ret,
        flags: event.flags.0,
        truncated: event.truncated.0,
        call_flags: if has_call_flags(event.action) { event.call_flags } else { None },
        mode: if has_mode(event.action) { event.mode } else { None },
    }
}

fn has_call_flags(action: Action) -> bool {
    use Action::*;
    match action {
        Ptrace | Kill | ModuleLoad | ModuleUnload | BpfLoad | MemfdCreate | KexecLoad | Mount
        | Umount | Unshare | Setns | IoUring | ClockSet | Open | Unlink | Rmdir | Mkdir | Chmod
        | Rename | Link | Symlink => true,
        // A new action has to be put in one of the two.
        Exec | Fork | Exit | Setuid | Setgid | Setsid | Mknod | Chown | Truncate | Utime
        | Setxattr | Connect | Bind | Listen | Accept | Send | Loss | Heartbeat | Capability
        | Pause | Resume => false,
    }
}

fn has_mode(action: Action) -> bool {
    matches!(
        action,
        Action::Open
            | Action::Unlink
            | Action::Rmdir
            | Action::Mkdir
            | Action::Chmod
            | Action::Umount
            | Action::Mknod
    )
}

/// Writes the fields of an event's action behind what is in `out`. Gives the names to remember, in
/// their order.
pub(super) fn write<'e>(
    event: &'e Event,
    names: Pair,
    strings: &mut Strings,
    out: &mut Bytes<BATCH_BYTES>,
) -> Result<[&'e [u8]; 2], NoRoom> {
    let executable = &event.executable;
    let mut remembered: [&[u8]; 2] = [&event.path, b""];
    match event.action {
        Action::Rename | Action::Link | Action::Symlink => {
            names.write(&event.from, executable, strings, out)?;
            names.with(&event.from).write(&event.path, executable, strings, out)?;
            remembered = [&event.from, &event.path];
        }
        action if has_path(action) => names.write(&event.path, executable, strings, out)?,
        _ => remembered = [b"", b""],
    }
    match event.action {
        Action::Exec => {
            append(out, &Exec { args: Blob(&event.args), args_count: event.args_count })?;
            if !event.working_directory.is_empty() {
                let working_directory = strings.whole(&event.working_directory);
                append(out, &ExecMore { working_directory })?;
            }
        }
        Action::Exit => append(out, &event.exit_status)?,
        Action::Setuid | Action::Setgid => {
            let ids: Ids = match event.given {
                Some(Given::Ids(ids)) => Some(ids),
                _ => None,
            };
            append(out, &ids)?;
        }
        Action::Ptrace | Action::Kill => {
            let pid = match event.given {
                Some(Given::Process(pid)) => Some(pid),
                _ => None,
            };
            append(out, &pid)?;
        }
        Action::ModuleLoad
        | Action::ModuleUnload
        | Action::BpfLoad
        | Action::MemfdCreate
        | Action::KexecLoad
        | Action::Setxattr => append(out, &Blob(&event.from))?,
        Action::Mount => {
            let source = strings.split(&event.from);
            let kind = match &event.given {
                Some(Given::Type(kind)) => Blob(kind),
                _ => Blob(b""),
            };
            append(out, &Mount { source, kind })?;
            if let Some(Given::Step(step)) = &event.given {
                let (descriptor, attributes) = (step.descriptor, step.attributes);
                append(out, &MountMore { descriptor, option: Blob(&step.option), attributes })?;
            }
        }
        Action::ClockSet => {
            let time_ns = match event.given {
                Some(Given::Clock(time_ns)) => Some(time_ns),
                _ => None,
            };
            append(out, &time_ns)?;
        }
        Action::Mknod => {
            let (file_type, device) = match event.given {
                Some(Given::Node(kind, device)) => (kind, device),
                _ => (None, None),
            };
            let file_type = file_type.map(|kind| kind as u8);
            let device = device.map(|device| (device.major, device.minor));
            append(out, &Node { file_type, device })?;
        }
        Action::Chown => {
            let (uid, gid) = match event.given {
                Some(Given::Owner(uid, gid)) => (uid, gid),
                _ => (None, None),
            };
            append(out, &Owner { uid, gid })?;
        }
        Action::Truncate => {
            let size = match event.given {
                Some(Given::Size(size)) => Some(size),
                _ => None,
            };
            append(out, &size)?;
        }
        Action::Utime => {
            let modified_ns = match event.given {
                Some(Given::Modified(modified_ns)) => modified_ns,
                _ => None,
            };
            append(out, &modified_ns)?;
        }
        Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
            let transport = event.transport.map_or(0, |transport| transport as u8);
            let path = strings.split(&event.path);
            append(out, &Socket { peer: event.peer.map(Side::from), transport, path })?;
            let (asked, count) = match event.given {
                Some(Given::Asked(asked)) => (Some(asked.into()), None),
                Some(Given::Backlog(count) | Given::Messages(count)) => (None, Some(count)),
                _ => (None, None),
            };
            append(out, &SocketMore { local: event.local.map(Side::from), asked, count })?;
        }
        Action::Fork | Action::Setsid | Action::Unshare | Action::Setns | Action::IoUring => {}
        Action::Open | Action::Unlink | Action::Rmdir | Action::Mkdir | Action::Chmod => {}
        Action::Umount | Action::Rename | Action::Link | Action::Symlink => {}
        Action::Loss | Action::Heartbeat | Action::Capability | Action::Pause | Action::Resume => {
            own::write(event, out)?
        }
    }
    Ok(remembered)
}

/// Whether the first of the fields is a path.
fn has_path(action: Action) -> bool {
    has_mode(action)
        || matches!(
            action,
            Action::Exec
                | Action::ModuleLoad
                | Action::ModuleUnload
                | Action::BpfLoad
                | Action::MemfdCreate
                | Action::KexecLoad
                | Action::Mount
                | Action::Chown
                | Action::Truncate
                | Action::Utime
                | Action::Setxattr
        )
}
