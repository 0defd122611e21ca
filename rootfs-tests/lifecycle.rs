//! How a sensor starts, lives and ends.

mod support;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use support::expect::{Row, assert_complete, assert_same, at};
use support::sensor::run_command;
use support::sys::sys;
use support::{Sensor, child, decode, output_of, require_live, require_program, scratch, wait_for};

fn main() -> ExitCode {
    support::runner::run(&[
        ("killed_sensor_leaves_no_program", killed_sensor_leaves_no_program),
        ("sigterm_delivers_the_last_events", sigterm_delivers_the_last_events),
        ("sigint_ends_like_sigterm", sigint_ends_like_sigterm),
        ("sighup_does_no_harm", sighup_does_no_harm),
        ("signals_to_the_sensor_are_told", signals_to_the_sensor_are_told),
        ("sensor_has_one_thread", sensor_has_one_thread),
        ("sensor_does_not_report_itself", sensor_does_not_report_itself),
        ("two_sensors_see_the_same", two_sensors_see_the_same),
        ("service_manager_is_told", service_manager_is_told),
    ])
}

/// The ids of all loaded programs, from bpftool: a second opinion.
fn programs(bpftool: &Path) -> BTreeSet<u64> {
    let text = output_of(Command::new(bpftool).args(["prog", "show", "--json"]));
    let list: Value = serde_json::from_str(&text).unwrap();
    list.as_array().unwrap().iter().map(|program| program["id"].as_u64().unwrap()).collect()
}

fn killed_sensor_leaves_no_program() {
    require_live();
    let bpftool = require_program("bpftool");
    let (_guard, dir) = scratch();
    let before = programs(&bpftool);
    let mut sensor = Sensor::start_to_file(&dir);
    let ours: BTreeSet<u64> = programs(&bpftool).difference(&before).copied().collect();
    assert!(!ours.is_empty(), "a running sensor has programs");
    sensor.signal(Signal::KILL);
    sensor.wait();
    // The kernel frees them after a grace period.
    wait_for("the end of the programs", || programs(&bpftool).is_disjoint(&ours).then_some(()));
}

/// Who sends which one, however, and who traces it.
fn signals_to_the_sensor_are_told() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let pid = sensor.pid();
    let own = std::process::id();
    let row = |by: u32, action| Row::new(action, by).with("mote.target_pid", pid);
    sensor.signal(Signal::HUP);
    let hang_up = row(own, "kill").with("mote.signal", "SIGHUP").result(0);
    // To another process, and what is only looked at.
    let mut other = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    rustix::process::test_kill_process(Pid::from_raw(pid as i32).unwrap()).unwrap();
    let child = child::fork(|| {
        let signalled =
            rustix::process::kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::WINCH);
        // With a code that no call has: `si_signo`, `si_errno`, `si_code` of siginfo_t.
        let mut info = [0i32; 32];
        (info[0], info[2]) = (libc::SIGWINCH, -2);
        sys!(SYS_rt_sigqueueinfo, pid, libc::SIGWINCH, info.as_ptr()).check(0);
        let traced = sys!(SYS_ptrace, libc::PTRACE_SEIZE, pid, 0, 0);
        i32::from(signalled.is_err() || traced.value != 0)
    });
    child::ends_with(child, 0);
    let by_child = [
        row(child, "kill").with("mote.signal", "SIGWINCH").result(0),
        row(child, "kill").with("mote.signal", "SIGWINCH").result(0),
        row(child, "ptrace").with("mote.ptrace_request", "PTRACE_SEIZE").result(0),
    ];
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let theirs: Vec<&Value> = events
        .iter()
        .filter(|event| {
            at(event, "event.action") == "kill" || at(event, "event.action") == "ptrace"
        })
        .filter(|event| [own, child].map(Value::from).contains(at(event, "process.pid")))
        .collect();
    let end = row(own, "kill").with("mote.signal", "SIGTERM").result(0);
    assert_same(&[&[hang_up, end][..], &by_child].concat(), &theirs, false);
}

/// Renames `from` to `to` in `dir` and says what the event has to be.
fn rename(dir: &Path, from: &str, to: &str) -> Row {
    let (from, to) = (dir.join(from), dir.join(to));
    fs::rename(&from, &to).unwrap();
    Row::new("rename", std::process::id()).from(&from).path(&to).result(0)
}

/// The renames among the events of this process.
fn own_renames(events: &[Value]) -> Vec<&Value> {
    events
        .iter()
        .filter(|event| at(event, "event.action") == "rename")
        .filter(|event| at(event, "process.pid") == std::process::id())
        .collect()
}

fn sigterm_delivers_the_last_events() {
    require_live();
    let (_guard, dir) = scratch();
    fs::write(dir.join("a"), "").unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let row = rename(&dir, "a", "b");
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    assert_same(&[row], &own_renames(&events), false);
}

fn sigint_ends_like_sigterm() {
    require_live();
    let (_guard, dir) = scratch();
    fs::write(dir.join("a"), "").unwrap();
    let mut sensor = Sensor::start_to_file(&dir);
    let row = rename(&dir, "a", "b");
    sensor.signal(Signal::INT);
    assert!(sensor.wait().success(), "SIGINT: {}", sensor.log());
    assert_same(&[row], &own_renames(&decode(&Sensor::records(&dir))), false);
}

fn sighup_does_no_harm() {
    require_live();
    let (_guard, dir) = scratch();
    fs::write(dir.join("a"), "").unwrap();
    let mut sensor = Sensor::start_to_file(&dir);
    let before = rename(&dir, "a", "b");
    sensor.signal(Signal::HUP);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let after = rename(&dir, "b", "c");
    assert!(sensor.is_running(), "SIGHUP ended the sensor: {}", sensor.log());
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    assert_same(&[before, after], &own_renames(&events), false);
}

/// Beside it a kernel may keep a worker of the io_uring that was measured, which runs nothing of the
/// sensor (linux 5.15 `fs/io-wq.c`, `io_wqe_worker`: the last one waits for ever).
fn sensor_has_one_thread() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let tasks = format!("/proc/{}/task", sensor.pid());
    let is_own = |task: &fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        !name.starts_with("iou-wrk-")
    };
    for number in 0..100 {
        fs::write(dir.join(format!("file {number}")), "").unwrap();
        assert_eq!(fs::read_dir(&tasks).unwrap().flatten().filter(is_own).count(), 1);
    }
    sensor.stop();
}

/// A syslog daemon as far as the sensor knows.
fn receiver(address: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Reads what has arrived; `None`: nothing.
fn receive(receiver: &UnixDatagram) -> Option<Vec<u8>> {
    let mut message = [0; 8192];
    let mut lines = Vec::new();
    while let Ok(bytes) = receiver.recv(&mut message) {
        lines.extend_from_slice(&message[..bytes]);
        lines.push(b'\n');
    }
    (!lines.is_empty()).then_some(lines)
}

/// A receiver that comes back is connected to, which is an event of anybody else.
fn sensor_does_not_report_itself() {
    require_live();
    let (_guard, dir) = scratch();
    fs::write(dir.join("a"), "").unwrap();
    let address = dir.join("log");
    let first = receiver(&address);
    let mut sensor = Sensor::start(&dir, &format!("unix:{}", address.display()));
    let pid = sensor.pid();
    let before = rename(&dir, "a", "b");
    let mut lines = wait_for("the sensor's first message", || receive(&first));
    drop(first);
    fs::remove_file(&address).unwrap();
    let second = receiver(&address);
    let after = rename(&dir, "b", "c");
    UnixDatagram::unbound().unwrap().connect(&address).unwrap();
    // Connected to after its start. What the first has not read comes again.
    lines.extend(wait_for("the sensor to connect again", || receive(&second)));
    sensor.signal(Signal::TERM);
    while sensor.is_running() {
        lines.extend(receive(&second).unwrap_or_default());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    lines.extend(receive(&second).unwrap_or_default());
    assert!(sensor.wait().success(), "{}", sensor.log());
    fs::write(dir.join("lines"), &lines).unwrap();
    let events = decode(&dir.join("lines"));
    assert_complete(&events);
    assert_same(&[before, after], &own_renames(&events), false);
    let connects = |by: u32| {
        let connects = events.iter().filter(|event| at(event, "event.action") == "connect");
        let to_it = connects.filter(|event| at(event, "process.pid") == by);
        to_it.filter(|event| at(event, "destination.address") == address.to_str().unwrap()).count()
    };
    assert_eq!(connects(std::process::id()), 1, "what this test did is seen");
    assert_eq!(connects(pid), 0, "and what the sensor did in the same way is not");
    // Nor is anything else: the kernel part leaves out its pid.
    let own: Vec<&Value> = events.iter().filter(|e| at(e, "process.pid") == pid).collect();
    assert!(own.is_empty(), "{own:?}");
}

fn two_sensors_see_the_same() {
    require_live();
    let (_guard, first) = scratch();
    let (_guard, second) = scratch();
    fs::write(first.join("a"), "").unwrap();
    let sensors = [Sensor::start_to_file(&first), Sensor::start_to_file(&second)];
    let row = rename(&first, "a", "b");
    sensors.into_iter().for_each(Sensor::stop);
    for dir in [&first, &second] {
        let events = decode(&Sensor::records(dir));
        assert_same(std::slice::from_ref(&row), &own_renames(&events), false);
    }
}

/// The protocol of sd_notify(3). `make service` has it with systemd.
fn service_manager_is_told() {
    require_live();
    let (_guard, dir) = scratch();
    let address = dir.join("notify");
    let socket = receiver(&address);
    let mut command = run_command(&dir, &["--syslog", "stdout"]);
    // It wants to hear from it each second.
    command.env("NOTIFY_SOCKET", &address).env("WATCHDOG_USEC", "1000000");
    let sensor = Sensor::start_command(&dir, command);
    let heard = || String::from_utf8(receive(&socket).unwrap_or_default()).unwrap();
    // All lines up to the one that is waited for.
    let wait_for_line = |begin: &str| {
        let mut all = String::new();
        wait_for(begin, || {
            all += &heard();
            all.lines().any(|line| line.starts_with(begin)).then(|| all.clone())
        })
    };
    let said = wait_for_line("STATUS=");
    assert!(said.starts_with("READY=1\n"), "{said}");
    assert!(said.contains("=eBPF, ") && said.contains(" hooks, "), "{said}");
    wait_for_line("WATCHDOG=1");
    sensor.signal(Signal::HUP);
    let said = wait_for_line("READY=1");
    assert!(said.contains("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    // It cannot be told that a loop goes on which does not.
    sensor.signal(Signal::STOP);
    heard();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(heard(), "");
    sensor.signal(Signal::CONT);
    wait_for_line("WATCHDOG=1");
    sensor.signal(Signal::TERM);
    wait_for_line("STOPPING=1");
    sensor.stop();
}
