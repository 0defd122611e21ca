//! What a user of the host can try so that the sensor sees nothing, or something wrong.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod blind;
mod flood;
mod mislead;
mod places;
mod rings;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use support::expect::at;
use support::{child, worker};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == worker::NAME) {
        return worker::main(&args[2..]);
    }
    support::runner::run(
        &[
            arguments::TESTS,
            blind::TESTS,
            flood::TESTS,
            mislead::TESTS,
            places::TESTS,
            rings::TESTS,
        ]
        .concat(),
    )
}

/// A configuration with this exclusion.
fn exclude(exclusion: Value) -> Value {
    json!({"exclusionSettings": {"exclusions": [exclusion]}})
}

/// The events of this action by this process.
fn by<'a>(events: &'a [Value], pid: u32, action: &str) -> Vec<&'a Value> {
    let wanted =
        |event: &&Value| at(event, "process.pid") == pid && at(event, "event.action") == action;
    events.iter().filter(wanted).collect()
}

/// The only one of them.
fn only<'a>(events: &'a [Value], pid: u32, action: &str) -> &'a Value {
    match by(events, pid, action)[..] {
        [event] => event,
        ref found => panic!("one {action} of {pid}, not {}: {found:?}", found.len()),
    }
}

/// Whether an event has a mark.
fn marked(event: &Value, flag: &str) -> bool {
    at(event, "mote.flags").as_array().is_some_and(|flags| flags.iter().any(|f| f == flag))
}

/// How many events of a ring the loss records count.
fn lost(events: &[Value], ring: &str) -> u64 {
    let counts = events
        .iter()
        .filter(|event| at(event, "mote.lost.ring") == ring)
        .map(|event| at(event, "mote.lost.count").as_u64().unwrap());
    counts.sum()
}

/// A program for an executable that is seen.
fn program(dir: &Path) -> PathBuf {
    let path = dir.join("prog");
    std::fs::copy("/bin/true", &path).unwrap();
    path
}

/// Runs `count` programs, and returns their pids.
fn run_programs(prog: &Path, count: usize) -> Vec<u32> {
    let run = |n: usize| {
        let pid = child::fork(|| child::exec(prog, &[b"prog", n.to_string().as_bytes()]));
        child::ends_with(pid, 0);
        pid
    };
    (0..count).map(run).collect()
}

/// Every one of `pids` has its exec, with all its arguments.
fn assert_executed(events: &[Value], pids: &[u32]) {
    for (n, pid) in pids.iter().enumerate() {
        let exec = only(events, *pid, "exec");
        assert_eq!(at(exec, "process.args"), &json!(["prog", n.to_string()]), "{exec}");
        assert!(!marked(exec, "args_unread"), "{exec}");
        only(events, *pid, "fork");
        only(events, *pid, "exit");
    }
}
