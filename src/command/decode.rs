//! `mote decode`: syslog lines → events, one JSON object a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use argh::FromArgs;
use heapless::Deque;

use crate::event::{Class, Event};
use crate::exit;
use crate::format::ecs;
use crate::limits::{DECODE_LINE_BYTES, DECODE_RECENT_BATCHES};
use crate::record::{self, Batch, DecodeError, Scratch};

/// Bad lines that are named one by one; the rest is counted.
const NAMED_FAULTS: u64 = 10;

/// Print the events in syslog lines, whatever stands before the record in a line.
#[derive(FromArgs)]
#[argh(subcommand, name = "decode")]
pub struct DecodeCommand {
    /// format: json, one ECS object a line (default)
    #[argh(option, default = "Format::Json")]
    output: Format,

    /// what to read (default: standard input)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "json" => Ok(Format::Json),
            _ => Err(format!("there is no format \"{text}\"; write json")),
        }
    }
}

impl DecodeCommand {
    /// Decodes until the end of the input, or until nobody reads the output any more.
    pub fn run(self) -> ExitCode {
        let Format::Json = self.output;
        let input: Box<dyn Read> = match &self.file {
            None => Box::new(io::stdin()),
            Some(path) => match open(path) {
                Ok(file) => Box::new(file),
                Err(error) => {
                    return exit::fail(
                        exit::NOINPUT,
                        format_args!(
                            "{} could not be read ({error}); name a readable file, or none for \
                             standard input",
                            path.display()
                        ),
                    );
                }
            },
        };
        let mut decoder = Decoder::new();
        let mut output = BufWriter::new(io::stdout().lock());
        let result = decode(BufReader::new(input), &mut decoder, &mut output);
        let result = result.and_then(|()| output.flush().map_err(Fault::Write));
        // What is still in it was refused already.
        let _ = output.into_parts();
        decoder.counts.report();
        match result {
            // The reader has seen enough, as `head` does.
            Err(Fault::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(fault) => {
                exit::fail(exit::IOERR, format_args!("{fault}; what came before it was decoded"))
            }
            Ok(()) if decoder.counts.bad > 0 => exit::DATAERR.into(),
            Ok(()) => ExitCode::SUCCESS,
        }
    }
}

/// Opens a file or a pipe. A directory opens too, but cannot be read.
fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// What ends decoding.
#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Write(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Read(error) => write!(f, "the input could not be read further: {error}"),
            Fault::Write(error) => write!(f, "the output could not be written: {error}"),
        }
    }
}

fn decode(
    mut input: BufReader<impl Read>,
    decoder: &mut Decoder,
    output: &mut impl Write,
) -> Result<(), Fault> {
    let mut line = Vec::with_capacity(DECODE_LINE_BYTES);
    loop {
        // A live source has no more for now: show what there is.
        if input.buffer().is_empty() {
            output.flush().map_err(Fault::Write)?;
        }
        if !read_line(&mut input, &mut line).map_err(Fault::Read)? {
            return Ok(());
        }
        decoder.line(&line, output).map_err(Fault::Write)?;
    }
}

/// Reads a line without its end, cut at [`DECODE_LINE_BYTES`]. `false`: there is none.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&piece[..piece.len().min(DECODE_LINE_BYTES - line.len())]);
        let used = piece.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines, with a record or without.
    pub lines: u64,
    /// Events written.
    pub events: u64,
    /// Lines whose record could not be read to its end.
    pub bad: u64,
    /// Batches that had been read before.
    pub duplicates: u64,
    /// Events and fields that a newer sensor wrote and this version does not know.
    pub unknown: u64,
}

impl Counts {
    /// Says on standard error what a reader of the events would not know.
    fn report(&self) {
        let Counts { lines, events, bad, duplicates, unknown } = *self;
        if bad + duplicates + unknown > 0 {
            eprintln!(
                "mote: {events} events in {lines} lines; {bad} lines with a damaged record, \
                 {duplicates} batches received twice, {unknown} parts of a newer version skipped"
            );
        }
    }
}

/// Tells one batch from another.
type BatchKey = ([u8; 16], u64, Class, u64);

/// Lines → events, with what has to be remembered from line to line.
pub struct Decoder {
    /// Totals.
    pub counts: Counts,
    scratch: Scratch,
    event: Box<Event>,
    recent: Deque<BatchKey, DECODE_RECENT_BATCHES>,
}

impl Decoder {
    /// A decoder that has read nothing.
    pub fn new() -> Decoder {
        Decoder {
            counts: Counts::default(),
            scratch: Scratch::new(),
            event: Box::new(Event::new()),
            recent: Deque::new(),
        }
    }

    /// Writes the events of one line. A damaged record is counted, and named on standard
    /// error; only writing can fail.
    pub fn line(&mut self, line: &[u8], output: &mut impl Write) -> io::Result<()> {
        self.counts.lines += 1;
        let Some(payload) = record::find(line) else { return Ok(()) };
        let fault = match Batch::parse(payload, &mut self.scratch) {
            Err(fault) => Some(fault),
            Ok(mut batch) => {
                let origin = *batch.origin();
                let key = (origin.boot_id, origin.start_ns, batch.class(), batch.first_sequence());
                // A sensor sends again what its receiver may not have read.
                if self.recent.iter().any(|recent| *recent == key) {
                    self.counts.duplicates += 1;
                    return Ok(());
                }
                let mut fault = None;
                while let Some(result) = batch.next(&mut self.event) {
                    if let Err(error) = result {
                        fault = Some(error);
                        break;
                    }
                    ecs::write(&origin, &self.event, output)?;
                    self.counts.events += 1;
                }
                self.counts.unknown += batch.unknown_events() + batch.unknown_fields();
                if fault.is_none() {
                    if self.recent.is_full() {
                        self.recent.pop_front();
                    }
                    let _ = self.recent.push_back(key);
                }
                fault
            }
        };
        if let Some(fault) = fault {
            self.note(fault);
        }
        Ok(())
    }

    fn note(&mut self, fault: DecodeError) {
        self.counts.bad += 1;
        if self.counts.bad <= NAMED_FAULTS {
            eprintln!("mote: line {}: {fault}; its other events are not known", self.counts.lines);
        }
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Vec<u8>> {
        let mut input = BufReader::with_capacity(7, text);
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(line.clone());
        }
        lines
    }

    #[test]
    fn lines_are_read_whole_and_long_ones_cut() {
        assert_eq!(
            lines(b"a\n\nlonger than seven\nlast"),
            [&b"a"[..], b"", b"longer than seven", b"last"]
        );
        assert!(lines(b"").is_empty());
        let long = [&vec![b'x'; DECODE_LINE_BYTES + 9][..], b"\nnext"].concat();
        let lines = lines(&long);
        assert_eq!((lines[0].len(), &lines[1][..]), (DECODE_LINE_BYTES, &b"next"[..]));
    }

    #[test]
    fn lines_without_a_record_are_passed_over_and_damaged_ones_counted() {
        let mut decoder = Decoder::new();
        let mut output = Vec::new();
        for line in [&b"<38>Nov 24 01:00:00 sshd[1]: session opened"[..], b"mote: m1:AAAA", b""] {
            decoder.line(line, &mut output).unwrap();
        }
        assert_eq!((decoder.counts.lines, decoder.counts.bad), (3, 1));
        assert!(output.is_empty());
    }
}
