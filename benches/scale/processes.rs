//! A hundred thousand processes, each with a fork, an exec and an exit.

use crate::Table;
use crate::live::{self, cpus};
use crate::support::expect::at;
use crate::support::memory::resident_bytes;
use crate::support::scratch;
use crate::support::sensor::decode_where;
use mote::limits::PROCESSES;
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const MADE: u64 = 100_000;
const KIB: f64 = 1024.0;

/// What was told of them, and what is missing.
#[derive(Clone, Copy, Default)]
struct Told {
    forks: u64,
    execs: u64,
    exits: u64,
    /// Of the process events of all.
    lost: u64,
    /// Processes and names that found no place in the table.
    unplaced: u64,
}

pub fn bench(table: &mut Table) {
    let (_guard, dir) = scratch();
    let (loop_cpu, sensor_cpu) = cpus::two();
    cpus::pin(None, loop_cpu);
    let (sensor, receiver) = live::start(&dir, sensor_cpu, &[]);
    let mut command = Command::new("/bin/true");
    let mut run = |count: u64| {
        (0..count).for_each(|_| assert!(command.status().unwrap().success()));
    };
    // As many as fill the table, had they stayed in it: from then on nothing is new.
    run(PROCESSES as u64);
    sleep(Duration::from_millis(500));
    let before = (resident_bytes(sensor.pid()), sensor.cpu_time(), Instant::now());
    let mut most = 0;
    for _ in 0..MADE / 1_000 {
        run(1_000);
        most = most.max(resident_bytes(sensor.pid()));
    }
    let seconds = before.2.elapsed().as_secs_f64();
    sleep(Duration::from_millis(500));
    let after = (resident_bytes(sensor.pid()), sensor.cpu_time());
    sensor.stop();
    let told = told(&receiver.stop());

    let made = MADE + PROCESSES as u64;
    let cpu = after.1 - before.1;
    table.row("processes a second", "processes_a_second", &[MADE as f64 / seconds]);
    table.row(
        "the sensor's own CPU, us a process of three events",
        "process_us",
        &[cpu.as_micros() as f64 / MADE as f64],
    );
    table.row(
        "100,000 processes: resident before, KiB",
        "processes_rss_before_kib",
        &[before.0 as f64 / KIB],
    );
    table.row("100,000 processes: the most, KiB", "processes_rss_most_kib", &[most as f64 / KIB]);
    table.row("100,000 processes: after, KiB", "processes_rss_after_kib", &[after.0 as f64 / KIB]);
    let more = after.0 as f64 - before.0 as f64;
    table.row("100,000 processes: resident more, KiB", "processes_rss_more_kib", &[more / KIB]);
    let turns = made as f64 / PROCESSES as f64;
    table.row("places of the process table, used so many times", "processes_table_turns", &[turns]);
    let missing = 3 * made - told.forks - told.execs - told.exits;
    table.row("of their events, missing", "processes_missing", &[missing as f64]);
    table.row("process events counted as lost", "processes_lost", &[told.lost as f64]);
    table.row("no place in the process table", "processes_unplaced", &[told.unplaced as f64]);
    for events in [told.forks, told.execs, told.exits] {
        assert!(events <= made && made - events <= told.lost, "{events} of {made} told");
    }
    assert!(missing <= told.lost, "{missing} are missing, {} counted", told.lost);
}

fn told(lines: &Path) -> Told {
    let own = std::process::id();
    let told = Cell::new(Told::default());
    // Kept are none: they are counted.
    decode_where(lines, |event| {
        let mut all = told.get();
        let is_child = at(event, "process.parent.pid") == own;
        match at(event, "event.action").as_str() {
            Some("fork") if is_child => all.forks += 1,
            Some("exec") if is_child && at(event, "process.executable") == "/bin/true" => {
                all.execs += 1;
            }
            Some("exit") if is_child => all.exits += 1,
            // Of files and connections they are others'.
            Some("loss") if at(event, "mote.lost.ring") != "bulk" => {
                let count = at(event, "mote.lost.count").as_u64().unwrap();
                match at(event, "mote.lost.where") == "process_table" {
                    true => all.unplaced += count,
                    false => all.lost += count,
                }
            }
            _ => {}
        }
        told.set(all);
        false
    });
    told.get()
}
