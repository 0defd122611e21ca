//! Who a process is, told from all others, and who made it.

use crate::processes::own_executable;
use crate::support::expect::{assert_complete, at};
use crate::support::{Sensor, child, decode, require_live, scratch};
use serde_json::Value;
use std::fs::{self, read_to_string, write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// When a process began, as /proc has it: in hundredths of a second since boot.
fn start(pid: impl std::fmt::Display) -> u64 {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
}

/// In a child: leaves for the parent when it began.
fn leave_start(file: &Path) {
    write(file, start("self").to_string()).unwrap();
}

fn left(file: &Path) -> u64 {
    read_to_string(file).unwrap().parse().unwrap()
}

/// What the fields of a process's events are, which have to be the same in all of them.
fn told<'a>(events: &'a [Value], pid: u32, field: &str) -> &'a Value {
    let mut all = events.iter().filter(|event| at(event, "process.pid") == pid);
    let first = at(all.next().expect("an event of the process"), field);
    all.for_each(|event| assert_eq!(at(event, field), first, "{field} of {event}"));
    first
}

/// That of a process that began at `start`. What was forked in the moment of a tick may have
/// been told after it.
fn assert_entity(id: &Value, pid: u32, start: u64) {
    let boot = read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = &boot.replace('-', "")[..16];
    let ids = [start, start + 1].map(|start| format!("{boot}-{pid}-{start}"));
    assert!(ids.iter().any(|due| id == due), "{id} is none of {ids:?}");
}

/// A child, its child, and what that executes, which outlives the child.
pub fn parents_are_who_forked() {
    require_live();
    let (_guard, dir) = scratch();
    let file = |name: &str| dir.join(name);
    let program = file("prog");
    fs::copy("/bin/true", &program).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        leave_start(&file("child"));
        let grandchild = child::fork(|| {
            leave_start(&file("grandchild"));
            // Until it is an orphan.
            while std::os::unix::process::parent_id() != 1 && !file("gone").exists() {
                sleep(Duration::from_millis(5));
            }
            write(file("by an orphan"), "").unwrap();
            child::exec(&program, &[b"prog"])
        });
        write(file("pid"), grandchild.to_string()).unwrap();
        0
    });
    child::ends_with(made, 0);
    // Where a reaper is not process 1.
    write(file("gone"), "").unwrap();
    let grandchild = left(&file("pid")) as u32;
    crate::support::wait_for("the end of the orphan", || {
        let stat = read_to_string(format!("/proc/{grandchild}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    });
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let executable = own_executable().display().to_string();
    let name = own_executable().file_name().unwrap().to_str().unwrap().to_owned();
    for (pid, began, parent, parent_began) in [
        (made, left(&file("child")), std::process::id(), start("self")),
        (grandchild, left(&file("grandchild")), made, left(&file("child"))),
    ] {
        let told = |field| told(&events, pid, field);
        assert_entity(told("process.entity_id"), pid, began);
        assert_eq!(told("process.parent.pid"), parent);
        assert_entity(told("process.parent.entity_id"), parent, parent_began);
        assert_eq!(told("process.parent.executable"), &executable);
        assert_eq!(told("process.parent.name"), &name);
    }
    let id = told(&events, made, "process.entity_id");
    assert_eq!(told(&events, grandchild, "process.parent.entity_id"), id);
    let actions: Vec<_> = events
        .iter()
        .filter(|event| at(event, "process.pid") == grandchild)
        .map(|event| at(event, "event.action").as_str().unwrap())
        .filter(|action| ["fork", "exec", "exit"].contains(action))
        .collect();
    assert_eq!(actions, ["fork", "exec", "exit"]);
}

/// The start of a process by the clock of the host: that of its fork, to the hundredth.
pub fn a_start_is_told_as_a_time() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let made: Vec<u32> = (0..20)
        .map(|_| {
            let pid = child::fork(|| 0);
            child::ends_with(pid, 0);
            pid
        })
        .collect();
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let seconds = |event: &Value, field| {
        let text = at(event, field).as_str().unwrap().to_owned();
        let of_day = text.split('T').nth(1).unwrap().trim_end_matches('Z');
        of_day.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
    };
    for pid in made {
        let is_its =
            |event: &&Value| at(event, "process.pid") == pid && at(event, "event.action") == "fork";
        let fork = events.iter().find(is_its).expect("its fork");
        let late =
            (seconds(fork, "@timestamp") - seconds(fork, "process.start")).rem_euclid(86400.0);
        // A hundredth that is rounded twice, and a clock that is being adjusted.
        assert!(late.min(86400.0 - late) < 0.1, "{late} s: {fork}");
    }
}

/// Processes that end as soon as they can: each keeps what it executed, its arguments and its
/// parent, though nobody can look it up any more.
pub fn short_lives_are_told_in_full() {
    const LIVES: usize = 1500;
    require_live();
    let (_guard, dir) = scratch();
    let program: PathBuf = dir.join("prog");
    fs::copy("/bin/true", &program).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let pids: Vec<u32> = (0..LIVES)
        .map(|n| {
            let last = n.to_string();
            let pid = child::fork(|| child::exec(&program, &[b"prog", b"-x", last.as_bytes()]));
            child::ends_with(pid, 0);
            pid
        })
        .collect();
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let own = std::process::id();
    let executable = own_executable().display().to_string();
    let program = program.display().to_string();
    let mut execs = events.iter().filter(|event| {
        at(event, "event.action") == "exec" && at(event, "process.parent.pid") == own
    });
    for (n, pid) in pids.iter().enumerate() {
        let exec = execs.next().unwrap_or_else(|| panic!("exec {n} of {LIVES} is missing"));
        assert_eq!(at(exec, "process.pid"), *pid, "{exec}");
        assert_eq!(at(exec, "process.executable"), &program, "{exec}");
        assert_eq!(at(exec, "process.args"), &serde_json::json!(["prog", "-x", n.to_string()]));
        assert_eq!(at(exec, "process.parent.executable"), &executable, "{exec}");
        assert_entity(at(exec, "process.parent.entity_id"), own, start("self"));
        assert!(at(exec, "process.entity_id").is_string(), "{exec}");
        assert!(at(exec, "mote.flags").is_null(), "{exec}");
    }
    assert_eq!(execs.next(), None);
}
