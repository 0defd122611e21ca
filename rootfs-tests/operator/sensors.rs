//! More than one sensor on a host: each has directories of its own.

use crate::exclusions::{change, listed};
use crate::folder;
use crate::provider::without_ebpf;
use crate::support::command::{self, Answer, ask};
use crate::support::runner::Test;
use crate::support::sensor::{managed_file, run_command};
use crate::support::{Sensor, require_connector, require_live, scratch, wait_for};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

pub const TESTS: &[Test] = &[
    ("r3_a_second_sensor_is_refused", r3_a_second_sensor_is_refused),
    (
        "r14_commands_reach_the_sensor_after_a_killed_one",
        r14_commands_reach_the_sensor_after_a_killed_one,
    ),
    ("r18_two_sensors_do_not_share_what_is_set", r18_two_sensors_do_not_share_what_is_set),
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
    refused(run_command(&one, &["--syslog", "stdout"]), &one.join("run"));
    // By one of them, whatever it is called.
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

/// A killed sensor listens until the kernel has detached its programs, which takes it seconds.
fn r14_commands_reach_the_sensor_after_a_killed_one() {
    require_live();
    let (_guard, dir) = scratch();
    Sensor::start_to_file(&dir).abandon();
    let sensor = Sensor::start_to_file(&dir);
    let answers = || ask(&dir, &["health", "--field", "ebpf_status"]).out == "true\n";
    wait_for("an answer of the sensor that runs", || answers().then_some(()));
    sensor.leave();
}

/// Of two that were started when there was no state directory, and have the same one.
fn r18_two_sensors_do_not_share_what_is_set() {
    require_connector();
    let (_guard, dir) = scratch();
    let (one, two) = (folder(&dir, "one"), folder(&dir, "two"));
    // Of the second one: to the directory of the first one, which it makes when it needs it.
    symlink("../one/state", two.join("state")).unwrap();
    let add = |own: &Path, path: &str| ask(own, &["exclusion", "file", "add", "--path", path]);
    let first = Sensor::start_configured(&one, &without_ebpf());
    let second = Sensor::start_configured(&two, &without_ebpf());
    add(&one, "/of/one").expect(0);
    let keeps = format!("another sensor (process {}) keeps its settings in", first.pid());
    add(&two, "/of/two").refused(75, &["nothing was changed", &keeps, "end one of them"]);
    let told = || command::health(&two, "health_issues").to_string();
    wait_for("the issue", || told().contains(&keeps).then_some(()));
    assert_eq!(command::health(&one, "health_issues"), json!([]));
    add(&one, "/of/one/too").expect(0);
    first.stop();
    // At once: it goes on from what was set, whether it has looked since or not.
    add(&two, "/of/two").expect(0);
    assert_eq!(told(), "[]");
    let all = ["/of/one", "/of/one/too", "/of/two"];
    all.iter().for_each(|path| assert_ne!(listed(&two, Path::new(path)), None, "{path}"));
    second.stop();
}
