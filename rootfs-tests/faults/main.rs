//! System calls of a sensor fail, one by one, while it starts and while it runs: strace makes them. Each
//! time it either ends with a sentence and a code of its own, or goes on, and tells what happens then.
//!
//! `cargo test` lets one call of each third kind fail in the likeliest way; with `MOTE_FAULTS` set (`make
//! faults`) it is of each kind the 1st, 2nd, 4th, 8th and so on, and the last, in each way.

#[path = "../support/mod.rs"]
mod support;
mod table;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::expect::at;
use support::sensor::run_command;
use support::{Sensor, decode, require_live, require_program, scratch};
use table::{AT_THE_START, Fault, IN_THE_LOOP};

fn main() -> ExitCode {
    support::runner::run(&[
        ("start_survives_or_explains_each_failure", start_survives_or_explains_each_failure),
        ("loop_survives_each_failure", loop_survives_each_failure),
    ])
}

/// How long a sensor may take under strace.
const PATIENCE: Duration = Duration::from_secs(60);

fn all() -> bool {
    std::env::var_os("MOTE_FAULTS").is_some()
}

/// `mote run` under strace, which is no parent of it, with what strace writes.
fn traced(dir: &Path, args: &[&str]) -> Command {
    let run = run_command(dir, &["--syslog", "stdout", "--heartbeat", "1"]);
    let mut strace = Command::new(require_program("strace"));
    strace.args(["-D", "-qq", "-o"]).arg(dir.join("strace")).args(args);
    strace.arg(run.get_program()).args(run.get_args());
    strace
}

/// Of each of these calls, which ones a start makes: not those of the C library and of std, which
/// come before the configuration is read, and before anything could be said.
fn made() -> BTreeMap<String, Range<u32>> {
    let (_guard, dir) = scratch();
    let calls: Vec<&str> = AT_THE_START.iter().map(|fault| fault.call).collect();
    let trace = format!("trace={}", calls.join(","));
    let sensor = Sensor::start_command(&dir, traced(&dir, &["-e", &trace]));
    let text = fs::read_to_string(dir.join("strace")).unwrap();
    sensor.leave();
    let mut made: BTreeMap<String, Range<u32>> = BTreeMap::new();
    let mut begun = false;
    for line in text.lines() {
        begun |= line.contains("mote_managed.json");
        let call = line.split('(').next().unwrap().to_owned();
        let range = made.entry(call).or_insert(1..1);
        range.end += 1;
        if !begun {
            range.start = range.end;
        }
    }
    made
}

/// Which of these fail.
fn chosen(made: &Range<u32>) -> Vec<u32> {
    let (first, last) = (made.start, made.end - 1);
    if all() {
        let steps = (0..u32::BITS).map(|bit| first + (1 << bit) - 1);
        steps.take_while(|nth| *nth < last).chain([last]).collect()
    } else {
        vec![first.midpoint(last)]
    }
}

fn start_survives_or_explains_each_failure() {
    require_live();
    let made = made();
    let mut ended = 0;
    let mut went_on = 0;
    for Fault { call, errors } in AT_THE_START.iter().step_by(if all() { 1 } else { 3 }) {
        let Some(made) = made.get(*call).filter(|made| !made.is_empty()) else {
            println!("{call} is not called here");
            continue;
        };
        let errors = if all() { errors } else { &errors[..1] };
        for error in errors {
            for nth in chosen(made) {
                let name = format!("{call} {nth} of {}: {error}", made.end - 1);
                if start(&name, call, error, nth) { went_on += 1 } else { ended += 1 }
            }
        }
    }
    println!("of {} starts {ended} ended with a sentence, {went_on} went on", ended + went_on);
    assert!(went_on > 0 && (ended > 0 || !all()));
}

/// Whether the sensor went on.
fn start(name: &str, call: &str, error: &str, nth: u32) -> bool {
    let (_guard, dir) = scratch();
    let inject = format!("inject={call}:error={error}:when={nth}");
    let trace = format!("trace={call}");
    let mut sensor = Sensor::spawn(&dir, traced(&dir, &["-e", &trace, "-e", &inject]));
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < PATIENCE, "{name}: neither ready nor ended: {}", sensor.log());
        if !sensor.is_running() {
            let (status, log) = (sensor.wait(), sensor.log());
            // What std says when there is no memory.
            if status.signal() == Some(libc::SIGABRT) && log.contains("memory allocation of ") {
                return false;
            }
            let code = status.code().unwrap_or_else(|| panic!("{name}: {status}: {log}"));
            // sysexits.h has no others.
            assert!((64..=78).contains(&code), "{name}: {status}: {log}");
            let last = log.lines().last().unwrap_or_default();
            assert!(last.starts_with("mote: ") && last.len() > 20, "{name}: {status}: {log}");
            println!("{name}: {code}: {last}");
            return false;
        }
        if sensor.log().contains("mote: ready:") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    tells(name, &dir, sensor);
    true
}

/// It sees a program, and says how many events are missing, if any are.
fn tells(name: &str, dir: &Path, mut sensor: Sensor) {
    assert!(sensor.is_running(), "{name}: {}", sensor.log());
    let mut child = Command::new("/bin/sleep").arg("0.01").stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let told =
        |event: &Value| at(event, "event.action") == "exec" && at(event, "process.pid") == pid;
    let begin = Instant::now();
    while !decode(&Sensor::records(dir)).iter().any(told) {
        assert!(sensor.is_running(), "{name}: it ended: {}", sensor.log());
        assert!(begin.elapsed() < PATIENCE, "{name}: an exec is not told: {}", sensor.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = sensor.log();
    assert!(!log.contains("panicked"), "{name}: {log}");
    sensor.abandon();
}

fn loop_survives_each_failure() {
    require_live();
    let strace = require_program("strace");
    let (_guard, dir) = scratch();
    let run = run_command(&dir, &["--syslog", "stdout", "--heartbeat", "1"]);
    let mut sensor = Sensor::start_command(&dir, run);
    for Fault { call, errors } in IN_THE_LOOP.iter().step_by(if all() { 1 } else { 3 }) {
        let errors = if all() { errors } else { &errors[..1] };
        for error in errors {
            let name = format!("{call} in the loop: {error}");
            let mut tracer = Command::new(&strace);
            tracer
                .args(["-qq", "-o"])
                .arg(dir.join("strace"))
                .args(["-e", &format!("trace={call}")]);
            // Each third one, for a second.
            tracer.args(["-e", &format!("inject={call}:error={error}:when=1+3")]);
            let mut tracer = tracer.args(["-p", &sensor.pid().to_string()]).spawn().unwrap();
            for _ in 0..20 {
                Command::new("/bin/true").status().unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
            rustix::process::kill_process(
                rustix::process::Pid::from_child(&tracer),
                rustix::process::Signal::INT,
            )
            .unwrap();
            // It ends by the signal that it was told to end by.
            let ended = tracer.wait().unwrap();
            assert_eq!(ended.signal(), Some(libc::SIGINT), "{name}: strace: {ended}");
            let log = sensor.log();
            assert!(sensor.is_running(), "{name}: it ended: {log}");
            assert!(!log.contains("panicked"), "{name}: {log}");
            let injected = fs::read_to_string(dir.join("strace")).unwrap();
            let times = injected.matches("(INJECTED)").count();
            println!("{name}: {times} times");
            let always = ["epoll_wait", "bpf", "write"];
            assert!(times > 0 || !always.contains(call), "{name}: it did not");
        }
    }
    tells("after the loop's", &dir, sensor);
}
