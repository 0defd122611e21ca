//! Which provider runs, and who decides it.

use crate::storm::{held_ids, wait_until_settled};
use crate::support::command::{ask, health, healthy, json};
use crate::support::expect::at;
use crate::support::memory::{peak_resident_bytes, resident_bytes};
use crate::support::runner::Test;
use crate::support::sensor::{decode_until, managed_file, run_command};
use crate::support::{
    PATIENCE, Sensor, child, output_of, require_connector, require_live, require_program, scratch,
    wait_at_most, wait_for,
};
use crate::{finish, folder, made, make, of, so_far};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("r5_ebpf_is_the_default", r5_ebpf_is_the_default),
    ("r6_a_command_switches_the_provider_for_good", r6_a_command_switches_for_good),
    ("r6_a_change_that_is_taken_back", r6_a_change_that_is_taken_back),
    ("r23_what_a_start_needs_is_given_back", r23_what_a_start_needs_is_given_back),
    ("r7_the_managed_file_wins", r7_the_managed_file_wins),
    ("r8_without_ebpf_processes_are_seen", r8_without_ebpf_processes_are_seen),
    ("r9_inventories_find_the_status", r9_inventories_find_the_status),
    ("r9_records_have_the_name_that_the_host_has", r9_records_have_the_name_that_the_host_has),
];

pub const SUBSYSTEM: &str = "supplementary_events_subsystem";

/// For as long as both providers run after a switch, and some more.
const OVERLAP: Duration = Duration::from_secs(1);

/// A managed file that disables eBPF: what such a sensor is asked, it answers as any other.
pub fn without_ebpf() -> Value {
    json!({"features": {"ebpfSupplementaryEventProvider": "disabled"}})
}

/// Switches by command. What was said of it.
pub fn switch(dir: &Path, value: &str) -> String {
    let args = ["config", "ebpf-supplementary-event-provider", "--value", value];
    let answer = ask(dir, &args).expect(0);
    assert_eq!(answer.out, "Configuration property updated\n");
    answer.err
}

/// The only event of this action by this process, and its provider.
fn provider_of(events: &[Value], action: &str, pid: u32) -> String {
    let found = of(events, action);
    let found: Vec<_> = found.iter().filter(|event| at(event, "process.pid") == pid).collect();
    assert_eq!(found.len(), 1, "{action} of {pid}: {found:?}");
    at(found[0], "event.provider").as_str().unwrap().to_owned()
}

/// A process that begins and ends.
fn process() -> u32 {
    let pid = child::fork(|| 5);
    child::ends_with(pid, 5);
    sleep(Duration::from_millis(100));
    pid
}

fn r5_ebpf_is_the_default() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let text = healthy(&dir);
    for line in text.lines() {
        let (key, value) = line.split_at(44);
        let name = key.trim_end();
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_name && value.starts_with(": "), "{line}");
    }
    let line = "supplementary_events_subsystem              : \"ebpf\"";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert_eq!(health(&dir, "ebpf_supplementary_event_provider"), "enabled");
    assert!(health(&dir, "hooks_attached").as_u64() > Some(0));
    sensor.leave();
}

fn r6_a_command_switches_for_good() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let at_work = folder(&dir, "work");
    let sensor = Sensor::start_to_file(&dir);
    make(&at_work, "1");
    let said = switch(&dir, "disabled");
    assert!(said.contains("programs are being detached"), "{said}");
    assert_ne!(health(&dir, "programs_detaching"), 0);
    let log = sensor.log();
    assert!(log.contains("eBPF is to be disabled by command of process "), "{log}");
    assert_eq!(health(&dir, SUBSYSTEM), "netlink");
    sleep(OVERLAP);
    make(&at_work, "2");
    let told = process();
    assert_eq!(switch(&dir, "enabled"), "");
    make(&at_work, "3");
    let told_again = process();
    assert_eq!(health(&dir, SUBSYSTEM), "ebpf");
    switch(&dir, "disabled");
    let events = so_far(&dir, &at_work, "3");
    assert_eq!(made(&events, &at_work), ["1", "3"], "file events stop, and come back");
    for action in ["fork", "exit"] {
        let of_process = of(&events, action);
        assert_eq!(provider_of(&events, action, told), "netlink", "{of_process:?}");
        assert_eq!(provider_of(&events, action, told_again), "ebpf", "{of_process:?}");
    }
    let files = of(&events, "mkdir");
    assert!(files.iter().all(|event| at(event, "event.provider") == "ebpf"), "{files:?}");
    sensor.kill();

    let sensor = Sensor::start_to_file(&dir);
    assert!(sensor.log().contains("mote: ready: netlink"), "{}", sensor.log());
    assert_eq!(health(&dir, "ebpf_supplementary_event_provider"), "disabled");
    make(&at_work, "4");
    switch(&dir, "enabled");
    make(&at_work, "5");
    assert_eq!(health(&dir, "ebpf_supplementary_event_provider"), "enabled");
    assert_eq!(made(&finish(sensor, &dir), &at_work), ["5"]);
}

/// Before the other one has ended, whoever ran before goes on: nothing is loaded again, and what
/// is under way in the kernel is told.
fn r6_a_change_that_is_taken_back() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let at_work = folder(&dir, "work");
    let sensor = Sensor::start_to_file(&dir);
    wait_until_settled(&sensor);
    let before = held_ids(&sensor);
    let begin = Instant::now();
    switch(&dir, "disabled");
    assert_eq!(switch(&dir, "enabled"), "");
    if begin.elapsed() < OVERLAP / 10 {
        sleep(2 * OVERLAP);
        assert_eq!(held_ids(&sensor), before);
        assert_eq!(health(&dir, "programs_detaching"), 0);
    } else {
        println!("this machine is too slow to take a change back before it is done");
    }
    assert_eq!(health(&dir, SUBSYSTEM), "ebpf");
    make(&at_work, "1");
    assert_eq!(made(&finish(sensor, &dir), &at_work), ["1"]);
}

/// Of its memory: after the first start, and after eBPF has started again.
fn r23_what_a_start_needs_is_given_back() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    // After what a running sensor touches has come back, and what a command touches.
    let resident = || {
        sleep(Duration::from_secs(3));
        health(&dir, SUBSYSTEM);
        resident_bytes(sensor.pid())
    };
    let (first, peak) = (resident(), peak_resident_bytes(sensor.pid()));
    println!("{first} bytes are resident, of {peak} at the most");
    assert!(first < peak * 9 / 10);
    switch(&dir, "disabled");
    wait_at_most(2 * PATIENCE, "eBPF's end", || {
        (health(&dir, "programs_detaching") == 0).then_some(())
    });
    switch(&dir, "enabled");
    let again = resident();
    println!("{again} bytes after eBPF has started again");
    assert!(again < first * 12 / 10);
    sensor.leave();
}

fn r7_the_managed_file_wins() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let file = managed_file(&dir);
    let set = |value: &str| json!({"features": {"ebpfSupplementaryEventProvider": value}});
    let refused = |value: &str| {
        let args = ["config", "ebpf-supplementary-event-provider", "--value", value];
        ask(&dir, &args).refused(78, &["managed", file.to_str().unwrap()]);
    };
    let sensor = Sensor::start_configured(&dir, &set("enabled"));
    refused("disabled");
    let line = "ebpf_supplementary_event_provider           : \"enabled\" [managed]";
    let text = healthy(&dir);
    assert!(text.lines().any(|found| found == line), "{text}");
    let told = json(&dir, &["health"]);
    let managed = json!({"value": "enabled", "managed": true});
    assert_eq!(told["ebpfSupplementaryEventProvider"], managed);

    std::fs::write(&file, set("disabled").to_string()).unwrap();
    wait_for("the other provider", || (health(&dir, SUBSYSTEM) == "netlink").then_some(()));
    refused("enabled");
    assert_eq!(health(&dir, SUBSYSTEM), "netlink");

    // Neither refusal has left anything behind.
    std::fs::write(&file, "{}").unwrap();
    wait_for("the default", || (health(&dir, SUBSYSTEM) == "ebpf").then_some(()));
    let args = ["config", "ebpf-supplementary-event-provider", "--value", "perhaps"];
    ask(&dir, &args).refused(64, &["enabled or disabled"]);
    sensor.leave();
}

fn r8_without_ebpf_processes_are_seen() {
    require_connector();
    let (_guard, dir) = scratch();
    let at_work = folder(&dir, "work");
    let sensor = Sensor::start_configured(&dir, &without_ebpf());
    make(&at_work, "unseen");
    let pid = process();
    // As it was asked for: that is no problem.
    let told = json(&dir, &["health"]);
    assert_eq!((&told["ebpfStatus"], &told["hooksAttached"]), (&json!(false), &json!(0)));
    assert_eq!(told["supplementaryEventsSubsystem"], "netlink");
    let reason = told["ebpfReason"].as_str().unwrap();
    for word in
        ["disabled in the configuration", "only exec, fork and exit are seen", "connections"]
    {
        assert!(reason.contains(word), "`{word}`: {reason}");
    }
    let statistics = ask(&dir, &["diagnostic", "ebpf-statistics", "--time", "1"]).expect(0);
    assert!(statistics.out.contains("only exec, fork and exit were counted"), "{statistics:?}");
    let events = finish(sensor, &dir);
    for action in ["fork", "exit"] {
        assert_eq!(provider_of(&events, action, pid), "netlink");
    }
    assert!(made(&events, &at_work).is_empty());
}

fn r9_inventories_find_the_status() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    assert_eq!(json(&dir, &["health"])["EBPF STATUS"], true);
    switch(&dir, "disabled");
    assert_eq!(json(&dir, &["health"])["EBPF STATUS"], false);
    let events = finish(sensor, &dir);
    let heartbeats = of(&events, "heartbeat");
    let status: Vec<&Value> =
        heartbeats.iter().map(|event| at(event, "mote.EBPF STATUS")).collect();
    // At the start, at the switch, at the end.
    assert_eq!(status, [&json!(true), &json!(false), &json!(false)]);
    assert!(at(heartbeats[2], "mote.events_received").as_u64() > Some(0));
    assert!(heartbeats.iter().all(|event| at(event, "mote.heartbeat_seconds") == 60));
    // At the start, and at the switch.
    let capabilities = of(&events, "capability");
    let [before, after] = capabilities[..] else { panic!("{capabilities:?}") };
    assert_eq!(at(before, "mote.EBPF STATUS"), true);
    assert!(at(before, "mote.hooks").as_u64() > Some(30), "{before}");
    assert_eq!(at(before, "agent.version"), env!("CARGO_PKG_VERSION"));
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    assert_eq!(at(before, "host.os.kernel"), &json!(release));
    assert_eq!(
        (at(after, "mote.EBPF STATUS"), at(after, "mote.hooks")),
        (&json!(false), &json!(0))
    );
    assert_eq!(at(after, "mote.blind_spots"), &json!(["all_but_processes"]));
}

/// In a UTS namespace of its own, which this host's name has nothing to do with.
fn r9_records_have_the_name_that_the_host_has() {
    require_live();
    let (unshare, nsenter) = (require_program("unshare"), require_program("nsenter"));
    let (_guard, dir) = scratch();
    let run = run_command(&dir, &["--syslog", "stdout", "--heartbeat", "1"]);
    let mut command = Command::new(unshare);
    command.arg("--uts").arg(run.get_program()).args(run.get_args());
    let sensor = Sensor::start_command(&dir, command);
    let names = |events: &[Value]| -> Vec<String> {
        let of = of(events, "heartbeat").into_iter();
        of.map(|event| at(event, "host.hostname").as_str().unwrap().to_owned()).collect()
    };
    let records = Sensor::records(&dir);
    decode_until(&records, |events| !names(events).is_empty());
    let rename = "echo gate-2 > /proc/sys/kernel/hostname";
    let pid = sensor.pid().to_string();
    output_of(Command::new(nsenter).args(["-t", &pid, "-u", "sh", "-c", rename]));
    decode_until(&records, |events| names(events).last().is_some_and(|name| name == "gate-2"));
    let events = finish(sensor, &dir);
    let names = names(&events);
    let renamed = names.iter().position(|name| name == "gate-2").unwrap();
    assert!(renamed > 0 && names[renamed..].iter().all(|name| name == "gate-2"), "{names:?}");
}
