//! An excluded process is dropped in the kernel: the sensor has no work with it.

use crate::exclusions::{change, listed};
use crate::folder;
use crate::support::command::health;
use crate::support::runner::{Test, again};
use crate::support::worker::Worker;
use crate::support::{Sensor, program_as, require_live, scratch, wait_for};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] =
    &[("r20_an_excluded_process_costs_the_sensor_nothing", r20_costs_the_sensor_nothing)];

/// In a guest every call takes ten times as long.
fn renames() -> u64 {
    if std::env::var_os("MOTE_GUEST").is_some() { 20_000 } else { 200_000 }
}

fn hits(dir: &Path, program: &Path) -> u64 {
    listed(dir, program).unwrap()["hits"].as_u64().unwrap()
}

fn r20_costs_the_sensor_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    let (excluded, other) = (dir.join("excluded"), dir.join("other"));
    let work = ["1", "2", "3"].map(|name| folder(&dir, name));
    for dir in &work {
        fs::write(dir.join("a"), "").unwrap();
    }
    program_as(&excluded);
    program_as(&other);
    // What is told is told in full.
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--bulk-budget", "0"]);
    let mut seen = Worker::start_program(&other, &work[0]);
    let mut older = Worker::start_program(&excluded, &work[1]);
    change(&dir, "process", "add", &excluded);
    let mut newer = Worker::start_program(&excluded, &work[2]);
    // The sensor learns of the newer one by its exec.
    wait_for("the exec of the newer one", || (hits(&dir, &excluded) == 1).then_some(()));

    let renames = renames();
    let order = format!("renames {renames}");
    let before = sensor.cpu_time();
    std::thread::sleep(Duration::from_secs(1));
    let idle_per_second = sensor.cpu_time() - before;
    // Beyond what the sensor takes anyway: an emulated CPU needs seconds for this.
    let cost = |worker: &mut Worker| {
        let (before, begin) = (sensor.cpu_time(), Instant::now());
        worker.ask(&order);
        std::thread::sleep(Duration::from_millis(300));
        let time = sensor.cpu_time() - before;
        time.saturating_sub(idle_per_second.mul_f64(begin.elapsed().as_secs_f64()))
    };
    let totals = || health(&dir, "events_excluded").as_u64().unwrap();
    let told = cost(&mut seen);
    let mut expected = hits(&dir, &excluded);
    for (name, worker) in [("older", &mut older), ("newer", &mut newer)] {
        let before = totals();
        let time = cost(worker);
        println!(
            "{renames} renames: {told:?} of the sensor if told, {time:?} if excluded ({name})"
        );
        expected += renames;
        // Its counters are read once a second.
        wait_for("the counts", || (hits(&dir, &excluded) >= expected).then_some(()));
        assert_eq!(hits(&dir, &excluded), expected, "exactly as many as there were calls");
        assert!(totals() >= before + renames);
        if time >= told / 10 && told < Duration::from_millis(50) {
            again("the clock is too coarse for so little work");
        }
        assert!(time < told / 10, "{name}: {time:?} of {told:?}");
    }
    drop((older, newer));
    // Both ends, which are told as all that is not a call.
    wait_for("both ends", || (hits(&dir, &excluded) == expected + 2).then_some(()));
    sensor.leave();
}
