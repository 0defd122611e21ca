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

/// How long a process has run: in nanoseconds where the kernel tells, else in ticks.
fn cpu_time(pid: u32) -> Duration {
    let first = |text: String| text.split(' ').next()?.parse().ok();
    let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat"));
    if let Some(ns) = schedstat.ok().and_then(first).filter(|ns| *ns > 0) {
        return Duration::from_nanos(ns);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_name = stat.rsplit(") ").next().unwrap();
    let ticks = |nth| behind_name.split(' ').nth(nth).unwrap().parse::<u32>().unwrap();
    // utime and stime, proc_pid_stat(5).
    (ticks(11) + ticks(12)) * (Duration::from_secs(1) / 100)
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
    let sensor = Sensor::start_to_file(&dir);
    let mut seen = Worker::start_program(&other, &work[0]);
    let mut older = Worker::start_program(&excluded, &work[1]);
    change(&dir, "process", "add", &excluded);
    let mut newer = Worker::start_program(&excluded, &work[2]);
    // The sensor learns of the newer one by its exec.
    wait_for("the exec of the newer one", || (hits(&dir, &excluded) == 1).then_some(()));

    let renames = renames();
    let order = format!("renames {renames}");
    // What the sensor takes beyond what it takes anyway: an emulated CPU needs seconds for this.
    let idle = || {
        let before = cpu_time(sensor.pid());
        std::thread::sleep(Duration::from_secs(1));
        cpu_time(sensor.pid()) - before
    };
    let idle = idle();
    let cost = |worker: &mut Worker| {
        let (before, begin) = (cpu_time(sensor.pid()), Instant::now());
        worker.ask(&order);
        std::thread::sleep(Duration::from_millis(300));
        let time = cpu_time(sensor.pid()) - before;
        time.saturating_sub(idle.mul_f64(begin.elapsed().as_secs_f64()))
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
