//! A thousand exclusions: an event of the pipeline, and a rename that is told, against none.

use crate::Table;
use crate::callgrind::{EVENTS_A_TURN, instructions};
use crate::common::context;
use crate::live::bursts::{RENAMES, rename};
use crate::live::{self, cpus};
use crate::records::{Lines, exec, fork, open_to_write, pair};
use crate::rules::{FOLDERS, filter, rules};
use crate::support::command::health;
use crate::support::sensor::managed_file;
use crate::support::{Sensor, scratch, wait_for};
use mote::event::Class;
use mote::filter::{DEFAULTS, RuleKind};
use mote::sensor::pipeline::Pipeline;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::hint::black_box;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

const MANY: usize = 1_000;

/// Larger than the kernel gives.
const PID: u32 = 5_000_000;

/// From a record to a line.
pub fn in_process(table: &mut Table) {
    let Some(none) = instructions_with("all", 0) else {
        println!("skipped: instructions valgrind is not installed");
        return;
    };
    table.row("an event without exclusions, instructions", "event_instructions", &[none]);
    for kind in ["all"].into_iter().chain(RuleKind::ALL.map(RuleKind::name)) {
        for count in [10, MANY] {
            let with = instructions_with(kind, count).unwrap_or(none);
            let name = format!("exclusions_{kind}_{count}");
            let what = format!("with {count} exclusions (kind: {kind})");
            table.row(&format!("{what}, instructions"), &format!("{name}_instructions"), &[with]);
            table.row(&format!("{what}, times"), &format!("{name}_ratio"), &[with / none]);
        }
    }
}

fn instructions_with(kind: &str, count: usize) -> Option<f64> {
    instructions(&["--exclusions", kind, &count.to_string()])
}

/// Handles each of a thousand records so many times, with exclusions of a kind, or of all in turn.
pub fn run(kind: &str, count: usize, turns: usize) {
    let kind = RuleKind::ALL.into_iter().find(|of| of.name() == kind);
    let mut pipeline = Pipeline::new(context(), filter(rules(kind, count))).unwrap();
    let mut lines = Lines::default();
    for bytes in [fork(PID), exec(PID, "/usr/bin/cc1")] {
        pipeline.record(Class::Priority, 0, &bytes, &mut lines);
    }
    let records = records();
    for bytes in (0..turns).flat_map(|_| &records) {
        pipeline.record(Class::Bulk, 0, black_box(bytes), &mut lines);
    }
    assert_eq!(pipeline.totals().excluded, 0, "no rule matches");
}

/// Renames and opens to write in turn, in the folders that the rules are below.
fn records() -> Vec<Vec<u8>> {
    let record = |n: usize| {
        let name = format!("{}/part/x{n:x}.dat", FOLDERS[n % FOLDERS.len()]);
        // A folder has both.
        match n / FOLDERS.len() % 2 {
            0 => open_to_write(PID, &name),
            _ => pair(PID, &format!("{name}.part"), &name),
        }
    };
    (0..EVENTS_A_TURN).map(record).collect()
}

const LIVE_ROUNDS: usize = 15;

/// A rename that is told, by a sensor whose configuration changes from round to round.
pub fn live(table: &mut Table) {
    let (_guard, dir) = scratch();
    std::fs::write(dir.join("a"), "").unwrap();
    let (loop_cpu, sensor_cpu) = cpus::two();
    cpus::pin(None, loop_cpu);
    let (sensor, receiver) = live::start(&dir, sensor_cpu, &[]);
    let (mut off, mut on, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut own_off, mut own_on) = (Vec::new(), Vec::new());
    for _ in 0..LIVE_ROUNDS {
        for (count, ns, own_ns) in [(0, &mut off, &mut own_off), (MANY, &mut on, &mut own_on)] {
            configure(&dir, &sensor, count);
            let before = sensor.cpu_time();
            ns.push(rename(&dir));
            // Two looks at the rings and a flush.
            sleep(Duration::from_millis(500));
            let took = sensor.cpu_time() - before;
            own_ns.push(took.as_nanos() as f64 / f64::from(RENAMES));
        }
        ratios.push(on[on.len() - 1] / off[off.len() - 1]);
    }
    sensor.stop();
    let (seen, lost) = live::count(&receiver.stop());
    // And those of the configuration.
    let made = 2 * LIVE_ROUNDS * (RENAMES as usize + 1);
    assert!(seen <= made && made - seen <= lost as usize, "{seen} of {made} renames, {lost} lost");
    table.row("a rename without exclusions, ns", "rename_ns", &off);
    table.row("with 1,000 exclusions, ns", "rename_exclusions_1000_ns", &on);
    table.row("with 1,000 exclusions, times", "rename_exclusions_1000_ratio", &ratios);
    table.row("the sensor's own CPU, ns a rename", "sensor_rename_ns", &own_off);
    let what = "the sensor's own CPU with 1,000 exclusions, ns a rename";
    table.row(what, "sensor_rename_exclusions_1000_ns", &own_on);
}

/// Has the sensor exclude by so many rules, of every kind.
fn configure(dir: &Path, sensor: &Sensor, count: usize) {
    let exclusions: Vec<Value> = rules(None, count).map(as_managed).collect();
    let config = json!({ "exclusionSettings": { "exclusions": exclusions } });
    let next = dir.join("next.json");
    std::fs::write(&next, config.to_string()).unwrap();
    std::fs::rename(next, managed_file(dir)).unwrap();
    sensor.signal(Signal::HUP);
    let all = count + DEFAULTS.len();
    wait_for("the exclusions", || (health(dir, "exclusions") == all).then_some(()));
}

fn as_managed((kind, path): (RuleKind, String)) -> Value {
    match kind {
        RuleKind::Process => json!({ "$type": "excludedFileName", "name": path }),
        _ => json!({
            "$type": "excludedPath",
            "path": path,
            "isDirectory": kind == RuleKind::Folder,
        }),
    }
}
