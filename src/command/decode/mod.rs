//! `mote decode`: syslog lines to events.

pub mod decoder;
pub mod lines;

use crate::exit;
use crate::say::say;
use argh::{FromArgValue, FromArgs};
use decoder::{Counts, Decoder};
use lines::{Lines, Next};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::process::ExitCode;

/// Bad records that are reported one by one; all are counted.
const REPORTS: u64 = 10;

/// Turn syslog lines that carry mote records into one JSON document per event.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "decode")]
pub struct DecodeCommand {
    /// what to write: json (the default), documents of the Elastic Common Schema
    #[argh(option, default = "Output::Json")]
    pub output: Output,
    /// file to read; standard input if there is none
    #[argh(positional)]
    pub file: Option<String>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// One ECS document a line.
    Json,
}

impl FromArgValue for Output {
    fn from_arg_value(value: &str) -> Result<Output, String> {
        match value {
            "json" => Ok(Output::Json),
            other => Err(format!("unknown output '{other}': only json can be written")),
        }
    }
}

impl DecodeCommand {
    /// Reads to the end of the input.
    pub fn run(self) -> ExitCode {
        let Output::Json = self.output;
        let name = self.file.as_deref();
        let input: Box<dyn Read> = match name.map(File::open) {
            None => Box::new(io::stdin().lock()),
            Some(Ok(file)) => Box::new(file),
            Some(Err(error)) => {
                return exit::fail(
                    exit::NOINPUT,
                    format_args!(
                        "{} could not be opened ({error}); name a readable file, or none for \
                         standard input",
                        name.unwrap_or_default()
                    ),
                );
            }
        };
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let code = decode(input, name.unwrap_or("standard input"), &mut out);
        // What could not be flushed was said already.
        let _ = out.into_parts();
        code.into()
    }
}

/// Decodes all of `input`, gives the exit status.
fn decode(input: impl Read, name: &str, out: &mut impl Write) -> u8 {
    let mut lines = Lines::new(input);
    let mut decoder = Decoder::new();
    let (mut number, mut reported, mut cut_lines, mut code) = (0u64, 0, 0, 0);
    let written = loop {
        let line = match lines.next(|| out.flush()) {
            Next::Line(line) => line,
            Next::End => break Ok(()),
            Next::NotWritten(error) => break Err(error),
            Next::NotRead(error) => {
                say(format_args!(
                    "{name} could not be read ({error}); name a readable file, or none for \
                     standard input"
                ));
                code = exit::NOINPUT;
                break out.flush();
            }
        };
        number += 1;
        let others = decoder.counts().other_lines;
        let cut = if line.cut { " (the line was cut)" } else { "" };
        let result = decoder.line(line.bytes, out, &mut |error| {
            match reported {
                0..REPORTS => say(format_args!("{name}: line {number}: {error}{cut}")),
                REPORTS => say(format_args!(
                    "{name}: from line {number} on bad records are only counted; the counts \
                     are said at the end"
                )),
                _ => {}
            }
            reported += 1;
        });
        if let Err(error) = result {
            break Err(error);
        }
        // It may have had a record behind the cut.
        cut_lines += u64::from(line.cut && decoder.counts().other_lines > others);
    };
    match written {
        Ok(()) => {}
        // The reader, head(1) perhaps, has what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return 0,
        Err(error) => {
            say(format_args!(
                "standard output could not be written to ({error}); free space there, or give \
                 it another file, and decode {name} again"
            ));
            code = exit::IOERR;
        }
    }
    if let Some(summary) = summary(decoder.counts(), cut_lines) {
        say(format_args!("{name}: {summary}"));
    }
    match code {
        0 if decoder.counts().bad > 0 => exit::DATAERR,
        code => code,
    }
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
