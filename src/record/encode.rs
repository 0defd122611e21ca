//! Events to a line, without the heap.

use super::actor;
use super::dictionary::{Dictionary, Mark};
use super::fields;
use super::memory::Memory;
use super::recent_actors::RecentActors;
use super::wire::{Blob, BootTime, HEADER_BYTES, Head, Header, Values};
use super::{CHECKSUM_AT, CLASS_OFFSET, Context, PREFIX, Provider, VERSION};
use crate::event::{Bytes, Class, Event, extend};
use crate::limits::{
    BATCH_ACTORS, BATCH_BYTES, BATCH_EVENTS, BATCH_STRINGS, HOSTNAME_BYTES, LINE_BYTES,
};
use base64ct::{Base64UrlUnpadded, Encoder as Base64};
use crc32fast::Hasher;
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
    strings: Strings,
    actors: Dictionary<BATCH_ACTORS>,
    events: Bytes<BATCH_BYTES>,
    memory: Box<Memory>,
    recent_actors: Box<RecentActors>,
    /// One actor, until it is known whether it has a number.
    scratch: Bytes<BATCH_BYTES>,
    boot_time_ns: Option<BootTime>,
}

pub(super) type Strings = Dictionary<BATCH_STRINGS>;

/// An event that is written, and is to be remembered if it has room.
struct Written<'e> {
    head: Head,
    values: Values,
    names: [&'e [u8]; 2],
}

/// A buffer or the dictionary of actors has no room.
pub(super) struct NoRoom;

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
            memory: Box::new(Memory::new()),
            recent_actors: Box::new(RecentActors::new()),
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
        let written = match self.write(event) {
            Ok(written) if self.bytes() <= BATCH_BYTES && self.count < BATCH_EVENTS => written,
            _ => {
                self.back_to(&marks);
                return Err(if self.is_empty() { PushError::TooLarge } else { PushError::Full });
            }
        };
        self.recent_actors.remember(event, written.head.actor);
        self.memory.remember(&written.head, &written.values);
        let names = self.memory.names_mut(written.head.actor);
        written.names.into_iter().for_each(|name| names.remember(name));
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
        self.recent_actors.clear();
        self.events.clear();
        self.memory.clear();
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

    fn write<'e>(&mut self, event: &'e Event) -> Result<Written<'e>, NoRoom> {
        let actor = match self.recent_actors.find(event) {
            Some(number) => number,
            None => self.actor(event)?,
        };
        let head = Head {
            action: event.action as u8,
            time_delta_ns: event.time_ns.wrapping_sub(self.last_time_ns) as i64,
            sequence_gap: event.sequence.wrapping_sub(self.last_sequence).wrapping_sub(1),
            actor,
        };
        let values = fields::values(event);
        let names = self.memory.names(actor).pair();
        let start = self.events.len();
        self.events.push(0).map_err(|_| NoRoom)?;
        self.memory.write(&head, &values, &mut self.events)?;
        let names = fields::write(event, names, &mut self.strings, &mut self.events)?;
        put_length(&mut self.events, start)?;
        Ok(Written { head, values, names })
    }

    /// The number of the event's actor; 0: it has none.
    fn actor(&mut self, event: &Event) -> Result<u32, NoRoom> {
        self.scratch.clear();
        match actor::write(event, &mut self.strings, &mut self.scratch)? {
            true => self.actors.number(&self.scratch).ok_or(NoRoom),
            false => Ok(0),
        }
    }

    /// `None`: a part does not fit. The lengths below prove that every part does.
    fn join(&self, realtime_offset_ns: i64, out: &mut Bytes<LINE_BYTES>) -> Option<()> {
        const _: () = assert!(PREFIX.len() + BATCH_BYTES.div_ceil(3) * 4 <= LINE_BYTES);
        let mut header = Bytes::<HEADER_BYTES>::new();
        append(&mut header, &(VERSION, self.class as u8 + CLASS_OFFSET)).ok()?;
        let what_follows = Header {
            boot_id: self.context.boot_id,
            start_ns: self.context.start_ns,
            arch: self.context.arch as u8,
            provider: self.context.provider as u8,
            hostname: Blob(&self.context.hostname),
            base_time_ns: self.first_time_ns.wrapping_add_signed(realtime_offset_ns),
            first_sequence: self.first_sequence,
        };
        append(&mut header, &what_follows).ok()?;
        append(&mut header, &self.boot_time_ns).ok()?;
        append(&mut header, &self.strings.count()).ok()?;
        let (mut actors, mut events) = (Bytes::<5>::new(), Bytes::<5>::new());
        append(&mut actors, &self.actors.count()).ok()?;
        append(&mut events, &self.count).ok()?;
        let (begin, header) = header.split_at(CHECKSUM_AT);
        let parts =
            [header, self.strings.wire(), &actors, self.actors.wire(), &events, &self.events];
        let mut checksum = Hasher::new();
        checksum.update(begin);
        parts.iter().for_each(|part| checksum.update(part));

        out.resize(LINE_BYTES, 0).ok()?;
        let (prefix, body) = out.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        let mut base64 = Base64::<Base64UrlUnpadded>::new(body).ok()?;
        base64.encode(begin).ok()?;
        base64.encode(&checksum.finalize().to_le_bytes()).ok()?;
        for part in parts {
            base64.encode(part).ok()?;
        }
        let written = base64.finish().ok()?.len();
        out.truncate(PREFIX.len() + written);
        Some(())
    }
}

/// Makes what is in `buffer` from `start` on a byte string: the byte there is for its length, which
/// takes more of a long one.
fn put_length<const N: usize>(buffer: &mut Bytes<N>, start: usize) -> Result<(), NoRoom> {
    let content = start + 1..buffer.len();
    let mut length = Bytes::<5>::new();
    append(&mut length, &(content.len() as u32))?;
    let (_, more) = length.split_at(1);
    extend(buffer, more).ok_or(NoRoom)?;
    if !more.is_empty() {
        buffer.copy_within(content, start + length.len());
    }
    buffer[start..start + length.len()].copy_from_slice(&length);
    Ok(())
}

/// The end of a buffer, as something postcard can write to.
struct Tail<'a, const N: usize>(&'a mut Bytes<N>);

impl<const N: usize> Flavor for Tail<'_, N> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte).map_err(|_| postcard::Error::SerializeBufferFull)
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        // As most numbers are; to copy it would be a call.
        if let [byte] = bytes {
            return self.try_push(*byte);
        }
        extend(self.0, bytes).ok_or(postcard::Error::SerializeBufferFull)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, ExecutableKind, Runtime};
    use fastrand::Rng;

    fn event(rng: &mut Rng, most_actors: u32) -> Event {
        let mut event = Event::new();
        event.action = if rng.bool() { Action::Unlink } else { Action::Rename };
        let directory = rng.u32(..200);
        event.path.extend_from_slice(format!("/d{directory}/x").as_bytes()).unwrap();
        // Number 0 is nobody.
        let most = if rng.bool() { 4 } else { most_actors };
        let actor = rng.u32(..most);
        (event.pid, event.tid) = (actor, actor + u32::from(actor % 2 == 1 && rng.bool()));
        if !actor.is_multiple_of(3) {
            let executable = format!("/usr/lib/{}/{actor}", "x".repeat(rng.usize(..2) * 900));
            event.executable.extend_from_slice(executable.as_bytes()).unwrap();
            event.lineage.parent_executable.extend_from_slice(b"/sbin/init").unwrap();
        }
        event.executable_kind = (actor % 5 == 1).then_some(ExecutableKind::Memfd);
        event.lineage.runtime = (actor % 7 == 1).then_some(Runtime::Docker);
        event.lineage.session = (actor % 2 == 1).then_some(actor);
        event
    }

    #[test]
    fn a_length_is_put_as_postcard_puts_it() {
        const ROOM: usize = 16_400;
        for length in (0..300).chain(16_380..16_390) {
            let content = vec![b'x'; length];
            let mut expected = Bytes::<ROOM>::from_slice(b"before").unwrap();
            append(&mut expected, &Blob(&content)).unwrap();
            let mut put = Bytes::<ROOM>::from_slice(b"before").unwrap();
            put.push(0).unwrap();
            put.extend_from_slice(&content).unwrap();
            assert!(put_length(&mut put, "before".len()).is_ok() && put == expected, "{length}");
        }
        // For the first byte there is room, for the second none.
        let mut full = Bytes::<129>::from_slice(&[b'x'; 129]).unwrap();
        assert!(put_length(&mut full, 0).is_err());
        assert!(put_length(&mut full, 1).is_ok());
    }

    /// To find an actor that wrote last is faster, and nothing else.
    #[test]
    fn recent_actors_change_no_byte() {
        let context = Context {
            boot_id: [7; 16],
            start_ns: 1,
            hostname: Bytes::from_slice(b"gate").unwrap(),
            arch: crate::syscalls::Arch::HOST,
            provider: Provider::Ebpf,
        };
        let [mut with, mut without] = [(); 2].map(|()| Encoder::new(Class::Bulk, context.clone()));
        let [mut line, mut other] = [(); 2].map(|()| Bytes::<LINE_BYTES>::new());
        let (mut found, mut full) = (0, 0);
        for seed in 0..60 {
            let mut rng = Rng::with_seed(seed);
            let most_actors = rng.u32(2..300);
            for _ in 0..400 {
                let event = event(&mut rng, most_actors);
                found += u32::from(with.recent_actors.find(&event).is_some());
                without.recent_actors.clear();
                let result = with.push(&event);
                assert_eq!(result, without.push(&event));
                full += u32::from(result.is_err());
                // Some go on behind an event that did not fit.
                if result.is_err() && rng.bool() {
                    with.finish(0, &mut line);
                    without.finish(0, &mut other);
                    assert!(line == other, "{seed}");
                }
            }
            with.finish(0, &mut line);
            without.finish(0, &mut other);
            assert!(line == other, "{seed}");
        }
        assert!(found > 2_000 && full > 1_000, "{found}, {full}");
    }
}
