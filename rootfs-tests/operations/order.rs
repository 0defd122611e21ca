//! The order of events, which every CPU writes into rings of its own.

use crate::support::expect::at;
use crate::support::runner::skip;
use crate::support::{Sensor, child, decode, require_live, scratch};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use std::fs::File;

/// A child that makes numbered files, each on another CPU than the one before.
pub fn events_of_two_cpus_keep_their_order() {
    require_live();
    const FILES: usize = 2000;
    let allowed = sched_getaffinity(None).unwrap();
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let [first, second, ..] = cpus[..] else { skip("this machine has no second CPU") };
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        for n in 0..FILES {
            let mut cpu = CpuSet::new();
            cpu.set(if n % 2 == 0 { first } else { second });
            sched_setaffinity(None, &cpu).unwrap();
            File::create(dir.join(n.to_string())).unwrap();
        }
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let mut events = decode(&Sensor::records(&dir));
    let number = |event: &Value| at(event, "event.sequence").as_u64().unwrap();
    events.sort_by_key(number);
    let seen: Vec<&str> = events
        .iter()
        .filter(|event| at(event, "process.pid") == made && at(event, "event.action") == "open")
        .map(|open| at(open, "file.path").as_str().unwrap())
        .collect();
    let paths: Vec<String> =
        (0..FILES).map(|n| dir.join(n.to_string()).display().to_string()).collect();
    let off = paths.iter().zip(&seen).position(|(path, seen)| path != seen);
    assert_eq!(off, None, "the first file out of order, of {} seen", seen.len());
    assert_eq!(seen.len(), FILES);
}
