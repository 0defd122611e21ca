//! A line of syslog to lines of events: the whole of what `mote decode` does to its input.

use super::recent::{Recent, StreamId};
use super::verify::Verifier;
use crate::event::Event;
use crate::format::{self, Format};
use crate::record::{Batch, DecodeError, Reason, Scratch, find, origin_of_refused};
use std::io;
use std::path::Path;

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
    /// Events that the format has no form for.
    pub without_form: u64,
}

/// Decodes line after line.
pub struct Decoder {
    format: Format,
    scratch: Scratch,
    format_scratch: format::Scratch,
    event: Box<Event>,
    recent: Recent,
    counts: Counts,
    /// In place of writing the events.
    verifier: Option<Verifier>,
}

impl Decoder {
    /// A decoder that has read nothing, and writes documents of the Elastic Common Schema.
    pub fn new() -> Decoder {
        Decoder::writing(Format::Ecs)
    }

    /// The same in another format.
    pub fn writing(format: Format) -> Decoder {
        Decoder {
            format,
            scratch: Scratch::new(),
            format_scratch: format::Scratch::new(),
            event: Box::new(Event::new()),
            recent: Recent::default(),
            counts: Counts::default(),
            verifier: None,
        }
    }

    /// Remembers in this file too what was read, and knows what is there.
    pub fn keep_recent(&mut self, path: &Path) -> io::Result<()> {
        self.recent = Recent::kept(path)?;
        Ok(())
    }

    /// How many batches are to be remembered in the file, once their events are written.
    pub fn unwritten(&self) -> usize {
        self.recent.unwritten()
    }

    /// The events of all batches so far are where they belong.
    pub fn events_are_written(&mut self) {
        self.recent.write();
    }

    /// One that writes no events, and finds out which are missing.
    pub fn verifying() -> Decoder {
        Decoder { verifier: Some(Verifier::default()), ..Decoder::new() }
    }

    /// Of one that is verifying: what it found.
    pub fn take_verifier(&mut self) -> Option<Verifier> {
        self.verifier.take()
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
        out: &mut dyn io::Write,
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
                if let Some(verifier) = &mut self.verifier {
                    verifier.unreadable(origin_of_refused(payload, &mut self.scratch).as_ref());
                }
                return Ok(());
            }
        };
        let stream = StreamId { run: batch.origin().run(), class: batch.class() };
        let identity = self.recent.identity(stream, payload);
        if self.recent.has(identity) {
            self.counts.duplicates += 1;
            if let Some(verifier) = &mut self.verifier {
                verifier.repeated(batch.origin());
            }
            return Ok(());
        }
        let (origin, time_ns, numbers) = (*batch.origin(), batch.base_time_ns(), batch.sequences());
        let events_before = self.verifier.as_mut().map_or(0, |verifier| verifier.events(&origin));
        let mut whole = true;
        while let Some(result) = batch.next(&mut self.event) {
            match result {
                Ok(()) => {
                    let has_form = match &mut self.verifier {
                        Some(verifier) => {
                            verifier.event(&origin, &self.event);
                            true
                        }
                        None => self.format.write(
                            out,
                            &mut self.format_scratch,
                            &origin,
                            &self.event,
                        )?,
                    };
                    self.counts.events += u64::from(has_form);
                    self.counts.without_form += u64::from(!has_form);
                }
                Err(error) => {
                    whole = false;
                    report(error);
                }
            }
        }
        self.counts.unknown_events += batch.unknown_events();
        self.counts.unknown_fields += batch.unknown_fields();
        if whole {
            self.recent.remember(identity);
            if let Some(verifier) = &mut self.verifier {
                verifier.batch(&origin, time_ns, numbers, events_before);
            }
        } else {
            // A second copy may be whole: its events are worth more than their repetition.
            self.counts.bad += 1;
            if let Some(verifier) = &mut self.verifier {
                verifier.unreadable(Some(&origin));
            }
        }
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}
