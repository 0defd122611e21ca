//! A line of syslog to lines of events: the whole of what `mote decode` does to its input.

use super::output::Output;
use crate::event::Event;
use crate::limits::DECODE_RECENT;
use crate::record::{Batch, DecodeError, Reason, Scratch, find};
use std::hash::{BuildHasher, RandomState};
use std::io;

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines without a record.
    pub other_lines: u64,
    /// Events written.
    pub events: u64,
    /// Records that could not be read, in whole or in part.
    pub bad: u64,
    /// Batches that had been read before.
    pub duplicates: u64,
    /// Batches of a version that this program does not know.
    pub unknown_versions: u64,
    /// Events of a kind that this program does not know.
    pub unknown_events: u64,
    /// Actors, events and batches with more fields than this program knows.
    pub unknown_fields: u64,
    /// Events that the output has no form for.
    pub without_form: u64,
}

/// Decodes line after line.
pub struct Decoder {
    output: Output,
    scratch: Scratch,
    event: Box<Event>,
    /// Hashes of payloads, with keys of this run: nobody can make another payload with the
    /// hash of one that is to be hidden. What is sent again is the same to the byte.
    recent: heapless::Deque<u64, DECODE_RECENT>,
    keys: RandomState,
    counts: Counts,
}

impl Decoder {
    /// A decoder that has read nothing, and writes documents of the Elastic Common Schema.
    pub fn new() -> Decoder {
        Decoder::writing(Output::Ecs)
    }

    /// The same with another output.
    pub fn writing(output: Output) -> Decoder {
        Decoder {
            output,
            scratch: Scratch::new(),
            event: Box::new(Event::new()),
            recent: heapless::Deque::new(),
            keys: RandomState::new(),
            counts: Counts::default(),
        }
    }

    /// What was read so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Writes the events of the record in `line`, if there is one, and gives to `report`
    /// what could not be read of it. An error is one of `out`.
    pub fn line(
        &mut self,
        line: &[u8],
        out: &mut impl io::Write,
        report: &mut dyn FnMut(DecodeError),
    ) -> io::Result<()> {
        let Some(payload) = find(line) else {
            self.counts.other_lines += 1;
            return Ok(());
        };
        let mut batch = match Batch::parse(payload, &mut self.scratch) {
            Ok(batch) => batch,
            Err(DecodeError { reason: Reason::Version(_), .. }) => {
                self.counts.unknown_versions += 1;
                return Ok(());
            }
            Err(error) => {
                self.counts.bad += 1;
                report(error);
                return Ok(());
            }
        };
        let identity = self.keys.hash_one(payload);
        if self.recent.iter().any(|seen| *seen == identity) {
            self.counts.duplicates += 1;
            return Ok(());
        }
        let mut whole = true;
        while let Some(result) = batch.next(&mut self.event) {
            match result {
                Ok(()) => match self.output.write(out, batch.origin(), &self.event)? {
                    true => self.counts.events += 1,
                    false => self.counts.without_form += 1,
                },
                Err(error) => {
                    whole = false;
                    report(error);
                }
            }
        }
        self.counts.unknown_events += batch.unknown_events();
        self.counts.unknown_fields += batch.unknown_fields();
        if whole {
            self.remember(identity);
        } else {
            // A second copy may be whole: its events are worth more than their repetition.
            self.counts.bad += 1;
        }
        Ok(())
    }

    fn remember(&mut self, identity: u64) {
        if self.recent.is_full() {
            self.recent.pop_front();
        }
        // There is room now.
        let _ = self.recent.push_back(identity);
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}
