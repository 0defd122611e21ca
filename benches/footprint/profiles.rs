//! What each machine-size profile takes: of a sensor that has nothing to do, and of one whose tables and
//! queue are full.

use crate::live::figures::Figures;
use crate::support::memory::{kernel_bytes, resident_bytes};
use crate::support::{Sensor, child, require_live, scratch, wait_for};
use mote::sensor::profile::Profile;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use std::fs::{create_dir, write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// Processes at a time, each in a directory of its own: some less than other sensors of this host, which
/// somebody may be testing, have room for.
const CROWD: usize = 3_800;
/// More than fill the largest queue.
const RENAMES: usize = 200_000;

/// Prints a line for each, in MiB.
pub fn bench() {
    require_live();
    let mut figures = Figures::new();
    println!(
        "{}\n\n| profile | resident, MiB | resident, full | rings | maps | programs |\n\
         | --- | --- | --- | --- | --- | --- |",
        figures.machine
    );
    for profile in Profile::ALL {
        let line = measure(profile).map(|(what, bytes)| {
            let mib = bytes as f64 / f64::from(1 << 20);
            figures.add(format!("{profile}_{what}_mib"), &[mib]);
            format!(" {mib:.2} |")
        });
        println!("| {profile} |{}", line.concat());
    }
    figures.keep("profiles");
}

fn measure(profile: Profile) -> [(&'static str, u64); 5] {
    let (_guard, dir) = scratch();
    // Nobody listens there: all waits in memory.
    let to = ["--syslog", "tcp:127.0.0.1:9", "--bulk-budget", "0", "--profile", profile.name()];
    let sensor = Sensor::start_with(&dir, &to);
    sleep(Duration::from_secs(5));
    let kernel = kernel_bytes(sensor.pid());
    let idle = resident_bytes(sensor.pid());
    fill(&dir);
    let mut before = Duration::ZERO;
    wait_for("a sensor that has read its rings", || {
        sleep(Duration::from_millis(500));
        let after = sensor.cpu_time();
        let is_at_rest = after - before < Duration::from_millis(50);
        before = after;
        is_at_rest.then_some(())
    });
    let full = resident_bytes(sensor.pid());
    // Nobody reads its last records.
    sensor.abandon();
    [
        ("idle", idle),
        ("full", full),
        ("rings", kernel.rings),
        ("maps", kernel.maps),
        ("programs", kernel.programs),
    ]
}

/// A crowd of processes in their directories, and renames.
fn fill(dir: &Path) {
    let crowd: Vec<u32> = (0..CROWD)
        .map(|n| {
            let place = dir.join(n.to_string());
            create_dir(&place).unwrap();
            child::fork(|| {
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                let _ = std::env::set_current_dir(&place);
                loop {
                    sleep(Duration::from_secs(600));
                }
            })
        })
        .collect();
    let mut names = [dir.join("a"), dir.join("b")];
    write(&names[0], "").unwrap();
    for _ in 0..RENAMES {
        rustix::fs::rename(&names[0], &names[1]).unwrap();
        names.reverse();
    }
    for pid in crowd {
        kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
        child::wait(pid);
    }
}
