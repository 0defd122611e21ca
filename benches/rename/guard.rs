//! A rename that the kernel part drops: of a process that has had its budget, and of an excluded
//! one.

use crate::support::command::ask;
use crate::support::{Sensor, wait_for};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// What one turn of the loop takes, one number a round: beyond the budget, and excluded.
pub fn measure(dir: &Path, rounds: usize, mut turn: impl FnMut() -> f64) -> [Vec<f64>; 2] {
    let mut rounds_with = |args: &[&str], prepare: fn(&Path)| {
        let args = [&["--syslog", "stdout"], args].concat();
        let sensor = Sensor::start_with(dir, &args);
        prepare(dir);
        turn();
        let numbers = (0..rounds).map(|_| turn()).collect();
        sensor.stop();
        numbers
    };
    [rounds_with(&["--bulk-budget", "1"], |_| ()), rounds_with(&[], exclude_self)]
}

/// The kernel part drops what this program does.
fn exclude_self(dir: &Path) {
    let program = std::env::current_exe().unwrap();
    let path = program.to_str().unwrap();
    ask(dir, &["exclusion", "process", "add", "--path", path]).expect(0);
    // By its next event.
    wait_for("an exclusion", || {
        std::fs::write(dir.join("a"), "").unwrap();
        sleep(Duration::from_millis(500));
        let list = ask(dir, &["exclusion", "list"]).expect(0).out;
        list.contains(path).then_some(())
    });
}
