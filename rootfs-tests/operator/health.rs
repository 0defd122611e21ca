//! `mote health` and `mote diagnostic create`.

use crate::support::command::{ask, health, json};
use crate::support::runner::Test;
use crate::support::sensor::managed_file;
use crate::support::{Sensor, again, require_live, scratch, wait_for};
use crate::{folder, make};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = &[
    ("r14_health_says_what_is_wrong", r14_health_says_what_is_wrong),
    ("r14_health_has_fields", r14_health_has_fields),
    ("r16_a_bundle_has_what_a_report_needs", r16_a_bundle_has_what_a_report_needs),
    ("r16_a_bundle_is_made_without_a_sensor", r16_a_bundle_is_made_without_a_sensor),
];

/// A syslog daemon as far as the sensor knows.
fn receiver(address: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Takes what is there.
fn take(receiver: &UnixDatagram) {
    let mut message = [0; 8192];
    while receiver.recv(&mut message).is_ok() {}
}

/// The only issue there is: it comes with a remedy. What the receiver has is taken from it, or
/// it would be slow.
fn issue(dir: &Path, receiver: Option<&UnixDatagram>) -> Option<String> {
    receiver.inspect(|receiver| take(receiver));
    let answer = ask(dir, &["health", "--output", "json"]);
    let health: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    let issues = health["healthIssues"].as_array().unwrap();
    if health["eventsLost"] != 0 {
        again("the host is flooded with events");
    }
    assert_eq!(answer.code, Some(if issues.is_empty() { 0 } else { 1 }), "{answer:?}");
    assert_eq!(health["healthy"], issues.is_empty());
    assert!(issues.len() <= 1, "{issues:?}");
    let issue = issues.first()?;
    assert!(issue["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{issue}");
    Some(issue["problem"].as_str().unwrap().to_owned())
}

fn r14_health_says_what_is_wrong() {
    require_live();
    let (_guard, dir) = scratch();
    let address = dir.join("log");
    let first = receiver(&address);
    let sensor = Sensor::start(&dir, &format!("unix:{}", address.display()));
    let problem = |what: &str| wait_for(what, || issue(&dir, Some(&first)));
    let no_problem = |what: &str| {
        wait_for(what, || issue(&dir, Some(&first)).is_none().then_some(()));
    };
    no_problem("health");

    let managed = managed_file(&dir);
    fs::write(&managed, "{\n  \"features\": {,\n}").unwrap();
    let told = problem("an issue of the managed file");
    for word in [managed.to_str().unwrap(), "line 2 column 16", "the one before is kept"] {
        assert!(told.contains(word), "`{word}`: {told}");
    }
    fs::write(&managed, "{}").unwrap();
    no_problem("health with a good file");

    let local = dir.join("state/local.json");
    fs::create_dir_all(dir.join("state")).unwrap();
    fs::write(&local, "{\"features\": []}").unwrap();
    for times in 1..=2 {
        sensor.signal(Signal::HUP);
        let told = problem("an issue of the local file");
        assert!(told.contains(local.to_str().unwrap()), "{told}");
        wait_for("the file to be read", || {
            (sensor.log().matches("local settings").count() == times).then_some(())
        });
    }
    // Whatever is set by command takes its place.
    ask(&dir, &["exclusion", "folder", "add", "--path", "/srv/other"]).expect(0);
    no_problem("health with a good local file");
    sensor.signal(Signal::HUP);
    no_problem("health with what was set");

    drop(first);
    fs::remove_file(&address).unwrap();
    make(&dir, "something to tell");
    let told = wait_for("an issue of the receiver", || issue(&dir, None));
    assert!(told.contains("cannot be delivered"), "{told}");
    let second = receiver(&address);
    wait_for("health with a receiver", || issue(&dir, Some(&second)).is_none().then_some(()));
    sensor.abandon();
    wait_for("its end", || (ask(&dir, &["health"]).code == Some(69)).then_some(()));
    ask(&dir, &["health"]).refused(69, &["mote run", "--runtime-dir"]);
}

fn r14_health_has_fields() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let field = |name: &str| ask(&dir, &["health", "--field", name]);
    assert_eq!(field("syslog_receiver").expect(0).out, "\"stdout\"\n");
    assert_eq!(field("healthy").expect(0).out, "true\n");
    field("nonsense").refused(64, &["nonsense", "supplementary_events_subsystem"]);
    let seconds = |name: &str| health(&dir, name).as_u64().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.as_secs() - seconds("provider_since") < 60);
    assert!(seconds("uptime") < 60 && seconds("rss_kib") > 0);
    // Counts agree with each other and grow.
    let before = json(&dir, &["health"]);
    make(&dir, "one more");
    wait_for("one more event", || {
        let after = json(&dir, &["health"]);
        let grows = |name: &str| after[name].as_u64() > before[name].as_u64();
        (grows("eventsReceived") && grows("recordsSent")).then_some(())
    });
    assert_eq!(health(&dir, "events_lost"), 0);
    sensor.leave();
}

/// Makes a bundle: its file, and the members by their names.
fn bundle(dir: &Path) -> (PathBuf, BTreeMap<String, String>) {
    let to = folder(dir, "bundle");
    let answer = ask(dir, &["diagnostic", "create", "--path", to.to_str().unwrap()]).expect(0);
    let file = answer.out.trim_end().strip_prefix("Diagnostic file created: \"");
    let file = PathBuf::from(file.unwrap().strip_suffix('"').unwrap());
    assert_eq!(file.parent(), Some(&*to));
    // Two of one second have two names.
    let name = file.file_stem().unwrap().to_str().unwrap();
    let (_, pid) = name.rsplit_once("Z-").unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{name}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let mut members = BTreeMap::new();
    for member in tar::Archive::new(fs::File::open(&file).unwrap()).entries().unwrap() {
        let mut member = member.unwrap();
        assert_eq!(member.header().mode().unwrap(), 0o600);
        let name = member.path().unwrap().strip_prefix("mote-diagnostic").unwrap().to_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        let content = String::from_utf8_lossy(&content).into_owned();
        members.insert(name.to_str().unwrap().to_owned(), content);
    }
    (file, members)
}

/// Each has to be there, with this word in it.
fn have(members: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, word) in expected {
        let content = members.get(*name).unwrap_or_else(|| panic!("{name}: {:?}", members.keys()));
        assert!(content.contains(word), "`{word}` in {name}: {content}");
    }
}

/// Of the host, which are there in any case.
const OF_HOST: &[(&str, &str)] = &[
    ("facts.txt", "kernel"),
    ("facts.txt", "\naudit"),
    ("proc/version", "Linux"),
    ("proc/meminfo", "MemTotal"),
    ("proc/cpuinfo", "processor"),
    ("proc/mounts", " proc "),
];

/// A file of the host that may have anything, or nothing: it is in the bundle, or why it cannot
/// be read.
fn same_as_file(members: &BTreeMap<String, String>, name: &str, path: &str) {
    match fs::read_to_string(path) {
        Ok(content) => assert_eq!(members[name], content, "{name}"),
        Err(_) => assert!(members[name].contains("(os error "), "{name}: {}", members[name]),
    }
}

/// What of the host is in each bundle.
fn have_host(members: &BTreeMap<String, String>) {
    have(members, OF_HOST);
    same_as_file(members, "proc/cmdline", "/proc/cmdline");
    same_as_file(members, "proc/modules", "/proc/modules");
    same_as_file(members, "os-release", "/etc/os-release");
}

fn r16_a_bundle_has_what_a_report_needs() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    ask(&dir, &["exclusion", "folder", "add", "--path", "/srv/of-this-test"]).expect(0);
    let (_, members) = bundle(&dir);
    have_host(&members);
    have(
        &members,
        &[
            ("health.txt", "supplementary_events_subsystem"),
            ("health.json", "\"EBPF STATUS\": true"),
            ("configuration/managed.json", "{}"),
            ("configuration/local.json", "/srv/of-this-test"),
            ("exclusions.txt", "/srv/of-this-test"),
            ("programs.txt", "sys_enter_openat"),
            ("log.txt", "info: ready:"),
            ("statistics.txt", "Top initiator paths:"),
            ("sensor/status", "VmRSS"),
            ("sensor/limits", "Max open files"),
            ("sensor/stat", "mote"),
            ("sensor/mountinfo", " - proc "),
        ],
    );
    same_as_file(&members, "sensor/cgroup", &format!("/proc/{}/cgroup", sensor.pid()));
    let records = members.values().filter(|content| content.contains("m1:")).count();
    assert_eq!(records, 0, "it has no records");
    sensor.leave();
}

fn r16_a_bundle_is_made_without_a_sensor() {
    let (_guard, dir) = scratch();
    let (_, members) = bundle(&dir);
    have_host(&members);
    have(&members, &[("sensor.txt", "no sensor answers")]);
    assert!(!members.contains_key("health.txt"));
    // Where it cannot be written, nothing is left.
    let args = ["diagnostic", "create", "--path", "/nonexistent"];
    ask(&dir, &args).refused(74, &["/nonexistent", "--path"]);
}
