//! More than one sensor on a host: each has directories of its own.

use crate::exclusions::{change, listed};
use crate::folder;
use crate::provider::without_ebpf;
use crate::support::command::{self, Answer, ask};
use crate::support::runner::Test;
use crate::support::sensor::{managed_file, run_command};
use crate::support::{Sensor, require_connector, require_live, scratch, wait_for};
use mote::claim::SoleDirectory;
use mote::control::server::LOCK;
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("r3_a_second_sensor_is_refused", r3_a_second_sensor_is_refused),
    ("r3_who_is_about_to_end_is_waited_for", r3_who_is_about_to_end_is_waited_for),
    (
        "r14_commands_reach_the_sensor_after_a_killed_one",
        r14_commands_reach_the_sensor_after_a_killed_one,
    ),
    ("r14_the_socket_is_made_anew", r14_the_socket_is_made_anew),
    ("r18_sensors_do_not_share_what_is_set", r18_sensors_do_not_share_what_is_set),
    ("r18_what_cannot_be_locked_is_not_set", r18_what_cannot_be_locked_is_not_set),
];

fn r3_a_second_sensor_is_refused() {
    require_connector();
    let (_guard, dir) = scratch();
    let (one, two) = (folder(&dir, "one"), folder(&dir, "two"));
    let state = folder(&one, "state");
    let first = Sensor::start_configured(&one, &without_ebpf());
    let process = format!("another sensor (process {}) runs, and has the directory", first.pid());
    let refused = |mut command: Command, directory: &Path| {
        let answer = Answer::from(command.output().unwrap());
        let words = [&process, directory.to_str().unwrap(), "--runtime-dir", "--state-dir"];
        answer.refused(75, &words);
    };
    fs::write(managed_file(&two), without_ebpf().to_string()).unwrap();
    refused(run_command(&one, &["--syslog", "stdout"]), &state);
    // By one of the two, whatever it is called.
    symlink("../one/run", two.join("run")).unwrap();
    refused(run_command(&two, &["--syslog", "stdout"]), &two.join("run"));
    fs::remove_file(two.join("run")).unwrap();
    symlink("../one/state", two.join("state")).unwrap();
    refused(run_command(&two, &["--syslog", "stdout"]), &two.join("state"));
    assert!(!two.join("run/control.sock").exists(), "nothing of it is left");
    fs::remove_file(two.join("state")).unwrap();
    // The first one has heard nothing of all that, and one with directories of its own runs beside it.
    let second = Sensor::start_to_file(&two);
    for dir in [&one, &two] {
        assert_eq!(command::health(dir, "health_issues"), json!([]));
        change(dir, "file", "add", Path::new("/of/each"));
    }
    assert!(state.join("local.json").exists());
    second.stop();
    // When it is told to end, or is killed, the next one is not refused.
    first.leave();
    let next = Sensor::start_to_file(&one);
    next.abandon();
    Sensor::start_to_file(&one).stop();
}

/// One that was told to end has its directories until it hears that.
fn r3_who_is_about_to_end_is_waited_for() {
    require_connector();
    let (_guard, dir) = scratch();
    fs::write(managed_file(&dir), without_ebpf().to_string()).unwrap();
    let mut held = SoleDirectory::new(&folder(&dir, "run"), LOCK);
    assert!(held.take());
    let sensor = Sensor::spawn(&dir, run_command(&dir, &["--syslog", "stdout"]));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(sensor.log(), "");
    held.release();
    wait_for("the start", || sensor.log().contains("mote: ready:").then_some(()));
    sensor.stop();
}

/// Somebody has removed what is in /run: systemd does, for one, when it could not start the service.
fn r14_the_socket_is_made_anew() {
    require_connector();
    let (_guard, dir) = scratch();
    let run = dir.join("run");
    let sensor = Sensor::start_configured(&dir, &without_ebpf());
    let healthy = || ask(&dir, &["health", "--field", "healthy"]).out == "true\n";
    let socket = run.join("control.sock");
    for all in [true, false] {
        let mut waiting = UnixStream::connect(&socket).unwrap();
        if all { fs::remove_dir_all(&run) } else { fs::remove_file(&socket) }.unwrap();
        wait_for("an answer", || healthy().then_some(()));
        // Who was connected stays so.
        waiting.write_all(b"{\"command\":\"health\"}\n").unwrap();
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("healthy"), "{answer}");
        let again = Answer::from(run_command(&dir, &["--syslog", "stdout"]).output().unwrap());
        again.refused(75, &[run.to_str().unwrap()]);
    }
    assert!(!sensor.log().contains("commands"), "{}", sensor.log());
    // Or another sensor is there meanwhile.
    let mut other = SoleDirectory::new(&run, LOCK);
    while !other.make_and_take() {
        let _ = fs::remove_dir_all(&run);
    }
    let told = |words: &str| wait_for("a message", || sensor.log().contains(words).then_some(()));
    told(&format!("another sensor (process {}) has the directory", std::process::id()));
    other.release();
    told("mote's commands reach this sensor now");
    assert!(healthy());
    // Or somebody is who answers nobody: that holds up nothing.
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    rustix::net::listen(&other, 0).unwrap();
    while mio::net::UnixStream::connect(&socket).is_ok() {}
    told("is taken, perhaps by a sensor that was killed");
    sensor.stop();
}

/// A killed sensor listens until the kernel has detached its programs, which takes it seconds.
fn r14_commands_reach_the_sensor_after_a_killed_one() {
    require_live();
    let (_guard, dir) = scratch();
    Sensor::start_to_file(&dir).abandon();
    let sensor = Sensor::start_to_file(&dir);
    // It has the directory all the same.
    let second = Answer::from(run_command(&dir, &["--syslog", "stdout"]).output().unwrap());
    second.refused(75, &[&format!("(process {}) runs", sensor.pid())]);
    let answers = || ask(&dir, &["health", "--field", "ebpf_status"]).out == "true\n";
    wait_for("an answer of the sensor that runs", || answers().then_some(()));
    sensor.leave();
}

/// Of three that were started when there was no state directory, and have the same one.
fn r18_sensors_do_not_share_what_is_set() {
    require_connector();
    let (_guard, dir) = scratch();
    let [one, two, three] = ["one", "two", "three"].map(|name| folder(&dir, name));
    // Of the others: to the directory of the first one, which it makes when it needs it.
    for other in [&two, &three] {
        symlink("../one/state", other.join("state")).unwrap();
    }
    let add = |own: &Path, path: &str| ask(own, &["exclusion", "file", "add", "--path", path]);
    let [first, second, third] =
        [&one, &two, &three].map(|own| Sensor::start_configured(own, &without_ebpf()));
    add(&one, "/of/one").expect(0);
    let keeps = format!("another sensor (process {}) keeps its settings in", first.pid());
    add(&two, "/of/two").refused(75, &["nothing was changed", &keeps, "end one of them"]);
    let told = |own: &Path| command::health(own, "health_issues").to_string();
    for other in [&two, &three] {
        wait_for("the issue", || told(other).contains(&keeps).then_some(()));
    }
    assert_eq!(told(&one), "[]");
    add(&one, "/of/one/too").expect(0);
    first.stop();
    // The others go on from what was set: one of them, and when that has ended the last.
    let of_one = |own: &Path| listed(own, Path::new("/of/one/too"));
    let has_it = || [&two, &three].into_iter().find(|own| of_one(own).is_some());
    let next = wait_for("the next one", has_it);
    add(next, "/of/the/next").expect(0);
    assert_eq!(told(next), "[]");
    let (next, last, own) =
        if next == &two { (second, third, &three) } else { (third, second, &two) };
    next.stop();
    // At once, whether it has looked since or not.
    add(own, "/of/the/last").expect(0);
    assert_eq!(told(own), "[]");
    let all = ["/of/one", "/of/one/too", "/of/the/next", "/of/the/last"];
    all.iter().for_each(|path| assert_ne!(listed(own, Path::new(path)), None, "{path}"));
    last.stop();
}

/// Where nothing can be locked nothing is set: another sensor could write it over.
fn r18_what_cannot_be_locked_is_not_set() {
    require_connector();
    let (_guard, dir) = scratch();
    let lock = folder(&folder(&dir, "state"), "lock");
    let sensor = Sensor::start_configured(&dir, &without_ebpf());
    assert_eq!(command::health(&dir, "health_issues"), json!([]));
    let add = || ask(&dir, &["exclusion", "file", "add", "--path", "/of/it"]);
    add().refused(74, &["nothing was changed: no lock can be had in", "Is a directory"]);
    fs::remove_dir(lock).unwrap();
    add().expect(0);
    sensor.stop();
}
