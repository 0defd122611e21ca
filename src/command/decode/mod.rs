//! `mote decode`: syslog lines to events.

pub mod decoder;
pub mod lines;
pub mod output;
mod recent;
mod verify;

use crate::exit;
use crate::say::say;
use argh::FromArgs;
use decoder::{Counts, Decoder};
use lines::{Lines, Next};
use output::Output;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::process::ExitCode;
use verify::Report;

/// Bad records that are reported one by one; all are counted.
const REPORTS: u64 = 10;

/// Turn syslog lines that carry mote records into events, one a line. Exits with 65 if a record
/// could not be read.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "decode")]
pub struct DecodeCommand {
    /// what to write: json or ecs (the default), documents of the Elastic Common Schema; ocsf,
    /// those of the Open Cybersecurity Schema Framework; cef, Common Event Format; text, key=value
    /// pairs; sysmon, XML of Sysmon for Linux, of events that it has
    #[argh(option)]
    pub output: Option<Output>,
    /// tell what is missing, in place of the events: gaps in their numbers, restarts, repetitions
    /// and unreadable records of each host, as text (the default) or json. Exits with 1 if an event
    /// is missing and every record could be read
    #[argh(switch)]
    pub verify: bool,
    /// files to read, the oldest first; standard input if there is none
    #[argh(positional)]
    pub files: Vec<String>,
}

impl DecodeCommand {
    /// Reads to the end of every input. A batch that is in two of them is written once.
    pub fn run(self) -> ExitCode {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let decoder = match (self.verify, self.output) {
            (false, output) => Decoder::writing(output.unwrap_or_default()),
            (true, None | Some(Output::Text | Output::Ecs)) => Decoder::verifying(),
            (true, Some(_)) => {
                return exit::fail(
                    exit::USAGE,
                    format_args!(
                        "--verify tells what is missing as text or json: name one of these"
                    ),
                );
            }
        };
        let mut decoding = Decoding { decoder, reported: 0, cut_lines: 0 };
        let names = self.files.iter().map(Some);
        let standard_input = self.files.is_empty().then_some(None);
        let (mut code, mut is_missing) = (0, false);
        for name in names.chain(standard_input) {
            match decoding.open_and_read(name.map(String::as_str), &mut out) {
                Ok(()) => {}
                Err(Failure::Input(name, error)) => {
                    say(format_args!(
                        "{name} could not be read ({error}); name a readable file, or none for \
                         standard input"
                    ));
                    code = exit::NOINPUT;
                }
                Err(Failure::Output(error)) => {
                    let _ = out.into_parts();
                    return not_written(&error);
                }
            }
        }
        if let Some(verifier) = decoding.decoder.take_verifier() {
            let report = Report::new(verifier);
            let written = match self.output {
                Some(Output::Ecs) => report.write_json(&mut out),
                _ => report.write_text(&mut out),
            };
            if let Err(error) = written.and_then(|()| out.flush()) {
                let _ = out.into_parts();
                return not_written(&error);
            }
            is_missing = report.missing() > 0;
        }
        // What could not be flushed was said already.
        let _ = out.into_parts();
        let counts = decoding.decoder.counts();
        if let Some(summary) = summary(counts, decoding.cut_lines) {
            say(format_args!("{summary}"));
        }
        if counts.without_form > 0 {
            say(format_args!(
                "{} events left out: this output has none of their kind; --output json has all",
                counts.without_form
            ));
        }
        match code {
            0 if counts.bad > 0 => exit::DATAERR.into(),
            0 if is_missing => exit::MISSING.into(),
            code => code.into(),
        }
    }
}

fn not_written(error: &io::Error) -> ExitCode {
    // The reader, head(1) perhaps, has what it wanted.
    if error.kind() == ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    exit::fail(
        exit::IOERR,
        format_args!(
            "standard output could not be written to ({error}); free space there, or give it \
             another file, and decode again"
        ),
    )
}

/// Why an input was not decoded to its end.
enum Failure {
    /// This input could not be opened or read.
    Input(String, io::Error),
    /// Standard output could not be written.
    Output(io::Error),
}

/// What is known of all inputs so far.
struct Decoding {
    decoder: Decoder,
    reported: u64,
    cut_lines: u64,
}

impl Decoding {
    /// `None`: standard input.
    fn open_and_read(&mut self, file: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
        let Some(file) = file else {
            return self.read(io::stdin().lock(), "standard input", out);
        };
        let name = format!("{file:?}");
        match File::open(file) {
            Ok(input) => self.read(input, &name, out),
            Err(error) => Err(Failure::Input(name, error)),
        }
    }

    /// Decodes all of `input`.
    fn read(&mut self, input: impl Read, name: &str, out: &mut impl Write) -> Result<(), Failure> {
        let mut lines = Lines::new(input);
        let others_before = self.decoder.counts().other_lines;
        let (mut number, mut hint) = (0u64, "");
        loop {
            let line = match lines.next(|| out.flush()) {
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
            let reported = &mut self.reported;
            let result = self.decoder.line(line.bytes, out, &mut |error| {
                match *reported {
                    0..REPORTS => say(format_args!("{name}: line {number}: {error}{cut}")),
                    REPORTS => say(format_args!(
                        "{name}: from line {number} on bad records are only counted; the \
                         counts are said at the end"
                    )),
                    _ => {}
                }
                *reported += 1;
            });
            result.map_err(Failure::Output)?;
            // It may have had a record behind the cut.
            self.cut_lines += u64::from(line.cut && self.decoder.counts().other_lines > others);
        }
        if number > 0 && self.decoder.counts().other_lines - others_before == number {
            say(format_args!("{name}: {number} lines, none with a record of mote{hint}"));
        }
        Ok(())
    }
}

/// Whether a file begins as gzip (RFC 1952), xz or zstd (RFC 8878) have it.
fn is_compressed(start: &[u8]) -> bool {
    [&b"\x1f\x8b"[..], b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"]
        .iter()
        .any(|magic| start.starts_with(magic))
}

/// One line, if there is anything an operator should know.
fn summary(counts: &Counts, cut_lines: u64) -> Option<String> {
    let Counts {
        other_lines,
        events,
        bad,
        duplicates,
        unknown_versions,
        unknown_events,
        unknown_fields,
        // Said by itself.
        without_form: _,
    } = *counts;
    let notable =
        bad + duplicates + unknown_versions + unknown_events + unknown_fields + cut_lines > 0;
    notable.then(|| {
        format!(
            "{events} events, {other_lines} lines without a record, {cut_lines} of them too \
             long, {bad} bad records, {duplicates} repeated batches; unknown to this version: \
             {unknown_versions} batches, {unknown_events} events, fields of {unknown_fields} items"
        )
    })
}
