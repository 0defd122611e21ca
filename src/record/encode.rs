//! Events to a line, without the heap.

use super::actor;
use super::dictionary::{Dictionary, Mark};
use super::own;
use super::wire::{
    Asked, Attribute, Blob, Clock, Common, End, Exec, ExecMore, Exit, File, HEADER_BYTES, Head,
    Header, Ids, Loaded, Mount, MountMore, Node, Owner, Rename, Side, Size, Socket, SocketMore,
    Target, Times,
};
use super::{Context, PREFIX, Provider, VERSION};
use crate::event::{Action, Bytes, Class, Event, Given};
use crate::limits::{BATCH_ACTORS, BATCH_BYTES, BATCH_STRINGS, HOSTNAME_BYTES, LINE_BYTES};
use base64ct::{Base64UrlUnpadded, Encoder as Base64};
use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The batch has no room for it: finish the batch, then push it again.
    Full,
    /// Not even an empty batch has room for it: its paths are near their capacity and
    /// share nothing. Without what [`Event::shed`] takes away it always fits.
    TooLarge,
}

/// Collects events of one class for one line. Dictionaries stand before the events that
/// refer to them, so the three parts grow apart and are joined at the end.
pub struct Encoder {
    class: Class,
    context: Context,
    first_time_ns: u64,
    first_sequence: u64,
    last_time_ns: u64,
    last_sequence: u64,
    count: usize,
    strings: Dictionary<BATCH_STRINGS>,
    actors: Dictionary<BATCH_ACTORS>,
    events: Bytes<BATCH_BYTES>,
    /// One actor or event, until its length is known.
    scratch: Bytes<BATCH_BYTES>,
    boot_time_ns: Option<i64>,
}

/// A buffer or the dictionary of actors has no room.
struct NoRoom;

impl From<postcard::Error> for NoRoom {
    fn from(_: postcard::Error) -> NoRoom {
        NoRoom
    }
}

impl Encoder {
    /// An empty batch of `class`.
    pub fn new(class: Class, context: Context) -> Encoder {
        Encoder {
            class,
            context,
            first_time_ns: 0,
            first_sequence: 0,
            last_time_ns: 0,
            last_sequence: 0,
            count: 0,
            strings: Dictionary::new(),
            actors: Dictionary::new(),
            events: Bytes::new(),
            scratch: Bytes::new(),
            boot_time_ns: None,
        }
    }

    /// From the next batch on events come from this provider. The batch has to be empty.
    pub fn set_provider(&mut self, provider: Provider) {
        debug_assert!(self.is_empty(), "a batch has one provider");
        self.context.provider = provider;
    }

    /// From the next batch on the host has this name. The batch has to be empty.
    pub fn set_hostname(&mut self, hostname: &Bytes<HOSTNAME_BYTES>) {
        debug_assert!(self.is_empty(), "a batch has one host");
        self.context.hostname.clone_from(hostname);
    }

    /// When the host booted, as Unix time in nanoseconds, by its clock now. It is in every batch
    /// from now on.
    pub fn set_boot_time(&mut self, boot_time_ns: i64) {
        self.boot_time_ns = Some(boot_time_ns);
    }

    /// How many events are in the batch.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no event is in the batch.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one event, or leaves the batch as it was.
    pub fn push(&mut self, event: &Event) -> Result<(), PushError> {
        let marks = (self.strings.mark(), self.actors.mark(), self.events.len());
        if self.is_empty() {
            (self.first_time_ns, self.last_time_ns) = (event.time_ns, event.time_ns);
            self.first_sequence = event.sequence;
            self.last_sequence = event.sequence.wrapping_sub(1);
        }
        if self.write(event).is_err() || self.bytes() > BATCH_BYTES {
            self.back_to(&marks);
            return Err(if self.is_empty() { PushError::TooLarge } else { PushError::Full });
        }
        self.last_time_ns = event.time_ns;
        self.last_sequence = event.sequence;
        self.count += 1;
        Ok(())
    }

    /// Writes the batch as a line's payload to `out` and begins the next one. Gives the
    /// number of events in it; of an empty batch `out` is empty.
    ///
    /// `realtime_offset_ns` is Unix time less `CLOCK_MONOTONIC`.
    pub fn finish(&mut self, realtime_offset_ns: i64, out: &mut Bytes<LINE_BYTES>) -> usize {
        out.clear();
        let count = if self.count > 0 && self.join(realtime_offset_ns, out).is_none() {
            // Unreachable: the assertion at `join` is about every length there is.
            out.clear();
            0
        } else {
            self.count
        };
        self.strings.clear();
        self.actors.clear();
        self.events.clear();
        self.count = 0;
        count
    }

    /// The most that the batch takes when it is joined.
    fn bytes(&self) -> usize {
        HEADER_BYTES + self.strings.wire().len() + self.actors.wire().len() + self.events.len()
    }

    fn back_to(&mut self, (strings, actors, events): &(Mark, Mark, usize)) {
        self.strings.back_to(strings);
        self.actors.back_to(actors);
        self.events.truncate(*events);
    }

    fn write(&mut self, event: &Event) -> Result<(), NoRoom> {
        let executable = self.strings.whole(&event.executable);
        self.scratch.clear();
        let actor = match actor::write(event, executable, &mut self.strings, &mut self.scratch)? {
            true => self.actors.number(&self.scratch).ok_or(NoRoom)?,
            false => 0,
        };
        let out = &mut self.scratch;
        out.clear();
        append(
            out,
            &Head {
                action: event.action as u8,
                time_delta_ns: event.time_ns.wrapping_sub(self.last_time_ns) as i64,
                sequence_gap: event.sequence.wrapping_sub(self.last_sequence).wrapping_sub(1),
                actor,
            },
        )?;
        append(
            out,
            &Common {
                syscall: event.syscall,
                ret: event.ret,
                flags: event.flags.0,
                truncated: event.truncated.0,
            },
        )?;
        // The path of an exec is the executable of its process from then on.
        let path = if event.path == event.executable {
            executable
        } else {
            self.strings.split(&event.path)
        };
        match event.action {
            Action::Exec => {
                let args = Blob(&event.args);
                append(out, &Exec { path, args, args_count: event.args_count })?;
                if !event.working_directory.is_empty() {
                    let working_directory = self.strings.whole(&event.working_directory);
                    append(out, &ExecMore { working_directory })?;
                }
            }
            Action::Fork => {}
            Action::Exit => append(out, &Exit { exit_status: event.exit_status })?,
            Action::Setuid | Action::Setgid => {
                let ids = match event.given {
                    Some(Given::Ids(ids)) => Some(ids),
                    _ => None,
                };
                append(out, &Ids { ids })?;
            }
            Action::Setsid => {}
            Action::Ptrace | Action::Kill => {
                let pid = match event.given {
                    Some(Given::Process(pid)) => Some(pid),
                    _ => None,
                };
                append(out, &Target { pid, call_flags: event.call_flags })?;
            }
            Action::ModuleLoad
            | Action::ModuleUnload
            | Action::BpfLoad
            | Action::MemfdCreate
            | Action::KexecLoad => {
                let text = Blob(&event.from);
                append(out, &Loaded { path, text, call_flags: event.call_flags })?;
            }
            Action::Mount => {
                let source = self.strings.split(&event.from);
                let kind = match &event.given {
                    Some(Given::Type(kind)) => Blob(kind),
                    _ => Blob(b""),
                };
                append(out, &Mount { path, source, kind, call_flags: event.call_flags })?;
                if let Some(Given::Step(step)) = &event.given {
                    let (descriptor, attributes) = (step.descriptor, step.attributes);
                    append(out, &MountMore { descriptor, option: Blob(&step.option), attributes })?;
                }
            }
            Action::Unshare | Action::Setns | Action::IoUring => {
                append(out, &Asked { call_flags: event.call_flags })?;
            }
            Action::ClockSet => {
                let time_ns = match event.given {
                    Some(Given::Clock(time_ns)) => Some(time_ns),
                    _ => None,
                };
                append(out, &Clock { time_ns, call_flags: event.call_flags })?;
            }
            Action::Open
            | Action::Unlink
            | Action::Rmdir
            | Action::Mkdir
            | Action::Chmod
            | Action::Umount => {
                append(out, &File { path, call_flags: event.call_flags, mode: event.mode })?;
            }
            Action::Rename | Action::Link | Action::Symlink => {
                let from = self.strings.split(&event.from);
                append(out, &Rename { path, from, call_flags: event.call_flags })?;
            }
            Action::Mknod => {
                let (file_type, device) = match event.given {
                    Some(Given::Node(kind, device)) => (kind, device),
                    _ => (None, None),
                };
                let file_type = file_type.map(|kind| kind as u8);
                let device = device.map(|device| (device.major, device.minor));
                append(out, &Node { path, mode: event.mode, file_type, device })?;
            }
            Action::Chown => {
                let (uid, gid) = match event.given {
                    Some(Given::Owner(uid, gid)) => (uid, gid),
                    _ => (None, None),
                };
                append(out, &Owner { path, uid, gid })?;
            }
            Action::Truncate => {
                let size = match event.given {
                    Some(Given::Size(size)) => Some(size),
                    _ => None,
                };
                append(out, &Size { path, size })?;
            }
            Action::Utime => {
                let modified_ns = match event.given {
                    Some(Given::Modified(modified_ns)) => modified_ns,
                    _ => None,
                };
                append(out, &Times { path, modified_ns })?;
            }
            Action::Setxattr => append(out, &Attribute { path, name: Blob(&event.from) })?,
            Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send => {
                let transport = event.transport.map_or(0, |transport| transport as u8);
                append(out, &Socket { peer: event.peer.map(Side::from), transport, path })?;
                let (asked, count) = match event.given {
                    Some(Given::Asked(asked)) => (Some(asked.into()), None),
                    Some(Given::Backlog(count) | Given::Messages(count)) => (None, Some(count)),
                    _ => (None, None),
                };
                append(out, &SocketMore { local: event.local.map(Side::from), asked, count })?;
            }
            Action::Loss
            | Action::Heartbeat
            | Action::Capability
            | Action::Pause
            | Action::Resume => own::write(event, out)?,
        }
        append(&mut self.events, &Blob(&self.scratch))?;
        Ok(())
    }

    /// `None`: a part does not fit. The lengths below prove that every part does.
    fn join(&self, realtime_offset_ns: i64, out: &mut Bytes<LINE_BYTES>) -> Option<()> {
        const _: () = assert!(PREFIX.len() + BATCH_BYTES.div_ceil(3) * 4 <= LINE_BYTES);
        let mut part = Bytes::<HEADER_BYTES>::new();
        let header = Header {
            version: VERSION,
            class: self.class as u8,
            boot_id: self.context.boot_id,
            start_ns: self.context.start_ns,
            arch: self.context.arch as u8,
            provider: self.context.provider as u8,
            hostname: Blob(&self.context.hostname),
            base_time_ns: self.first_time_ns.wrapping_add_signed(realtime_offset_ns),
            first_sequence: self.first_sequence,
        };
        out.resize(LINE_BYTES, 0).ok()?;
        let (prefix, body) = out.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        let mut base64 = Base64::<Base64UrlUnpadded>::new(body).ok()?;
        append(&mut part, &header).ok()?;
        append(&mut part, &self.strings.count()).ok()?;
        base64.encode(&part).ok()?;
        base64.encode(self.strings.wire()).ok()?;
        part.clear();
        append(&mut part, &self.actors.count()).ok()?;
        base64.encode(&part).ok()?;
        base64.encode(self.actors.wire()).ok()?;
        part.clear();
        append(&mut part, &self.count).ok()?;
        base64.encode(&part).ok()?;
        base64.encode(&self.events).ok()?;
        if let Some(boot_time_ns) = self.boot_time_ns {
            part.clear();
            append(&mut part, &End { boot_time_ns }).ok()?;
            base64.encode(&part).ok()?;
        }
        let written = base64.finish().ok()?.len();
        out.truncate(PREFIX.len() + written);
        Some(())
    }
}

/// The end of a buffer, as something postcard can write to.
struct Tail<'a, const N: usize>(&'a mut Bytes<N>);

impl<const N: usize> Flavor for Tail<'_, N> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte).map_err(|_| postcard::Error::SerializeBufferFull)
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes).map_err(|_| postcard::Error::SerializeBufferFull)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes `value` behind what is in `buffer`; on failure a part of it may be there.
pub(super) fn append<const N: usize>(
    buffer: &mut Bytes<N>,
    value: &impl Serialize,
) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Tail(buffer))
}
