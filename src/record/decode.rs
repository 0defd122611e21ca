//! A line to events. Nothing a record says is believed before it is checked: what the
//! decoder holds is bounded by the bytes it was given.

use super::Origin;
use super::actor::Who;
use super::envelope::{Scratch, header, origin, unpack};
use super::error::{DecodeError, Reason};
use super::own;
use super::reader::{Reader, entry, join};
use super::wire::{
    Asked, Attribute, Blob, Clock, Common, End, Exec, ExecMore, Exit, File, Head, Ids, Joined,
    Loaded, Mount, MountMore, Node, Owner, Rename, Size, Socket, SocketMore, Target, Times,
};
use crate::event::{
    Action, Bytes, Class, Device, Endpoint, Event, FileType, Flags, Given, MountStep, Transport,
    Truncated, append,
};

/// One batch, and how far its events have been read.
#[derive(Debug)]
pub struct Batch<'s> {
    origin: Origin<'s>,
    class: Class,
    first_sequence: u64,
    time_ns: u64,
    sequence: u64,
    strings: Vec<&'s [u8]>,
    actors: Vec<Who<'s>>,
    /// Events not read yet.
    events: Reader<'s>,
    left: u64,
    unknown_events: u64,
    unknown_fields: u64,
}

impl<'s> Batch<'s> {
    /// Reads a payload, `m1:` and its base64url, up to the first event.
    pub fn parse(payload: &[u8], scratch: &'s mut Scratch) -> Result<Batch<'s>, DecodeError> {
        Batch::read(Reader::new(unpack(payload, scratch)?))
    }

    fn read(mut reader: Reader<'s>) -> Result<Batch<'s>, DecodeError> {
        let header = header(&mut reader)?;
        let class = Class::from_number(header.class)
            .ok_or_else(|| reader.error(Reason::Value, "the batch header"))?;

        // No room is reserved for a count before its entries are there.
        let mut strings = Vec::new();
        for _ in 0..reader.take::<u64>("the count of strings")? {
            strings.push(reader.take::<Blob>("a string")?.0);
        }
        let mut actors = Vec::new();
        let mut unknown_fields = 0;
        for _ in 0..reader.take::<u64>("the count of actors")? {
            let mut entry = reader.nested("an actor")?;
            let (who, is_known) = Who::take(&mut entry, &strings)?;
            actors.push(who);
            unknown_fields += u64::from(!is_known);
        }
        let left = reader.take::<u64>("the count of events")?;
        Ok(Batch {
            origin: Origin {
                boot_time_ns: end(reader, left).map(|end| end.boot_time_ns),
                ..origin(&header)
            },
            class,
            first_sequence: header.first_sequence,
            time_ns: header.base_time_ns,
            sequence: header.first_sequence.wrapping_sub(1),
            strings,
            actors,
            events: reader,
            left,
            unknown_events: 0,
            unknown_fields,
        })
    }

    /// Which sensor wrote it.
    pub fn origin(&self) -> &Origin<'s> {
        &self.origin
    }

    /// The class of its events.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The number of its first event.
    pub fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// Unix time of the first event, in nanoseconds.
    pub fn base_time_ns(&self) -> u64 {
        self.time_ns
    }

    /// The numbers of the events that are left, also of those that cannot be read or that this
    /// version does not know.
    pub fn sequences(&self) -> impl Iterator<Item = u64> + use<'s> {
        let (mut events, mut sequence) = (self.events, self.sequence);
        (0..self.left).map_while(move |_| {
            let head: Head = events.nested("an event").ok()?.take("an event's head").ok()?;
            sequence = sequence.wrapping_add(1).wrapping_add(head.sequence_gap);
            Some(sequence)
        })
    }

    /// Events skipped so far because this version does not know what they report.
    pub fn unknown_events(&self) -> u64 {
        self.unknown_events
    }

    /// Actors, events and batches so far that end in something this version does not know.
    pub fn unknown_fields(&self) -> u64 {
        self.unknown_fields
    }

    /// Fills `event` with the next one that this version knows. After an error `event` is
    /// not to be used; the events behind it follow, unless where they begin is lost.
    pub fn next(&mut self, event: &mut Event) -> Option<Result<(), DecodeError>> {
        loop {
            if self.left == 0 {
                let end = match self.events.is_empty() {
                    true => Ok(()),
                    false => self.events.take::<End>("the end of the batch").map(|_| ()),
                };
                self.unknown_fields += u64::from(!self.events.is_empty() && end.is_ok());
                self.events.stop();
                return end.err().map(Err);
            }
            self.left -= 1;
            event.clear();
            match self.step(event) {
                Ok(true) => return Some(Ok(())),
                Ok(false) => self.unknown_events += 1,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// `Ok(false)`: the event is of a kind that this version does not know.
    fn step(&mut self, event: &mut Event) -> Result<bool, DecodeError> {
        let head = self.events.nested("an event").and_then(|mut record| {
            let head = record.take::<Head>("an event's head")?;
            Ok((record, head))
        });
        let (mut record, head) = head.inspect_err(|_| {
            // The times and numbers of all that follow hang on this one.
            self.left = 0;
            self.events.stop();
        })?;
        self.time_ns = self.time_ns.wrapping_add_signed(head.time_delta_ns);
        self.sequence = self.sequence.wrapping_add(1).wrapping_add(head.sequence_gap);
        let Some(action) = Action::from_number(head.action) else { return Ok(false) };
        event.action = action;
        event.time_ns = self.time_ns;
        event.sequence = self.sequence;
        let common = record.take::<Common>("an event")?;
        event.syscall = common.syscall;
        event.ret = common.ret;
        event.flags = Flags(common.flags);
        event.truncated = Truncated(common.truncated);
        if head.actor > 0 {
            let what = "an event's actor";
            let who =
                entry(&self.actors, head.actor).ok_or_else(|| record.error(Reason::Index, what))?;
            who.tell(event, &self.strings, &record)?;
        }
        let known = self.body(event, &mut record)?;
        if known {
            self.unknown_fields += u64::from(!record.is_empty());
        }
        Ok(known)
    }

    /// `Ok(false)`: it is of a kind that this version does not know.
    fn body(&self, event: &mut Event, record: &mut Reader<'s>) -> Result<bool, DecodeError> {
        let mut cut = Truncated::default();
        match event.action {
            Action::Exec => {
                let body = record.take::<Exec>("an exec")?;
                self.path(event, &body.path, record)?;
                if append(&mut event.args, body.args.0) {
                    cut.insert(Truncated::ARGS);
                }
                event.args_count = body.args_count;
                let more = match record.is_empty() {
                    true => ExecMore::default(),
                    false => record.take("what follows an exec")?,
                };
                let directory = &mut event.working_directory;
                if join(&self.strings, directory, &more.working_directory, record)? {
                    cut.insert(Truncated::WORKING_DIRECTORY);
                }
            }
            Action::Fork => {}
            Action::Exit => event.exit_status = record.take::<Exit>("an exit")?.exit_status,
            Action::Setuid | Action::Setgid => {
                event.given = record.take::<Ids>("a change of ids")?.ids.map(Given::Ids);
            }
            Action::Setsid => {}
            Action::Ptrace | Action::Kill => {
                let body = record.take::<Target>("a ptrace or kill")?;
                event.given = body.pid.map(Given::Process);
                event.call_flags = body.call_flags;
            }
            Action::ModuleLoad
            | Action::ModuleUnload
            | Action::BpfLoad
            | Action::MemfdCreate
            | Action::KexecLoad => {
                let body = record.take::<Loaded>("what was loaded")?;
                self.path(event, &body.path, record)?;
                if append(&mut event.from, body.text.0) {
                    cut.insert(Truncated::FROM);
                }
                event.call_flags = body.call_flags;
            }
            Action::Mount => {
                let body = record.take::<Mount>("a mount")?;
                self.path(event, &body.path, record)?;
                if join(&self.strings, &mut event.from, &body.source, record)? {
                    cut.insert(Truncated::FROM);
                }
                let mut kind = Bytes::new();
                if append(&mut kind, body.kind.0) {
                    cut.insert(Truncated::MOUNT_TYPE);
                }
                event.given = if record.is_empty() {
                    (!kind.is_empty()).then_some(Given::Type(kind))
                } else {
                    let more = record.take::<MountMore>("what follows a mount")?;
                    let mut step = MountStep {
                        descriptor: more.descriptor,
                        attributes: more.attributes,
                        option: Bytes::new(),
                    };
                    if append(&mut step.option, more.option.0) {
                        cut.insert(Truncated::MOUNT_OPTION);
                    }
                    Some(Given::Step(step))
                };
                event.call_flags = body.call_flags;
            }
            Action::Unshare | Action::Setns | Action::IoUring => {
                event.call_flags = record.take::<Asked>("flags")?.call_flags;
            }
            Action::ClockSet => {
                let body = record.take::<Clock>("a clock")?;
                event.given = body.time_ns.map(Given::Clock);
                event.call_flags = body.call_flags;
            }
            Action::Open
            | Action::Unlink
            | Action::Rmdir
            | Action::Mkdir
            | Action::Chmod
            | Action::Umount => {
                let body = record.take::<File>("a file event")?;
                self.path(event, &body.path, record)?;
                (event.call_flags, event.mode) = (body.call_flags, body.mode);
            }
            Action::Rename | Action::Link | Action::Symlink => {
                let body = record.take::<Rename>("an event with two names")?;
                self.path(event, &body.path, record)?;
                if join(&self.strings, &mut event.from, &body.from, record)? {
                    cut.insert(Truncated::FROM);
                }
                event.call_flags = body.call_flags;
            }
            Action::Mknod => {
                let body = record.take::<Node>("a mknod")?;
                self.path(event, &body.path, record)?;
                event.mode = body.mode;
                // A type this version does not know is one it was not told.
                let kind = body.file_type.and_then(FileType::from_number);
                let device = body.device.map(|(major, minor)| Device { major, minor });
                event.given = Some(Given::Node(kind, device));
            }
            Action::Chown => {
                let body = record.take::<Owner>("a chown")?;
                self.path(event, &body.path, record)?;
                event.given = Some(Given::Owner(body.uid, body.gid));
            }
            Action::Truncate => {
                let body = record.take::<Size>("a truncate")?;
                self.path(event, &body.path, record)?;
                event.given = body.size.map(Given::Size);
            }
            Action::Utime => {
                let body = record.take::<Times>("a utime")?;
                self.path(event, &body.path, record)?;
                event.given = Some(Given::Modified(body.modified_ns));
            }
            Action::Setxattr => {
                let body = record.take::<Attribute>("a setxattr")?;
                self.path(event, &body.path, record)?;
                if append(&mut event.from, body.name.0) {
                    cut.insert(Truncated::FROM);
                }
            }
            Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
                let body = record.take::<Socket>("a call on a socket")?;
                let more = match record.is_empty() {
                    true => SocketMore::default(),
                    false => record.take("a socket's own address")?,
                };
                if join(&self.strings, &mut event.path, &body.path, record)? {
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
                let Some(own_cut) = own::read(event, record)? else { return Ok(false) };
                cut.insert(own_cut);
            }
        }
        event.truncated.insert(cut);
        Ok(true)
    }

    fn path(&self, event: &mut Event, path: &Joined, at: &Reader) -> Result<(), DecodeError> {
        if join(&self.strings, &mut event.path, path, at)? {
            event.truncated.insert(Truncated::PATH);
        }
        Ok(())
    }
}

/// What stands behind the events; that they can be read is another matter.
fn end(mut reader: Reader, events: u64) -> Option<End> {
    for _ in 0..events {
        reader.nested("an event").ok()?;
    }
    reader.take("the end of the batch").ok()
}
