//! A batch as one message an event, for receivers that do not read records.

use super::account::Lost;
use super::frame::Framer;
use super::outgoing::Messages;
use super::queue::Head;
use crate::event::{Event, IfLost};
use crate::format::{self, Format};
use crate::limits::{LINE_BYTES, PATH_BYTES, SHORTENED_BYTES, SYSLOG_HEADER_BYTES};
use crate::record::{Batch, Origin, Scratch};
use std::io::Cursor;
use syslog::Severity;

/// What stands in one syslog message at most.
const PAYLOAD_BYTES: usize = LINE_BYTES - SYSLOG_HEADER_BYTES;

pub(super) struct Expander {
    format: Format,
    /// Of the receiver among all.
    place: usize,
    scratch: Scratch,
    format_scratch: format::Scratch,
    event: Box<Event>,
    line: Box<[u8]>,
    /// How many events of the batch are told.
    told: usize,
}

impl Expander {
    pub(super) fn new(format: Format) -> Expander {
        Expander {
            format,
            place: 0,
            scratch: Scratch::new(),
            format_scratch: format::Scratch::new(),
            event: Box::new(Event::new()),
            line: vec![0; PAYLOAD_BYTES].into(),
            told: 0,
        }
    }

    /// The receiver is at this place, from 0 on.
    pub(super) fn set_place(&mut self, place: usize) {
        self.place = place;
    }

    /// What follows is of another batch.
    pub(super) fn begin(&mut self) {
        self.told = 0;
    }

    /// Adds as many events as find room, from the first one on that is not told. Whether these are
    /// all, and what there is no message of.
    pub(super) fn fill(
        &mut self,
        messages: &mut Messages,
        framer: &Framer,
        head: &Head,
    ) -> (bool, Lost) {
        let Ok(mut batch) = Batch::parse(head.payload, &mut self.scratch) else {
            return (true, head.load.if_lost);
        };
        let origin = *batch.origin();
        let mut lost = Lost::default();
        let mut at = 0;
        while messages.has_room() {
            let Some(result) = batch.next(&mut self.event) else { return (true, lost) };
            at += 1;
            if at <= self.told {
                continue;
            }
            self.told = at;
            let mut all = IfLost::default();
            all.add(&self.event);
            let if_lost = Lost::message(head.load.class, 1, all.of(self.place));
            let added = match result {
                Err(_) => Err(if_lost),
                Ok(()) => match write(
                    self.format,
                    &mut self.line,
                    &mut self.format_scratch,
                    &origin,
                    &mut self.event,
                ) {
                    Some(bytes) => messages.add(
                        framer,
                        head.load.offered_ns,
                        Severity::LOG_INFO,
                        &self.line[..bytes],
                        if_lost,
                    ),
                    None => Err(if_lost),
                },
            };
            lost.add(added.err().unwrap_or_default());
        }
        (false, lost)
    }
}

/// Writes the event without the line's end: how many bytes. The strings of one that is too long are
/// cut by half, until it fits.
fn write(
    format: Format,
    line: &mut [u8],
    scratch: &mut format::Scratch,
    origin: &Origin,
    event: &mut Event,
) -> Option<usize> {
    let mut attempt = |event: &Event| {
        let mut out = Cursor::new(&mut *line);
        let has_form = format.write(&mut out, scratch, origin, event).ok()?;
        has_form.then(|| out.position() as usize - 1)
    };
    let mut written = attempt(event);
    let mut most_bytes = PATH_BYTES;
    while written.is_none() && most_bytes > SHORTENED_BYTES {
        most_bytes = (most_bytes / 2).max(SHORTENED_BYTES);
        event.shorten(most_bytes);
        written = attempt(event);
    }
    written
}
