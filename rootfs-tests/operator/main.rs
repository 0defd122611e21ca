//! What whoever runs a sensor asks of it while it runs: each test is named after its
//! requirement.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod costs;
mod exclusions;
mod health;
mod limits;
mod log;
mod managed;
mod pause;
mod profiles;
mod provider;
mod sensors;
mod statistics;
mod storm;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use support::expect::at;
use support::sensor::decode_until;
use support::{Sensor, again, decode, worker};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(worker::NAME) => return worker::main(&args[2..]),
        Some(MAKER) => return fs::create_dir(&args[2]).map_or(ExitCode::FAILURE, |()| 0.into()),
        _ => {}
    }
    support::runner::run(
        &[
            provider::TESTS,
            pause::TESTS,
            profiles::TESTS,
            health::TESTS,
            statistics::TESTS,
            log::TESTS,
            exclusions::TESTS,
            managed::TESTS,
            costs::TESTS,
            clients::TESTS,
            sensors::TESTS,
            limits::TESTS,
            storm::TESTS,
        ]
        .concat(),
    )
}

/// The first argument of a program that makes the directory of its second one.
const MAKER: &str = "makes";

/// Makes a directory: one event, of this name.
fn make(dir: &Path, name: &str) {
    fs::create_dir(dir.join(name)).unwrap();
}

/// The names of the directories that were made in `dir`, in order.
fn made(events: &[Value], dir: &Path) -> Vec<String> {
    let mkdirs = events.iter().filter(|event| at(event, "event.action") == "mkdir");
    let paths = mkdirs.filter_map(|event| at(event, "file.path").as_str()).map(Path::new);
    let names = paths.filter(|path| path.parent() == Some(dir)).filter_map(Path::file_name);
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The events of an action.
fn of<'a>(events: &'a [Value], action: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| at(event, "event.action") == action).collect()
}

/// Ends a sensor whose records go to a file: all of them.
fn finish(sensor: Sensor, dir: &Path) -> Vec<Value> {
    sensor.leave();
    let events = decode(&Sensor::records(dir));
    calm(&events);
    events
}

/// The test is played again if there was no room for file events: a test makes so few that it
/// is others who make too many. Process events have rings of their own.
fn calm(events: &[Value]) {
    let full = |event: &&&Value| at(event, "mote.lost.ring") == "bulk";
    if of(events, "loss").iter().any(|event| full(&event)) {
        again("the host is flooded with file events");
    }
}

/// What was recorded of a sensor that goes on, once the last thing that was made in `dir` is
/// among it.
fn so_far(scratch: &Path, dir: &Path, last: &str) -> Vec<Value> {
    let file = Sensor::records(scratch);
    let events = decode_until(&file, |events| made(events, dir).iter().any(|name| name == last));
    calm(&events);
    events
}

/// A directory below `dir`.
fn folder(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir(&path).unwrap();
    path
}
