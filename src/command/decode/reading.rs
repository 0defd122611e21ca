//! Lines from wherever they come to the decoder.

use super::complaints::Complaints;
use super::decoder::Decoder;
use super::ending::{Drained, Ending};
use super::follow::Follow;
use super::lines::{Lines, Next};
use super::rsyslog::CONFIRMATION;
use crate::say::say;
use rustix::fd::{AsFd, BorrowedFd};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Where lines come from.
pub(super) enum Input<'a> {
    /// Standard input, to its end.
    Standard,
    /// The same, which a signal ends once nothing comes any more.
    Drained,
    /// The same, of which every line is confirmed when it is written.
    Confirmed,
    /// A file, to its end.
    File(&'a str),
    /// A file and what is added to it, until a signal.
    Followed(&'a str),
}

/// Why an input was not decoded to its end.
pub(super) enum Failure {
    /// This input could not be opened or read.
    Input(String, io::Error),
    /// Standard output, or the file in its place, could not be written.
    Output(io::Error),
}

/// What is known of all inputs so far.
pub(super) struct Decoding {
    pub(super) decoder: Decoder,
    pub(super) complaints: Complaints,
    pub(super) cut_lines: u64,
    /// Whoever reads standard output, if that is where events go.
    pub(super) reader: Option<BorrowedFd<'static>>,
}

impl Decoding {
    pub(super) fn open_and_read(
        &mut self,
        input: &Input<'_>,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let standard = "standard input";
        let (file, is_followed) = match input {
            Input::Standard => {
                return self.read(&mut io::stdin().lock(), standard, out, &mut |_, _| Ok(()));
            }
            Input::Drained => {
                let failed = |error| Failure::Input(standard.into(), error);
                let ending = Ending::new().map_err(failed)?;
                // Not the standard library's, which has a buffer.
                let input = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
                let mut input = Drained::new(File::from(input), &ending);
                return self.read(&mut input, standard, out, &mut |_, _| Ok(()));
            }
            Input::Confirmed => return self.confirm(out),
            Input::File(file) => (*file, false),
            Input::Followed(file) => (*file, true),
        };
        let name = format!("{file:?}");
        let failed = |error| Failure::Input(name.clone(), error);
        if is_followed {
            let ending = Ending::new().map_err(failed)?;
            let mut input = Follow::new(Path::new(file), &ending, self.reader).map_err(failed)?;
            self.read(&mut input, &name, out, &mut |_, _| Ok(()))
        } else {
            self.read(&mut File::open(file).map_err(failed)?, &name, out, &mut |_, _| Ok(()))
        }
    }

    /// Decodes what `omprog` writes, and says of every line that its events are in the file. What
    /// the file takes is the kernel's: a crash of the host may take it back.
    fn confirm(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut answers = io::stdout().lock();
        let mut confirm = |decoder: &mut Decoder, out: &mut dyn Write| {
            flush(decoder, out)?;
            answers.write_all(CONFIRMATION)?;
            answers.flush()
        };
        // It is ready.
        confirm(&mut self.decoder, out).map_err(Failure::Output)?;
        self.read(&mut io::stdin().lock(), "standard input", out, &mut confirm)
    }

    /// Decodes all of `input`. `after_line` is called when all of a line is in `out`.
    fn read(
        &mut self,
        input: &mut dyn Read,
        name: &str,
        out: &mut dyn Write,
        after_line: &mut dyn FnMut(&mut Decoder, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut lines = Lines::new(input);
        let others_before = self.decoder.counts().other_lines;
        let (mut number, mut hint) = (0u64, "");
        loop {
            let decoder = &mut self.decoder;
            let line = match lines.next(|| flush(decoder, out)) {
                Next::Line(line) => line,
                Next::End => break,
                Next::NotWritten(error) => return Err(Failure::Output(error)),
                Next::NotRead(error) => {
                    out.flush().map_err(Failure::Output)?;
                    return Err(Failure::Input(name.to_owned(), error));
                }
            };
            number += 1;
            if number == 1 && is_compressed(line.bytes) {
                hint = "; it is compressed: pipe it through zcat, xzcat or zstdcat";
            }
            let others = self.decoder.counts().other_lines;
            let cut = if line.cut { " (the line was cut)" } else { "" };
            let complaints = &mut self.complaints;
            let result = self.decoder.line(line.bytes, out, &mut |error| {
                complaints.bad(name, number, &error, cut);
            });
            complaints.look_at(name, number, self.decoder.counts());
            let result = result.and_then(|()| after_line(&mut self.decoder, out));
            result.map_err(Failure::Output)?;
            if self.decoder.unwritten() >= UNWRITTEN_BATCHES {
                flush(&mut self.decoder, out).map_err(Failure::Output)?;
            }
            // It may have had a record behind the cut.
            self.cut_lines += u64::from(line.cut && self.decoder.counts().other_lines > others);
        }
        if number > 0 && self.decoder.counts().other_lines - others_before == number {
            say(format_args!("{name}: {number} lines, none with a record of mote{hint}"));
        }
        Ok(())
    }
}

/// Batches whose events may wait to be written, while more of them are to be read.
const UNWRITTEN_BATCHES: usize = 64;

/// Writes all events, and then remembers it.
pub(super) fn flush(decoder: &mut Decoder, out: &mut dyn Write) -> io::Result<()> {
    out.flush()?;
    decoder.events_are_written();
    Ok(())
}

/// Whether a file begins as gzip (RFC 1952), xz or zstd (RFC 8878) have it.
fn is_compressed(start: &[u8]) -> bool {
    [&b"\x1f\x8b"[..], b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"]
        .iter()
        .any(|magic| start.starts_with(magic))
}
