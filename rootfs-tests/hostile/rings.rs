//! Rings that cannot be read, or not be written.

use crate::support::expect::{assert_numbered, at};
use crate::support::runner::{Test, skip};
use crate::support::{Sensor, child, decode, require_live, scratch};
use crate::{assert_executed, by, lost, program, run_programs};
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use std::fs::{self, write};
use std::path::Path;
use std::thread;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("a_full_ring_is_counted", a_full_ring_is_counted),
    ("a_full_ring_of_a_tiny_sensor_is_counted", a_full_ring_of_a_tiny_sensor_is_counted),
    ("a_cpu_that_comes_back_is_seen", a_cpu_that_comes_back_is_seen),
];

fn a_full_ring_is_counted() {
    fill_a_ring(&[], 20_000);
}

/// A quarter of the others' room.
fn a_full_ring_of_a_tiny_sensor_is_counted() {
    let seen = fill_a_ring(&["--profile", "tiny"], 5_000);
    assert!(seen < 1_000, "{seen} renames in 64 KiB");
}

/// A sensor that cannot read for a while: what the ring of a CPU had no room for is counted
/// as that CPU's, and files push out no process. How many renames were told.
fn fill_a_ring(args: &[&str], renames: usize) -> usize {
    require_live();
    let allowed = sched_getaffinity(None).unwrap();
    let cpu = (0..CpuSet::MAX_CPU).rfind(|cpu| allowed.is_set(*cpu)).unwrap();
    let mut alone = CpuSet::new();
    alone.set(cpu);
    let (_guard, dir) = scratch();
    let (prog, a, b) = (program(&dir), dir.join("a"), dir.join("b"));
    write(&a, "").unwrap();
    let sensor = Sensor::start_with(&dir, &[&["--syslog", "stdout"], args].concat());
    sensor.signal(Signal::STOP);
    sched_setaffinity(None, &alone).unwrap();
    for _ in 0..renames / 2 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    sched_setaffinity(None, &allowed).unwrap();
    let pids = run_programs(&prog, 60);
    sensor.signal(Signal::CONT);
    // Before 5.1 a ring tells what it had no room for with the next record that it takes.
    thread::sleep(Duration::from_millis(500));
    sched_setaffinity(None, &alone).unwrap();
    fs::rename(&a, &b).unwrap();
    sched_setaffinity(None, &allowed).unwrap();
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let seen = by(&events, std::process::id(), "rename").len();
    let of_cpu = |event: &&Value| at(event, "mote.lost.cpu") == cpu;
    let of_cpu: Vec<Value> = events.iter().filter(of_cpu).cloned().collect();
    let lost_bulk = lost(&of_cpu, "bulk");
    println!("{seen} renames had room");
    assert!(seen < renames, "the ring was full");
    assert!(seen as u64 + lost_bulk > renames as u64, "{seen} seen, {lost_bulk} lost");
    assert!(of_cpu.iter().all(|loss| at(loss, "mote.lost.where") == "ring_full"), "{of_cpu:?}");
    assert_executed(&events, &pids);
    assert_eq!(lost(&events, "priority"), 0);
    // A loss takes no number: what was not seen has none.
    assert_numbered(&events);
    seen
}

/// A CPU that goes offline and comes back between two looks has rings that the kernel has
/// closed.
fn a_cpu_that_comes_back_is_seen() {
    require_live();
    if std::env::var_os("MOTE_GUEST").is_none() {
        skip("takes a CPU offline, which only a guest of ours should suffer (make qemu)");
    }
    let online = Path::new("/sys/devices/system/cpu/cpu1/online");
    if write(online, "1").is_err() {
        skip("this machine has no second CPU that can be taken offline");
    }
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    for state in ["0", "1"] {
        write(online, state).unwrap();
    }
    const FILES: usize = 400;
    let made = child::fork(|| {
        let mut cpus = rustix::thread::CpuSet::new();
        cpus.set(1);
        rustix::thread::sched_setaffinity(None, &cpus).unwrap();
        for n in 0..FILES {
            write(dir.join(n.to_string()), "").unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let opens = by(&events, made, "open");
    let last = dir.join((FILES - 1).to_string());
    let seen_last = opens.iter().any(|open| at(open, "file.path") == last.to_str().unwrap());
    assert!(seen_last, "the CPU is seen again");
    let lost_bulk = lost(&events, "bulk");
    assert!(
        opens.len() as u64 + lost_bulk >= FILES as u64,
        "{} seen, {lost_bulk} lost",
        opens.len()
    );
}
