//! Programs, users, and how processes end.

use crate::support::child;
use crate::support::expect::{Row, assert_complete, assert_same, at};
use crate::support::sensor::decode_until;
use crate::support::sys::sys;
use crate::support::{Sensor, decode, require_connector, scratch};
use crate::{Child, of, start, stop};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Nobody's; a group of another number, so that a mistake for it shows.
const USER: u32 = 65534;
const GROUP: u32 = 65533;

/// What /proc calls the shell.
fn shell() -> PathBuf {
    Path::new("/bin/sh").canonicalize().unwrap()
}

/// Whether there is an exec of each of these processes among the events.
fn have_executed(events: &[Value], pids: &[u32]) -> bool {
    of(events, pids).iter().filter(|event| at(event, "event.action") == "exec").count()
        == pids.len()
}

/// Shells that wait until they are seen, and then end with a code each.
pub fn programs_are_seen() {
    const PROGRAMS: u32 = 20;
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    let mut rows = Vec::new();
    let mut children = Vec::new();
    for number in 0..PROGRAMS {
        let last = format!("program {number}");
        let args = ["-c", "read -r code && exit \"$code\"", "mote", "", "\u{706b}\n\t", &last];
        let mut command = Command::new("/bin/sh");
        command.args(args).stdin(Stdio::piped());
        // As root, and as another.
        if number % 2 == 1 {
            command.uid(USER).gid(GROUP);
        }
        let child = command.spawn().unwrap();
        let told = Child(child.id());
        let all: Vec<&str> = [&["/bin/sh"], &args[..]].concat();
        rows.push(told.fork());
        let own = [told.exec(&shell(), &all), told.exit(number.into()).executable(&shell())];
        rows.extend(own.map(|row| if number % 2 == 1 { row.user(USER, GROUP) } else { row }));
        children.push(child);
    }
    let pids: Vec<u32> = children.iter().map(std::process::Child::id).collect();
    decode_until(&Sensor::records(&dir), |events| have_executed(events, &pids));
    for (mut child, number) in children.into_iter().zip(0..) {
        writeln!(child.stdin.take().unwrap(), "{number}").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(number));
    }
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    assert_same(&rows, &of(&events, &pids), true);
    assert_complete(&events);
    assert!(events.iter().all(|event| at(event, "event.provider") == "netlink"));
}

/// The kernel tells of each change, so it does not matter when the events are looked at.
pub fn users_are_those_of_then() {
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    sensor.signal(Signal::STOP);
    let plain = child::fork(|| 3);
    child::ends_with(plain, 3);
    let other = child::fork(|| {
        sys!(SYS_setresgid, GROUP, GROUP, GROUP).check(0);
        sys!(SYS_setresuid, USER, USER, USER).check(0);
        // Its own child is his too.
        let grandchild = child::fork(|| 5);
        child::ends_with(grandchild, 5);
        4
    });
    child::ends_with(other, 4);
    sensor.signal(Signal::CONT);
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    let [plain, other] = [plain, other].map(Child);
    let rows = [
        plain.fork(),
        plain.exit(3),
        // Made while it still was this process's user.
        other.fork(),
        other.exit(4).user(USER, GROUP),
    ];
    assert_same(&rows, &of(&events, &[plain.0, other.0]), true);
    let grandchildren: Vec<&Value> =
        events.iter().filter(|event| at(event, "process.parent.pid") == other.0).collect();
    let said: Vec<_> = grandchildren
        .iter()
        .map(|event| (at(event, "event.action"), at(event, "process.user.id")))
        .collect();
    let user = json!(USER.to_string());
    assert_eq!(said, [(&json!("fork"), &user), (&json!("exit"), &user)]);
    assert_complete(&events);
}

/// A child that does `act` and ends with what it returns, or before; it has to be waited for.
fn ended(act: impl FnOnce() -> i32) -> Child {
    let pid = child::fork(act);
    child::wait(pid);
    Child(pid)
}

fn rows_of(rows: &mut Vec<Row>, child: &Child, end: Row) {
    rows.push(child.fork());
    rows.push(end);
}

pub fn ends_have_their_status() {
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    let (mut rows, mut pids) = (Vec::new(), Vec::new());
    for code in [0, 1, 42, 255] {
        let child = ended(|| code);
        rows_of(&mut rows, &child, child.exit(code.into()));
        pids.push(child.0);
    }
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGUSR1] {
        let child = ended(|| {
            child::dies_of(signal);
            0
        });
        rows_of(&mut rows, &child, child.killed(signal));
        pids.push(child.0);
    }
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    assert_same(&rows, &of(&events, &pids), true);
    assert_complete(&events);
}

/// Neither when they begin nor when they end.
pub fn threads_are_no_processes() {
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    let (mut rows, mut pids) = (Vec::new(), Vec::new());
    let mut ends = |child: Child, code| {
        rows_of(&mut rows, &child, child.exit(code));
        pids.push(child.0);
    };
    for _ in 0..20 {
        // It may be told of after the one that waited for it.
        let joins = ended(|| {
            std::thread::spawn(|| ()).join().unwrap();
            4
        });
        ends(joins, 4);
    }
    // The thread that began ends first.
    let leader_first = ended(|| {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            sys!(SYS_exit_group, 6);
        });
        sys!(SYS_exit, 0);
        0
    });
    ends(leader_first, 6);
    for _ in 0..20 {
        let many = ended(|| {
            for _ in 0..30 {
                std::thread::spawn(std::thread::park);
            }
            sys!(SYS_exit_group, 8);
            0
        });
        ends(many, 8);
    }
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    assert_same(&rows, &of(&events, &pids), true);
    assert_complete(&events);
}

/// What began before the sensor: with threads that it did not see begin, and with a thread
/// that executes.
pub fn older_processes_are_known() {
    require_connector();
    let (_guard, dir) = scratch();
    let go = dir.join("go");
    let wait = || {
        while !go.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let plain = child::fork(|| {
        wait();
        7
    });
    let threads = child::fork(|| {
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(wait))));
        // All but one have ended by now, which is not the end of the process.
        std::thread::sleep(Duration::from_millis(300));
        9
    });
    let executes = child::fork(|| {
        wait();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                child::exec(Path::new("/bin/sh"), &[b"sh", b"-c", b"sleep 1; exit 2"]);
            });
        });
        127
    });
    let sensor = start(&dir);
    std::fs::write(&go, "").unwrap();
    for (pid, code) in [(plain, 7), (threads, 9), (executes, 2)] {
        child::ends_with(pid, code);
    }
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    let [plain, threads, executes] = [plain, threads, executes].map(Child);
    let rows = [
        plain.exit(7),
        threads.exit(9),
        executes.exec(&shell(), &["sh", "-c", "sleep 1; exit 2"]),
        executes.exit(2).executable(&shell()),
    ];
    assert_same(&rows, &of(&events, &[plain.0, threads.0, executes.0]), true);
    assert_complete(&events);
}

/// What cannot be looked up any more is said to be missing, and nothing is made up.
pub fn programs_that_are_gone() {
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = start(&dir);
    sensor.signal(Signal::STOP);
    let pid = child::fork(|| {
        sys!(SYS_setresuid, USER, USER, USER);
        child::exec(Path::new("/bin/true"), &[b"true", b"argument"])
    });
    child::ends_with(pid, 0);
    sensor.signal(Signal::CONT);
    stop(sensor);
    let events = decode(&Sensor::records(&dir));
    let child = Child(pid);
    let gid = rustix::process::getgid().as_raw();
    let rows = [
        child.fork(),
        child
            .exec(Path::new("/bin/true"), &[])
            .without("process.executable")
            .without("process.args")
            .without("process.args_count")
            .with("mote.flags", json!(["path_unread", "args_unread", "executable_unresolved"]))
            .user(USER, gid),
        child.exit(0).without("process.executable").user(USER, gid),
    ];
    assert_same(&rows, &of(&events, &[pid]), true);
    assert_complete(&events);
}
