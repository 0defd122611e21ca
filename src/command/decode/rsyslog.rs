//! The programs that modules of rsyslog run, and how they are answered.
//!
//! Both write a message a line and wait for a line (rsyslog `plugins/external/INTERFACE.md`).
//! `mmexternal` takes standard error for an answer too, at least up to 8.2302: nothing may be said
//! there, and what is wrong with a record stands in its answer.

use super::decoder::{Counts, Decoder};
use super::lines::{Line, Lines, Next};
use super::written::Written;
use crate::limits::{ANSWER_BYTES, DECODE_LINE_BYTES};
use argh::FromArgValue;
use serde_json::json;
use std::io::{self, Read, Write};

/// A module of rsyslog that runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Modifies messages: every line is answered with a JSON object that rsyslog adds to the
    /// message.
    Mmexternal,
    /// Takes messages, with `confirmMessages="on"`: every line is answered with `OK`.
    Omprog,
}

impl FromArgValue for Module {
    fn from_arg_value(value: &str) -> Result<Module, String> {
        match value {
            "mmexternal" => Ok(Module::Mmexternal),
            "omprog" => Ok(Module::Omprog),
            other => Err(format!("unknown module '{other}': write mmexternal or omprog")),
        }
    }
}

/// What `omprog` is told at the start and of every message that was written.
pub const CONFIRMATION: &[u8] = b"OK\n";

/// `mmexternal`: answers every line of `input`, to its end.
///
/// What `decoder` remembers in a file it remembers a message late: rsyslogd hands over the next one
/// when it has done with the events of the one before. Of the last one `written` has those that it had
/// written when it was ended.
pub fn answer_each(
    input: impl Read,
    out: &mut dyn Write,
    mut decoder: Decoder,
    written: Written,
) -> io::Result<()> {
    let mut lines = Lines::new(input);
    let mut answer = Answer::new(ANSWER_BYTES, written);
    loop {
        match lines.next(|| Ok(())) {
            Next::Line(line) => {
                decoder.events_are_written();
                out.write_all(answer.to(&line, &mut decoder))?;
                out.flush()?;
            }
            Next::End => return Ok(()),
            Next::NotRead(error) | Next::NotWritten(error) => return Err(error),
        }
    }
}

/// Before the events, if there is a record.
const BEGINNING: &[u8] = br#"{"$!":{"mote":{"events":["#;

/// An answer of `mmexternal`: `{}`, or `$!mote` with `events`, an array of documents, and `error`,
/// text, if there is more in the message that is not among them.
struct Answer {
    bytes: Vec<u8>,
    /// As far as `bytes` have whole events.
    whole: usize,
    /// The most that `bytes` take of events.
    room: usize,
    /// An event did not fit.
    full: bool,
    /// How many did not.
    left_out: u64,
    /// Events that are not given again.
    written: Written,
}

impl Answer {
    /// With events in so many bytes.
    fn new(room: usize, written: Written) -> Answer {
        Answer { bytes: Vec::new(), whole: 0, room, full: false, left_out: 0, written }
    }

    /// The answer to a line.
    fn to(&mut self, line: &Line<'_>, decoder: &mut Decoder) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(BEGINNING);
        (self.whole, self.full, self.left_out) = (BEGINNING.len(), false, 0);
        let before = *decoder.counts();
        let mut error = None;
        // Writing to memory does not fail.
        let _ = decoder.line(line.bytes, self, &mut |bad| {
            error.get_or_insert_with(|| bad.to_string());
        });
        let now = *decoder.counts();
        let mut problems: Vec<String> = error.into_iter().collect();
        problems.extend(unknown(&before, &now));
        if self.left_out > 0 {
            problems.push(format!(
                "{} more events found no room in an answer of {} bytes",
                self.left_out, self.room
            ));
        }
        if line.cut {
            problems.push(format!("the message was cut at {DECODE_LINE_BYTES} bytes"));
        }
        if now.other_lines > before.other_lines && !line.cut {
            self.bytes.clear();
            self.bytes.extend_from_slice(b"{}\n");
            return &self.bytes;
        }
        self.bytes.truncate(self.whole);
        // The comma behind the last event.
        if self.bytes.ends_with(b",") {
            self.bytes.pop();
        }
        self.bytes.push(b']');
        if !problems.is_empty() {
            let text = json!(problems.join("; "));
            self.bytes.extend_from_slice(format!(",\"error\":{text}").as_bytes());
        }
        self.bytes.extend_from_slice(b"}}}\n");
        &self.bytes
    }
}

/// Takes lines, and makes elements of an array of them.
impl Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.full {
            self.bytes.extend_from_slice(bytes);
            if self.bytes.len() > self.room {
                self.bytes.truncate(self.whole);
                self.full = true;
            }
        }
        if bytes.ends_with(b"\n") {
            match self.bytes.last_mut() {
                Some(end) if !self.full => {
                    *end = b',';
                    show_nuls(&mut self.bytes[self.whole..]);
                    if self.written.has(&self.bytes[self.whole..self.bytes.len() - 1]) {
                        self.bytes.truncate(self.whole);
                    }
                    self.whole = self.bytes.len();
                }
                _ => self.left_out += 1,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes U+FFFD of every NUL in JSON, as of what is not UTF-8: rsyslog would take it for the end of
/// the text. The name of an abstract unix socket may have some.
fn show_nuls(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        let escape = &mut json[at + found..];
        if let Some(digits) = escape.strip_prefix(b"\\u").and_then(|rest| rest.first_chunk::<4>())
            && digits == b"0000"
        {
            escape[2..6].copy_from_slice(b"fffd");
        }
        // A backslash may be what is escaped.
        at = (at + found + 2).min(json.len());
    }
}

/// What this version does not know of a record.
fn unknown(before: &Counts, now: &Counts) -> Option<String> {
    if now.unknown_versions > before.unknown_versions {
        return Some("the record has a version that this mote does not know; update it".into());
    }
    let events = now.unknown_events - before.unknown_events;
    (events > 0)
        .then(|| format!("{events} events are of kinds that this mote does not know; update it"))
}
