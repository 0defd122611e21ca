//! The fields of each action, from the wire.

use super::error::DecodeError;
use super::memory::Memory;
use super::own;
use super::reader::{Reader, join};
use super::wire::{
    Blob, Exec, ExecMore, Ids, Joined, Mount, MountMore, Node, Owner, Socket, SocketMore,
};
use crate::event::{
    Action, Bytes, Device, Endpoint, Event, FileType, Given, MountStep, Transport, Truncated,
    append,
};
use crate::limits::PATH_BYTES;
use serde::Deserialize;

/// What the fields of one event are read from.
pub(super) struct Body<'b, 's> {
    pub record: &'b mut Reader<'s>,
    pub strings: &'b [&'s [u8]],
    /// What names are compared with, and the number of the actor; none: it is of version 1.
    pub memory: Option<(&'b mut Memory, u32)>,
}

impl<'s> Body<'_, 's> {
    /// Reads them into `event`, whose actor and values are there. `Ok(false)`: it is of a kind that
    /// this version does not know.
    pub fn read(&mut self, event: &mut Event) -> Result<bool, DecodeError> {
        const TWO_NAMES: &str = "an event with two names";
        let mut cut = Truncated::default();
        match event.action {
            Action::Exec => {
                self.path(event, "an exec")?;
                let body: Exec = self.take("an exec")?;
                if append(&mut event.args, body.args.0) {
                    cut.insert(Truncated::ARGS);
                }
                event.args_count = body.args_count;
                let more = match self.record.is_empty() {
                    true => ExecMore::default(),
                    false => self.take("what follows an exec")?,
                };
                if self.join(&mut event.working_directory, &more.working_directory)? {
                    cut.insert(Truncated::WORKING_DIRECTORY);
                }
            }
            Action::Fork | Action::Setsid => {}
            Action::Exit => event.exit_status = self.take("an exit")?,
            Action::Setuid | Action::Setgid => {
                event.given = self.take::<Ids>("a change of ids")?.map(Given::Ids);
            }
            Action::Ptrace | Action::Kill => {
                const WHAT: &str = "a ptrace or kill";
                event.given = self.take::<Option<u32>>(WHAT)?.map(Given::Process);
                self.call_flags(event, WHAT)?;
            }
            Action::ModuleLoad
            | Action::ModuleUnload
            | Action::BpfLoad
            | Action::MemfdCreate
            | Action::KexecLoad => {
                const WHAT: &str = "what was loaded";
                self.path(event, WHAT)?;
                if append(&mut event.from, self.take::<Blob>(WHAT)?.0) {
                    cut.insert(Truncated::FROM);
                }
                self.call_flags(event, WHAT)?;
            }
            Action::Mount => {
                const WHAT: &str = "a mount";
                self.path(event, WHAT)?;
                let body: Mount = self.take(WHAT)?;
                self.call_flags(event, WHAT)?;
                if self.join(&mut event.from, &body.source)? {
                    cut.insert(Truncated::FROM);
                }
                let mut kind = Bytes::new();
                if append(&mut kind, body.kind.0) {
                    cut.insert(Truncated::MOUNT_TYPE);
                }
                let mut step = None;
                if !self.record.is_empty() {
                    let MountMore { descriptor, option, attributes } =
                        self.take("what follows a mount")?;
                    let told =
                        step.insert(MountStep { descriptor, attributes, option: Bytes::new() });
                    if append(&mut told.option, option.0) {
                        cut.insert(Truncated::MOUNT_OPTION);
                    }
                }
                event.given = match step {
                    // Of a mount with a type, one that says nothing is none.
                    Some(step) if kind.is_empty() || step != MountStep::default() => {
                        Some(Given::Step(step))
                    }
                    _ => (!kind.is_empty()).then_some(Given::Type(kind)),
                };
            }
            Action::Unshare | Action::Setns | Action::IoUring => self.call_flags(event, "flags")?,
            Action::ClockSet => {
                event.given = self.take::<Option<i64>>("a clock")?.map(Given::Clock);
                self.call_flags(event, "a clock")?;
            }
            Action::Open
            | Action::Unlink
            | Action::Rmdir
            | Action::Mkdir
            | Action::Chmod
            | Action::Umount => {
                const WHAT: &str = "a file event";
                self.path(event, WHAT)?;
                self.call_flags(event, WHAT)?;
                self.mode(event, WHAT)?;
            }
            Action::Rename | Action::Link | Action::Symlink if self.memory.is_some() => {
                if self.name(&event.executable, &mut event.from, TWO_NAMES)? {
                    cut.insert(Truncated::FROM);
                }
                self.path(event, TWO_NAMES)?;
            }
            Action::Rename | Action::Link | Action::Symlink => {
                self.path(event, TWO_NAMES)?;
                if self.name(&event.executable, &mut event.from, TWO_NAMES)? {
                    cut.insert(Truncated::FROM);
                }
                self.call_flags(event, TWO_NAMES)?;
            }
            Action::Mknod => {
                self.path(event, "a mknod")?;
                self.mode(event, "a mknod")?;
                let body: Node = self.take("a mknod")?;
                // A type this version does not know is one it was not told.
                let kind = body.file_type.and_then(FileType::from_number);
                let device = body.device.map(|(major, minor)| Device { major, minor });
                event.given = Some(Given::Node(kind, device));
            }
            Action::Chown => {
                self.path(event, "a chown")?;
                let Owner { uid, gid } = self.take("a chown")?;
                event.given = Some(Given::Owner(uid, gid));
            }
            Action::Truncate => {
                self.path(event, "a truncate")?;
                event.given = self.take::<Option<i64>>("a truncate")?.map(Given::Size);
            }
            Action::Utime => {
                self.path(event, "a utime")?;
                event.given = Some(Given::Modified(self.take("a utime")?));
            }
            Action::Setxattr => {
                self.path(event, "a setxattr")?;
                if append(&mut event.from, self.take::<Blob>("a setxattr")?.0) {
                    cut.insert(Truncated::FROM);
                }
            }
            Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
                let body: Socket = self.take("a call on a socket")?;
                let more = match self.record.is_empty() {
                    true => SocketMore::default(),
                    false => self.take("a socket's own address")?,
                };
                if self.join(&mut event.path, &body.path)? {
                    cut.insert(Truncated::ADDRESS);
                }
                event.peer = body.peer.map(Endpoint::from);
                event.local = more.local.map(Endpoint::from);
                // A transport this version does not know is one it was not told.
                event.transport = Transport::from_number(body.transport);
                event.given = match event.action {
                    Action::Connect => more.asked.map(|asked| Given::Asked(asked.into())),
                    Action::Listen => more.count.map(Given::Backlog),
                    Action::Send => more
                        .count
                        .map(Given::Messages)
                        .or_else(|| more.asked.map(|asked| Given::Asked(asked.into()))),
                    _ => None,
                };
            }
            Action::Loss
            | Action::Heartbeat
            | Action::Capability
            | Action::Pause
            | Action::Resume => {
                let Some(own_cut) = own::read(event, self.record)? else { return Ok(false) };
                cut.insert(own_cut);
            }
        }
        event.truncated.insert(cut);
        Ok(true)
    }

    fn take<T: Deserialize<'s>>(&mut self, what: &'static str) -> Result<T, DecodeError> {
        self.record.take(what)
    }

    fn join<const N: usize>(
        &self,
        out: &mut Bytes<N>,
        joined: &Joined,
    ) -> Result<bool, DecodeError> {
        join(self.strings, out, joined, self.record)
    }

    fn path(&mut self, event: &mut Event, what: &'static str) -> Result<(), DecodeError> {
        if self.name(&event.executable, &mut event.path, what)? {
            event.truncated.insert(Truncated::PATH);
        }
        Ok(())
    }

    /// `Ok(true)`: it did not fit and is cut.
    fn name(
        &mut self,
        executable: &[u8],
        out: &mut Bytes<PATH_BYTES>,
        what: &'static str,
    ) -> Result<bool, DecodeError> {
        match &mut self.memory {
            Some((memory, actor)) => {
                memory.names_mut(*actor).read(self.record, self.strings, executable, out)
            }
            None => {
                let joined: Joined = self.take(what)?;
                self.join(out, &joined)
            }
        }
    }

    /// Version 2 has them among the values.
    fn call_flags(&mut self, event: &mut Event, what: &'static str) -> Result<(), DecodeError> {
        if self.memory.is_none() {
            event.call_flags = self.take(what)?;
        }
        Ok(())
    }

    fn mode(&mut self, event: &mut Event, what: &'static str) -> Result<(), DecodeError> {
        if self.memory.is_none() {
            event.mode = self.take(what)?;
        }
        Ok(())
    }
}
