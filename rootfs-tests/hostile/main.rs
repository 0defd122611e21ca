//! What a user of the host can try so that the sensor sees nothing, or something wrong.

#[path = "../support/mod.rs"]
mod support;

mod blind;
mod mislead;

use serde_json::Value;
use std::process::ExitCode;
use support::expect::at;

fn main() -> ExitCode {
    support::runner::run(&[blind::TESTS, mislead::TESTS].concat())
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
