//! The process connector, which runs where eBPF does not: what was done is seen, and what is
//! missing is counted.

#[path = "../support/mod.rs"]
mod support;

mod choice;
mod loss;
mod processes;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use support::expect::{Row, assert_complete, assert_same, at};
use support::{Sensor, child, decode};

fn main() -> ExitCode {
    support::runner::run(&[
        ("programs_are_seen", processes::programs_are_seen),
        ("users_are_those_of_then", processes::users_are_those_of_then),
        ("ends_have_their_status", processes::ends_have_their_status),
        ("threads_are_no_processes", processes::threads_are_no_processes),
        ("older_processes_are_known", processes::older_processes_are_known),
        ("programs_that_are_gone", processes::programs_that_are_gone),
        ("messages_of_others_are_refused", loss::messages_of_others_are_refused),
        ("overruns_are_counted", loss::overruns_are_counted),
        ("a_kernel_that_stops_to_send_is_asked_again", loss::a_kernel_that_stops_to_send),
        ("killed_sensor_starts_again", choice::killed_sensor_starts_again),
        ("bpf_refused", choice::bpf_refused),
        ("no_tracefs", choice::no_tracefs),
        ("no_list_of_cpus", choice::no_list_of_cpus),
        ("system_below_the_minimum", choice::system_below_the_minimum),
    ])
}

/// A sensor with eBPF disabled, and its records in a file.
fn start(dir: &Path) -> Sensor {
    let config = json!({"features": {"ebpfSupplementaryEventProvider": "disabled"}});
    let sensor = Sensor::start_configured(dir, &config);
    let log = sensor.log();
    assert!(log.contains("mote: ready: netlink process connector"), "{log}");
    assert!(log.contains("eBPF is disabled in the configuration"), "{log}");
    sensor
}

/// Ends it when it has been told of everything: by 4.15 of the end of a process only after
/// its parent may have waited for it (`do_exit` of linux `kernel/exit.c`).
fn stop(sensor: Sensor) {
    std::thread::sleep(Duration::from_millis(100));
    sensor.stop();
}

/// Lets a child end with `code` and the sensor after it: that is seen, and nothing is missing.
fn sees_an_end(sensor: Sensor, dir: &Path, code: i32) {
    let pid = child::fork(|| code);
    child::ends_with(pid, code);
    stop(sensor);
    let events = decode(&Sensor::records(dir));
    let told = Child(pid);
    assert_same(&[told.fork(), told.exit(code.into())], &of(&events, &[pid]), true);
    assert_complete(&events);
}

/// The events of these processes.
fn of<'a>(events: &'a [Value], pids: &[u32]) -> Vec<&'a Value> {
    let pids: BTreeSet<u64> = pids.iter().map(|pid| u64::from(*pid)).collect();
    let is_ours =
        |event: &&Value| at(event, "process.pid").as_u64().is_some_and(|p| pids.contains(&p));
    events.iter().filter(is_ours).collect()
}

/// What is said of a child of this process from its fork to its end.
struct Child(u32);

impl Child {
    fn fork(&self) -> Row {
        Row::new("fork", self.0)
    }

    /// Found out after it.
    fn exec(&self, program: &Path, args: &[&str]) -> Row {
        Row::new("exec", self.0)
            .executable(program)
            .with("process.args", json!(args))
            .with("process.args_count", args.len())
            .with("mote.flags", json!(["executable_unresolved"]))
            .result(0)
    }

    fn exit(&self, code: i64) -> Row {
        Row::new("exit", self.0).with("process.exit_code", code)
    }

    fn killed(&self, signal: i32) -> Row {
        let exit = self.exit(i64::from(128 + signal)).with("mote.exit_signal", signal);
        exit.with("mote.core_dumped", false)
    }
}
