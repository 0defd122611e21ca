//! `mote run --profile`: how much memory a sensor takes, and that it tells all the same.

use crate::of;
use crate::support::command::health;
use crate::support::expect::{assert_complete, assert_same};
use crate::support::memory::kernel_bytes;
use crate::support::runner::Test;
use crate::support::workload::Workload;
use crate::support::{Sensor, decode, require_live, scratch};
use mote::source::ebpf::cpus;
use std::fs::create_dir;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("r23_rings_are_of_the_profile", r23_rings_are_of_the_profile),
    ("r23_a_tiny_sensor_tells_what_happens", r23_a_tiny_sensor_tells_what_happens),
];

/// Of a CPU: both rings, and the page before each.
fn ring_bytes(priority_kib: usize, bulk_kib: usize) -> u64 {
    let page_bytes = rustix::param::page_size();
    let with_page = |kib: usize| (kib << 10).max(page_bytes) + page_bytes;
    (with_page(priority_kib) + with_page(bulk_kib)) as u64
}

fn r23_rings_are_of_the_profile() {
    require_live();
    for (args, profile, of_a_cpu) in [
        (&[][..], "default", ring_bytes(128, 256)),
        (&["--profile", "default"], "default", ring_bytes(128, 256)),
        (&["--profile", "tiny"], "tiny", ring_bytes(32, 64)),
    ] {
        let (_guard, dir) = scratch();
        let sensor = Sensor::start_with(&dir, &[&["--syslog", "stdout"], args].concat());
        let cpus = cpus::online().unwrap().len() as u64;
        assert_eq!(kernel_bytes(sensor.pid()).rings, cpus * of_a_cpu, "{args:?}");
        assert_eq!(health(&dir, "profile"), profile, "{args:?}");
        assert!(!sensor.log().contains("rings have"), "as the profile has them: {}", sensor.log());
        sensor.leave();
    }
}

/// Programs, files and connections, as fast as a slow CPU makes them.
fn r23_a_tiny_sensor_tells_what_happens() {
    require_live();
    let (_guard, dir) = scratch();
    let place = dir.join("load");
    create_dir(&place).unwrap();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--profile", "tiny"]);
    let mut load = Workload::new(&place);
    load.rest = Duration::from_millis(1);
    load.run(1);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    // First: what was lost says why something is missing.
    assert_complete(&events);
    let seen: Vec<_> = events.iter().filter(|event| load.caused(event)).collect();
    assert_same(&load.rows, &seen, false);
    let budget = of(&events, "capability")[0]["mote"]["bulk_budget"].as_u64();
    assert_eq!(budget, Some(10_000));
}
