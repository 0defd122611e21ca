//! `mote decode`: syslog lines to events.

mod complaints;
pub mod decoder;
mod ending;
mod follow;
pub mod lines;
mod output_file;
mod reading;
pub(crate) mod recent;
pub(crate) mod recent_file;
pub mod rsyslog;
pub(crate) mod verify;
mod written;

use crate::exit;
use crate::format::Format;
use crate::say::say;
use argh::FromArgs;
use complaints::Complaints;
use decoder::{Counts, Decoder};
use output_file::{GATHERED_BYTES, OutputFile};
use reading::{Decoding, Failure, Input};
use rsyslog::Module;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use verify::Report;
use written::Written;

/// Turn syslog lines that carry mote records into events, one a line. Exits with 65 if a record
/// could not be read.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "decode")]
pub struct DecodeCommand {
    /// what to write: json or ecs (the default), documents of the Elastic Common Schema; ocsf,
    /// those of the Open Cybersecurity Schema Framework; cef, Common Event Format; text, key=value
    /// pairs; sysmon, XML of Sysmon for Linux, of events that it has
    #[argh(option)]
    pub output: Option<Format>,
    /// tell what is missing, in place of the events: gaps in their numbers, restarts, repetitions
    /// and unreadable records of each host, as text (the default) or json. Exits with 1 if an event
    /// is missing and every record could be read
    #[argh(switch)]
    pub verify: bool,
    /// read on as the file grows and is rotated, like tail -F, until SIGTERM or Ctrl-C; of
    /// several files the last. To begin at its end: tail -n 0 -F FILE | mote decode
    #[argh(switch)]
    pub follow: bool,
    /// append to this file, not to standard output. It may be rotated: if it was renamed a new
    /// one is made
    #[argh(option)]
    pub output_file: Option<PathBuf>,
    /// be the program of a module of rsyslog: mmexternal, which gets the events of each message
    /// as $!mote!events, or omprog with confirmMessages="on", which needs --output-file
    #[argh(option)]
    pub rsyslog: Option<Module>,
    /// remember in this file which records were decoded, so that what a restarted syslog daemon hands
    /// over again is left out; with --output-file or --rsyslog
    #[argh(option)]
    pub recent: Option<PathBuf>,
    /// with --rsyslog mmexternal: the file to which rsyslogd writes the events. Those that are at its
    /// end when mote starts, since rsyslogd was ended behind them, are left out
    #[argh(option)]
    pub written: Option<PathBuf>,
    /// files to read, the oldest first; standard input if there is none
    #[argh(positional)]
    pub files: Vec<String>,
}

impl DecodeCommand {
    /// Reads to the end of every input. A batch that is in two of them is written once.
    pub fn run(self) -> ExitCode {
        if let Err(problem) = self.check() {
            return exit::fail(exit::USAGE, format_args!("{problem}; see mote decode --help"));
        }
        let prepared = match (self.rsyslog, &self.output_file) {
            (Some(_), _) => ending::outlive_signals(),
            (_, Some(_)) => ending::outlive_hangup(),
            _ => Ok(()),
        };
        if let Err(error) = prepared {
            return not_prepared(&error);
        }
        let mut decoder = match self.verify {
            true => Decoder::verifying(),
            false => Decoder::writing(self.output.unwrap_or_default()),
        };
        if let Some(path) = &self.recent
            && let Err(error) = decoder.keep_recent(path)
        {
            return exit::fail(
                exit::IOERR,
                format_args!("{path:?} cannot be used to remember records ({error})"),
            );
        }
        if self.rsyslog == Some(Module::Mmexternal) {
            let written = match self.written.as_deref().map(Written::at_end_of).transpose() {
                Ok(written) => written.unwrap_or_default(),
                Err(error) => {
                    let path = self.written.unwrap_or_default();
                    return exit::fail(
                        exit::IOERR,
                        format_args!("what {path:?} has at its end cannot be known ({error})"),
                    );
                }
            };
            let (input, mut out) = (io::stdin().lock(), io::stdout().lock());
            return match rsyslog::answer_each(input, &mut out, decoder, written) {
                // rsyslogd has ended.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => exit::IOERR.into(),
                _ => ExitCode::SUCCESS,
            };
        }
        let Some(path) = &self.output_file else {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            let code = self.decode_to(decoder, &mut out, "standard output");
            // What could not be flushed was said already.
            let _ = out.into_parts();
            return code;
        };
        let name = format!("{path:?}");
        // What is not confirmed is handed over again: of a message all events are in the file, or
        // none.
        let gathered_bytes = if self.rsyslog.is_some() { usize::MAX } else { GATHERED_BYTES };
        match OutputFile::open(path, gathered_bytes) {
            Ok(mut file) => self.decode_to(decoder, &mut file, &name),
            Err(error) => not_written(&name, &error),
        }
    }

    /// What cannot be asked for together.
    fn check(&self) -> Result<(), &'static str> {
        let has_file = self.output_file.is_some();
        let is_json = matches!(self.output, None | Some(Format::Ecs));
        if self.verify && (self.follow || self.rsyslog.is_some()) {
            return Err("--verify tells what is missing once it has read all");
        }
        if self.verify && !is_json && self.output != Some(Format::Text) {
            return Err("--verify tells what is missing as text or json; write one of these");
        }
        if self.rsyslog == Some(Module::Mmexternal) && !is_json {
            return Err("mmexternal gets events as JSON; leave --output out, or use omprog");
        }
        if self.recent.is_some() && !has_file && self.rsyslog.is_none() {
            return Err(
                "--recent is for events that go to a file, or to rsyslog; add --output-file",
            );
        }
        if self.recent.is_some() && self.verify {
            return Err("--verify looks at every record; leave --recent out");
        }
        if self.written.is_some() && self.rsyslog != Some(Module::Mmexternal) {
            return Err("--written is for --rsyslog mmexternal; what mote writes itself it knows");
        }
        match (self.rsyslog, self.follow) {
            (Some(_), true) => Err("a module of rsyslog has no file that --follow could read"),
            (Some(_), _) if !self.files.is_empty() => {
                Err("a module of rsyslog writes to standard input; name no file with --rsyslog")
            }
            (Some(Module::Mmexternal), _) if has_file => {
                Err("mmexternal gets events as an answer; leave --output-file out, or use omprog")
            }
            (Some(Module::Omprog), _) if !has_file => {
                Err("omprog is answered on standard output; name a file with --output-file")
            }
            (None, true) if self.files.is_empty() => Err("--follow needs a file"),
            _ => Ok(()),
        }
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let standard = match (self.rsyslog, &self.output_file) {
            (Some(Module::Omprog), _) => Input::Confirmed,
            (_, Some(_)) => Input::Drained,
            _ => Input::Standard,
        };
        let mut inputs: Vec<_> = self.files.iter().map(|file| Input::File(file)).collect();
        if self.follow
            && let Some(Input::File(file)) = inputs.pop()
        {
            inputs.push(Input::Followed(file));
        }
        if inputs.is_empty() { vec![standard] } else { inputs }
    }

    /// Decodes all input to `out`.
    fn decode_to(&self, decoder: Decoder, out: &mut dyn Write, out_name: &str) -> ExitCode {
        // Nobody waits for what goes to a file.
        let reader = self.output_file.is_none().then(rustix::stdio::stdout);
        let mut decoding =
            Decoding { decoder, complaints: Complaints::default(), cut_lines: 0, reader };
        let (mut code, mut is_missing) = (0, false);
        for input in self.inputs() {
            match decoding.open_and_read(&input, out) {
                Ok(()) => {}
                Err(Failure::Input(name, error)) => {
                    say(format_args!(
                        "{name} could not be read ({error}); name a readable file, or none for \
                         standard input"
                    ));
                    code = exit::NOINPUT;
                }
                Err(Failure::Output(error)) => return not_written(out_name, &error),
            }
        }
        if let Some(verifier) = decoding.decoder.take_verifier() {
            let report = Report::new(verifier);
            if report.is_empty() {
                say(format_args!("nothing was verified: no record of mote could be read"));
                return if code == 0 { exit::DATAERR } else { code }.into();
            }
            let written = match self.output {
                Some(Format::Ecs) => report.write_json(out),
                _ => report.write_text(out),
            };
            if let Err(error) = written.and_then(|()| out.flush()) {
                // Whoever has read a part has no answer.
                let code = not_written(out_name, &error);
                return if code == ExitCode::SUCCESS { exit::IOERR.into() } else { code };
            }
            is_missing = report.missing() > 0;
        }
        let counts = decoding.decoder.counts();
        // A report has it of each host.
        if !self.verify
            && let Some(summary) = summary(counts, decoding.cut_lines)
        {
            say(format_args!("{summary}"));
        }
        if counts.without_form > 0 {
            say(format_args!(
                "{} events left out: this output has none of their kind; --output json has all",
                counts.without_form
            ));
        }
        match code {
            // What goes on until it is told to end has no verdict; rsyslog would log it as a fault.
            0 if counts.bad > 0 && !self.follow && self.rsyslog.is_none() => exit::DATAERR.into(),
            0 if is_missing => exit::MISSING.into(),
            code => code.into(),
        }
    }
}

fn not_written(name: &str, error: &io::Error) -> ExitCode {
    // The reader, head(1) perhaps, has what it wanted.
    if error.kind() == ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    exit::fail(
        exit::IOERR,
        format_args!(
            "{name} could not be written to ({error}); free space there, or give it another \
             file, and decode again"
        ),
    )
}

fn not_prepared(error: &io::Error) -> ExitCode {
    exit::fail(exit::OSERR, format_args!("signals cannot be taken ({error}); close descriptors"))
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
