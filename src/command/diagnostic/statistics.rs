//! `mote diagnostic ebpf-statistics`.

use std::fmt::{Display, Write};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::command::asks::{understood, unexpected};
use crate::command::number::{Number, UpTo};
use crate::command::output::Output;
use crate::control::client::{ClientError, Connection};
use crate::control::{RUNTIME_DIR, Reply, Request, Statistics};
use crate::exit;
use crate::limits::{STATISTICS_SECONDS, STATISTICS_TOP};
use crate::record::Provider;
use crate::say;

/// How much later than asked for the answer may come.
const SLACK: Duration = Duration::from_secs(30);

/// Watch for some seconds which files, programs and system calls cause most events, excluded
/// ones included.
#[derive(FromArgs)]
#[argh(subcommand, name = "ebpf-statistics")]
pub(super) struct StatisticsCommand {
    /// for how many seconds to watch (default 20)
    #[argh(option, default = "Number(20)")]
    time: UpTo<STATISTICS_SECONDS>,

    /// how many of each to tell (default 10)
    #[argh(option, default = "Number(10)")]
    top: UpTo<STATISTICS_TOP>,

    /// text (default) or json
    #[argh(option, default = "Output::Text")]
    output: Output,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

impl StatisticsCommand {
    /// Watches and prints.
    pub fn run(self) -> ExitCode {
        let (Number(seconds), Number(top)) = (self.time, self.top);
        if self.output == Output::Text
            && say::answer(&format!("Monitor {seconds} seconds\n")) != ExitCode::SUCCESS
        {
            return exit::IOERR.into();
        }
        match watch(&self.runtime_dir, seconds, top) {
            Ok(statistics) => say::answer(&match self.output {
                Output::Text => text(&statistics),
                Output::Json => serde_json::to_string(&statistics).unwrap_or_default() + "\n",
            }),
            Err(code) => code,
        }
    }
}

/// Watches, with a line on a terminal that says how long it still takes.
pub(super) fn watch(runtime_dir: &Path, seconds: u32, top: u32) -> Result<Statistics, ExitCode> {
    let shows = stderr().is_terminal();
    let time = Duration::from_secs(seconds.into());
    let asked = Instant::now();
    let wait = || -> Result<Reply, ClientError> {
        let mut connection = Connection::open(runtime_dir)?;
        connection.send(&Request::Statistics { seconds, top })?;
        connection.receive_within(time + SLACK, || {
            if shows {
                let left = time.saturating_sub(asked.elapsed()).as_secs();
                say::lines(&format!("\r{left:4} seconds left"));
            }
        })
    };
    let reply = understood(wait());
    if shows {
        say::lines("\r\x1b[K");
    }
    match reply? {
        Reply::Statistics(statistics) => Ok(*statistics),
        _ => Err(unexpected()),
    }
}

/// In the model's layout; what it has no place for follows.
pub(super) fn text(statistics: &Statistics) -> String {
    let paths = |list: &[crate::control::Counted]| {
        list.iter().map(|one| (one.path.escape_debug().to_string(), one.count)).collect::<Vec<_>>()
    };
    let calls = statistics.syscall_ids.iter().map(|one| (one.id, one.count));
    let mut text = String::new();
    section(&mut text, "Top file paths", &paths(&statistics.file_paths));
    text.push('\n');
    section(&mut text, "Top initiator paths", &paths(&statistics.initiator_paths));
    text.push('\n');
    section(&mut text, "Top syscall ids", &calls.collect::<Vec<_>>());
    let Statistics { events, events_excluded, events_without_path, .. } = statistics;
    let _ = write!(text, "\nEvents: {events}, excluded: {events_excluded}");
    if *events_without_path > 0 {
        let _ = write!(
            text,
            ", of which {events_without_path} without path (excluded in the kernel, or lost)"
        );
    }
    text.push('\n');
    for (what, error) in [
        ("file paths", statistics.file_paths_error),
        ("initiator paths", statistics.initiator_paths_error),
    ] {
        if error > 0 {
            let _ = writeln!(text, "Counts of {what} are at most {error} too high");
        }
    }
    if statistics.subsystems.iter().any(|name| name == Provider::Netlink.name()) {
        text += "While the process connector ran only exec, fork and exit were counted, and no \
                 system calls\n";
    }
    text
}

fn section(text: &mut String, title: &str, list: &[(impl Display, u64)]) {
    let _ = writeln!(text, "{title}:");
    for (what, count) in list {
        let _ = writeln!(text, "{what} : {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Counted, CountedCall};

    #[test]
    fn r15_the_layout_is_the_models() {
        let counted = |path: &str, count| Counted { path: path.into(), count };
        let statistics = Statistics {
            seconds: 20,
            file_paths: vec![counted("/tmp/a", 7), counted("/tmp/b\n", 1)],
            initiator_paths: vec![counted("/usr/bin/stress-ng", 50000)],
            syscall_ids: vec![CountedCall { id: 82, name: Some("rename".into()), count: 1699333 }],
            events: 1_699_400,
            events_excluded: 3,
            ..Statistics::default()
        };
        assert_eq!(
            text(&statistics),
            "Top file paths:\n/tmp/a : 7\n/tmp/b\\n : 1\n\n\
             Top initiator paths:\n/usr/bin/stress-ng : 50000\n\n\
             Top syscall ids:\n82 : 1699333\n\n\
             Events: 1699400, excluded: 3\n"
        );
    }
}
