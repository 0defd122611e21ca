//! What benchmarks with a running sensor share.

// Each benchmark uses another part of this.
#![allow(dead_code)]

pub mod bursts;
pub mod cpus;
pub mod figures;
pub mod receiver;

use crate::support::expect::at;
use crate::support::{Sensor, decode};
use rustix::process::Pid;
use std::path::Path;

/// A sensor with these arguments on its CPU, and its receiver there too.
pub fn start(dir: &Path, cpu: usize, args: &[&str]) -> (Sensor, receiver::Receiver) {
    let receiver = receiver::Receiver::start(dir, cpu);
    let sensor = Sensor::start_with(dir, &[&["--syslog", &receiver.address], args].concat());
    cpus::pin(Pid::from_raw(sensor.pid() as i32), cpu);
    (sensor, receiver)
}

/// Renames by this process, and events that loss records count.
pub fn count(lines: &Path) -> (usize, u64) {
    let events = decode(lines);
    let seen = events.iter().filter(|event| {
        at(event, "event.action") == "rename" && at(event, "process.pid") == std::process::id()
    });
    let lost = events.iter().filter_map(|event| at(event, "mote.lost.count").as_u64()).sum();
    (seen.count(), lost)
}
