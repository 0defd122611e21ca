//! A line to events. Nothing a record says is believed before it is checked: what the
//! decoder holds is bounded by the bytes it was given.

use super::actor::Who;
use super::body::Body;
use super::envelope::{Front, Scratch, check, unpack};
use super::error::{DecodeError, Reason};
use super::memory::{self, Memory};
use super::reader::{Reader, entry};
use super::wire::{Blob, BootTime, Head, Values};
use super::{Origin, VERSION_1};
use crate::event::{Action, Class, Event, Flags, Truncated};
use crate::limits::DECODE_EVENTS;

/// One batch, and how far its events have been read.
#[derive(Debug)]
pub struct Batch<'s> {
    origin: Origin<'s>,
    class: Class,
    base_time_ns: u64,
    time_ns: u64,
    sequence: u64,
    strings: Vec<&'s [u8]>,
    actors: Vec<Who<'s>>,
    /// What its events are compared with; none: the batch is of version 1.
    memory: Option<&'s mut Memory>,
    /// Events not read yet.
    events: Reader<'s>,
    left: u64,
    unknown_events: u64,
    unknown_fields: u64,
}

impl<'s> Batch<'s> {
    /// Reads a payload, `m1:` and its base64url, up to the first event.
    pub fn parse(payload: &[u8], scratch: &'s mut Scratch) -> Result<Batch<'s>, DecodeError> {
        let (bytes, memory) = unpack(payload, scratch)?;
        let mut reader = Reader::new(bytes);
        let front = Front::take(&mut reader)?;
        let memory = match front.version {
            VERSION_1 => None,
            _ => {
                check(bytes)?;
                memory.clear();
                Some(memory)
            }
        };
        let class = front.class.ok_or_else(|| reader.error(Reason::Value, "the batch header"))?;

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
        let mut origin = front.origin();
        match memory {
            None => origin.boot_time_ns = end(reader, left),
            // Two names of 2,048 bytes take few bytes: what comes of a batch is bounded by this.
            Some(_) if left > DECODE_EVENTS => {
                return Err(reader.error(Reason::TooLong, "the list of events"));
            }
            Some(_) => {}
        }
        Ok(Batch {
            origin,
            class,
            base_time_ns: front.header.base_time_ns,
            time_ns: front.header.base_time_ns,
            sequence: front.header.first_sequence.wrapping_sub(1),
            strings,
            actors,
            memory,
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

    /// Unix time of the first event, in nanoseconds.
    pub fn base_time_ns(&self) -> u64 {
        self.base_time_ns
    }

    /// The numbers of the events that are left, also of those that cannot be read or that this
    /// version does not know.
    pub fn sequences(&self) -> impl Iterator<Item = u64> + use<'s> {
        let (mut events, mut sequence) = (self.events, self.sequence);
        let is_version_1 = self.memory.is_none();
        (0..self.left).map_while(move |_| {
            let mut event = events.nested("an event").ok()?;
            let head: Head = match is_version_1 {
                true => event.take("an event's head").ok()?,
                // Its gap does not depend on the event before.
                false => memory::head(&mut event, 0, 0).ok()?.0,
            };
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
    /// not to be used. In version 1 the events behind it follow, unless where they begin is lost; in
    /// version 2 none do: what they are compared with is not known.
    pub fn next(&mut self, event: &mut Event) -> Option<Result<(), DecodeError>> {
        loop {
            if self.left == 0 {
                return self.end();
            }
            self.left -= 1;
            event.clear();
            match self.step(event) {
                Ok(true) => return Some(Ok(())),
                Ok(false) => self.unknown_events += 1,
                Err(error) => {
                    if self.memory.is_some() {
                        self.stop();
                    }
                    return Some(Err(error));
                }
            }
        }
    }

    /// Looks at what stands behind the events.
    fn end(&mut self) -> Option<Result<(), DecodeError>> {
        let end = match self.memory.is_some() || self.events.is_empty() {
            true => Ok(()),
            false => self.events.take::<BootTime>("the end of the batch").map(|_| ()),
        };
        self.unknown_fields += u64::from(!self.events.is_empty() && end.is_ok());
        self.events.stop();
        end.err().map(Err)
    }

    fn stop(&mut self) {
        self.left = 0;
        self.events.stop();
    }

    /// `Ok(false)`: the event is of a kind that this version does not know.
    fn step(&mut self, event: &mut Event) -> Result<bool, DecodeError> {
        let memory = &mut self.memory;
        let head = self.events.nested("an event").and_then(|mut record| {
            let (head, has) = match memory {
                Some(memory) => memory.head(&mut record)?,
                None => (record.take::<Head>("an event's head")?, 0),
            };
            Ok((record, head, has))
        });
        // The times and numbers of all that follow hang on this one.
        let (mut record, head, has) = head.inspect_err(|_| self.stop())?;
        self.time_ns = self.time_ns.wrapping_add_signed(head.time_delta_ns);
        self.sequence = self.sequence.wrapping_add(1).wrapping_add(head.sequence_gap);
        let Some(action) = Action::from_number(head.action) else { return Ok(false) };
        event.action = action;
        event.time_ns = self.time_ns;
        event.sequence = self.sequence;
        let values = match &mut self.memory {
            Some(memory) => memory.values(action, has, &mut record)?,
            None => {
                let (syscall, ret, flags, truncated) = record.take("an event")?;
                Values { syscall, ret, flags, truncated, call_flags: None, mode: None }
            }
        };
        event.syscall = values.syscall;
        event.ret = values.ret;
        event.flags = Flags(values.flags);
        event.truncated = Truncated(values.truncated);
        event.call_flags = values.call_flags;
        event.mode = values.mode;
        if head.actor > 0 {
            let what = "an event's actor";
            let who =
                entry(&self.actors, head.actor).ok_or_else(|| record.error(Reason::Index, what))?;
            who.tell(event, &self.strings, &record)?;
        }
        let known = Body {
            record: &mut record,
            strings: &self.strings,
            memory: self.memory.as_mut().map(|memory| (&mut **memory, head.actor)),
        }
        .read(event)?;
        if known {
            self.unknown_fields += u64::from(!record.is_empty() || has & !memory::KNOWN != 0);
        }
        Ok(known)
    }
}

/// What stands behind the events of version 1; that they can be read is another matter.
fn end(mut reader: Reader, events: u64) -> Option<BootTime> {
    for _ in 0..events {
        reader.nested("an event").ok()?;
    }
    reader.take("the end of the batch").ok()
}
