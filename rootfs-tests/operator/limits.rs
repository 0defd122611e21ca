//! Limits of a sensor's resources that somebody lowers while it runs, and raises again
//! (setrlimit(2), prlimit(1)).

use crate::provider::{SUBSYSTEM, switch};
use crate::support::command::{ask, health};
use crate::support::runner::Test;
use crate::support::{
    PATIENCE, Sensor, require_connector, require_live, scratch, wait_at_most, wait_for,
};
use crate::{finish, folder, made, make, of, so_far};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::fs;

pub const TESTS: &[Test] = &[
    ("r26_files_that_may_not_grow", files_that_may_not_grow),
    ("r6_ebpf_starts_again_when_limits_let_it", ebpf_starts_again_when_limits_let_it),
];

/// Lowers a limit of the sensor for as long as it is asked this.
fn with_limit<T>(sensor: &Sensor, resource: Resource, most: u64, ask: impl FnOnce() -> T) -> T {
    // It has those of whoever started it, but for locked memory.
    let limit = getrlimit(resource);
    let set = |current| {
        let pid = Pid::from_raw(sensor.pid() as i32);
        prlimit(pid, resource, Rlimit { current, ..limit }).unwrap();
    };
    set(Some(most));
    let answer = ask();
    set(limit.current);
    answer
}

/// What is told then waits, as for any other disk that is full; what is set is refused. The kernel
/// sends SIGXFSZ, which would end a program that does not expect it.
fn files_that_may_not_grow() {
    require_live();
    let (_guard, dir) = scratch();
    let (at_work, spool) = (folder(&dir, "work"), dir.join("spool"));
    let args = ["--syslog", "stdout", "--spool", spool.to_str().unwrap()];
    let mut sensor = Sensor::start_with(&dir, &args);
    make(&at_work, "before");
    so_far(&dir, &at_work, "before");
    let issues = with_limit(&sensor, Resource::Fsize, 0, || {
        make(&at_work, "meanwhile");
        let asked = ["exclusion", "folder", "add", "--path", "/srv/of-this-test"];
        ask(&dir, &asked).refused(74, &["local.json", "File too large", "ulimit -f"]);
        wait_for("what is wrong", || {
            let issues = health(&dir, "health_issues").to_string();
            (issues.matches("ulimit -f").count() == 2).then_some(issues)
        })
    });
    println!("{issues}");
    assert!(sensor.is_running());
    make(&at_work, "after");
    so_far(&dir, &at_work, "after");
    let events = finish(sensor, &dir);
    assert_eq!(made(&events, &at_work), ["before", "meanwhile", "after"]);
    assert_eq!(of(&events, "loss"), [] as [&serde_json::Value; 0]);
}

/// Until then the process connector runs, and the command that asks for eBPF says why.
fn ebpf_starts_again_when_limits_let_it() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let open = || fs::read_dir(format!("/proc/{}/fd", sensor.pid())).unwrap().count() as u64;
    switch(&dir, "disabled");
    wait_at_most(2 * PATIENCE, "eBPF's end", || {
        (health(&dir, "programs_detaching") == 0).then_some(())
    });
    // Enough for a command.
    let said = with_limit(&sensor, Resource::Nofile, open() + 4, || switch(&dir, "enabled"));
    assert!(said.contains("Too many open files") && said.contains("ulimit -n"), "{said}");
    assert_eq!(health(&dir, SUBSYSTEM), "netlink");
    assert_eq!(switch(&dir, "enabled"), "");
    assert_eq!(health(&dir, SUBSYSTEM), "ebpf");
    sensor.leave();
}
