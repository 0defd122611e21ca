//! What the program says to whoever started it, and, of a sensor, to syslog.
//!
//! `print!` and `eprintln!` panic if the stream cannot be written to, and a sensor must not
//! end because its log is full or nobody reads it any more.

use std::collections::VecDeque;
use std::fmt::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit;
use crate::limits::{LOG_LINE_BYTES, LOG_LINES};

/// What is asked of whoever meets a fault that may be ours.
pub const REPORT: &str = "report it with the kernel's version (uname -a)";

/// How much a line of the log matters. The names are those of the model's log levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What keeps the program from doing what it is for.
    Error,
    /// What goes on, but not as it should.
    Warning,
    /// What one wants to know afterwards.
    #[default]
    Info,
    /// What one wants to know when looking for a fault.
    Debug,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Level, String> {
        [Level::Error, Level::Warning, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or_else(|| format!("\"{name}\" is no level; write error, warning, info or debug"))
    }
}

/// A sensor's log: the end of what it said.
struct Log {
    level: Level,
    lines: VecDeque<Line>,
    /// How many of `lines` were not taken by [`take_unsent`].
    unsent: usize,
}

struct Line {
    time: SystemTime,
    level: Level,
    text: String,
}

/// Of a sensor only.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

/// From now on what is said is kept too, for syslog and for the support bundle, and what is
/// below `level` is not said at all.
pub fn keep_log(level: Level) {
    let lines = VecDeque::with_capacity(LOG_LINES);
    with_log(|log| *log = Some(Log { level, lines, unsent: 0 }));
}

/// What is said, and what is not.
pub fn level() -> Level {
    with_log(|log| log.as_ref().map_or(Level::default(), |log| log.level))
}

/// The end of what was said since [`keep_log`], oldest first, with the time (RFC 3339).
pub fn log() -> Vec<String> {
    with_log(|log| {
        let lines = log.as_ref().map(|log| log.lines.iter());
        lines
            .into_iter()
            .flatten()
            .map(|Line { time, level, text }| {
                let time = OffsetDateTime::from(*time).format(&Rfc3339).unwrap_or_default();
                format!("{time} {}: {text}", level.name())
            })
            .collect()
    })
}

/// What was said since the last call and is to go to syslog, as far as it is still known.
pub fn take_unsent(mut each: impl FnMut(Level, &str)) {
    with_log(|log| {
        let Some(log) = log else { return };
        let sent = log.lines.len() - log.unsent;
        log.lines.iter().skip(sent).for_each(|line| each(line.level, &line.text));
        log.unsent = 0;
    });
}

/// Whether standard error is the journal's: systemd.exec(5), `JOURNAL_STREAM`.
pub fn goes_to_journal() -> bool {
    let Ok(own) = rustix::fs::fstat(rustix::stdio::stderr()) else { return false };
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    stream == format!("{}:{}", own.st_dev, own.st_ino)
}

/// Whether there is something for [`take_unsent`].
pub fn has_unsent() -> bool {
    with_log(|log| log.as_ref().is_some_and(|log| log.unsent > 0))
}

fn with_log<T>(with: impl FnOnce(&mut Option<Log>) -> T) -> T {
    // There is one thread, and a panic ends the program.
    with(&mut LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// Whether it is said; if so, it is kept.
fn keep(level: Level, message: &str) -> bool {
    with_log(|log| {
        let Some(log) = log else { return true };
        if level > log.level {
            return false;
        }
        if log.lines.len() == LOG_LINES {
            log.lines.pop_front();
        }
        let mut end = message.len().min(LOG_LINE_BYTES);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let (time, text) = (SystemTime::now(), message[..end].to_owned());
        log.lines.push_back(Line { time, level, text });
        log.unsent = (log.unsent + 1).min(LOG_LINES);
        true
    })
}

fn tell(level: Level, message: Arguments<'_>) {
    let message = message.to_string();
    if !keep(level, &message) {
        return;
    }
    let mark = match level {
        Level::Error | Level::Info => "",
        Level::Warning => "warning: ",
        Level::Debug => "debug: ",
    };
    lines(&format!("mote: {mark}{message}\n"));
}

/// One sentence on standard error.
pub fn say(message: Arguments<'_>) {
    tell(Level::Info, message);
}

/// A sentence about what goes on, but not as it should.
pub fn warn(message: Arguments<'_>) {
    tell(Level::Warning, message);
}

/// A sentence about what does not go on.
pub fn error(message: Arguments<'_>) {
    tell(Level::Error, message);
}

/// A sentence for whoever looks for a fault.
pub fn debug(message: Arguments<'_>) {
    tell(Level::Debug, message);
}

/// Text on standard error as it is. One write: other programs may write to it too.
pub fn lines(text: &str) {
    // Nothing is left to be done about a failing standard error.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Text that was asked for, on standard output.
pub fn answer(text: &str) -> ExitCode {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader, head(1) perhaps, has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => exit::fail(
            exit::IOERR,
            format_args!(
                "standard output could not be written to ({error}); free space there, or give \
                 it another file"
            ),
        ),
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names() {
        for level in [Level::Error, Level::Warning, Level::Info, Level::Debug] {
            assert_eq!(level.name().parse(), Ok(level));
        }
        assert!("loud".parse::<Level>().unwrap_err().contains("write error, warning"));
        assert!(Level::Debug > Level::Info);
    }

    /// The log is the process's, as are the tests' threads: one test for all of it.
    #[test]
    fn r17_a_sensors_log_is_kept_and_sent_once() {
        keep_log(Level::Info);
        say(format_args!("begun"));
        debug(format_args!("not at this level"));
        warn(format_args!("{}", "\u{e9}".repeat(LOG_LINE_BYTES)));
        let mut sent = Vec::new();
        take_unsent(|level, line| sent.push((level, line.to_owned())));
        let ours = |line: &&(Level, String)| line.1 == "begun" || line.1.starts_with('\u{e9}');
        let sent: Vec<_> = sent.iter().filter(ours).collect();
        assert_eq!(sent[0], &(Level::Info, "begun".to_owned()));
        assert_eq!((sent[1].0, sent[1].1.len()), (Level::Warning, LOG_LINE_BYTES));
        assert!(!has_unsent());
        for number in 0..2 * LOG_LINES {
            say(format_args!("line {number}"));
        }
        assert!(log().len() <= LOG_LINES && log().last().unwrap().contains("Z info: "));
        with_log(|log| *log = None);
    }
}
