//! `mote pause`: a command runs while nothing of the sensor is attached.

use crate::support::command::{Answer, ask, command, health};
use crate::support::expect::at;
use crate::support::runner::Test;
use crate::support::{Sensor, mote, require_connector, require_live, scratch, wait_for};
use crate::{finish, folder, made, make, of};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

pub const TESTS: &[Test] = &[
    ("r12_a_pause_detaches_and_resumes", r12_a_pause_detaches_and_resumes),
    ("r12_a_pause_passes_on_how_its_command_ended", r12_a_pause_passes_on_how_it_ended),
];

/// How many programs and attached events a process has.
fn attached(links: &str) -> usize {
    links.lines().filter(|link| link.contains("bpf") || link.contains("perf_event")).count()
}

/// Writes where the descriptors of process $0 lead to $1, tells of it in $2, and goes on.
const LOOK: &str = "for fd in /proc/$0/fd/*; do readlink $fd; done >$1; : >$2; ";

struct Paused {
    mote: Child,
    links: String,
}

/// Begins a pause whose command does `then` after it has had a look at the sensor.
fn begin(dir: &Path, sensor: &Sensor, options: &[&str], then: &str) -> Paused {
    let (links, looked) = (dir.join("links"), dir.join("looked"));
    let _ = fs::remove_file(&looked);
    let script = format!("{LOOK}{then}");
    let pid = sensor.pid().to_string();
    let names = [&links, &looked].map(|path| path.to_str().unwrap());
    let shell = ["--", "/bin/sh", "-c", &script, &pid, names[0], names[1]];
    let mote = command(dir, &[&["pause"], options, &shell].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the command of a pause", || looked.exists().then_some(()));
    let links = fs::read_to_string(&links).unwrap();
    // It has that in any case.
    assert!(links.contains("[eventpoll]"), "the look at the sensor: {links}");
    Paused { mote, links }
}

fn end(paused: Paused) -> Answer {
    Answer::from(paused.mote.wait_with_output().unwrap())
}

fn wait_for_ebpf(dir: &Path) {
    let is_back = || (health(dir, "ebpf_status") == true).then_some(());
    wait_for("eBPF after a pause", is_back);
}

fn r12_a_pause_detaches_and_resumes() {
    require_live();
    require_connector();
    let (_guard, dir) = scratch();
    let at_work = folder(&dir, "work");
    let sensor = Sensor::start_to_file(&dir);
    let own = fs::read_dir(format!("/proc/{}/fd", sensor.pid())).unwrap();
    let links = own.map(|fd| fs::read_link(fd.unwrap().path()).unwrap().display().to_string());
    assert!(attached(&links.collect::<Vec<_>>().join("\n")) > 0, "it has programs");
    make(&at_work, "before");

    let until = dir.join("go on");
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.1; done", until.display());
    let paused = begin(&dir, &sensor, &[], &format!("{wait}; exit 7"));
    let asker = paused.mote.id();
    assert_eq!(attached(&paused.links), 0, "{}", paused.links);
    make(&at_work, "paused");
    let unhealthy = ask(&dir, &["health"]).expect(1);
    assert!(unhealthy.out.contains(&format!("eBPF is paused by process {asker}")), "{unhealthy:?}");
    ask(&dir, &["pause", "--", "true"]).refused(75, &["paused by process", "try again"]);
    // A look at the host would attach eBPF.
    ask(&dir, &["check"]).refused(75, &["paused by process", "look again"]);
    assert_eq!(health(&dir, "programs_detaching"), 0);
    fs::write(&until, "").unwrap();
    end(paused).expect(7);
    make(&at_work, "after");
    assert_eq!(health(&dir, "ebpf_status"), true, "as soon as the command has ended");

    // What cannot be run does not pause anything.
    let absent = ["pause", "--", "/nonexistent/program"];
    ask(&dir, &absent).refused(127, &["/nonexistent/program"]);
    ask(&dir, &["pause", "--", "nonexistent-program"]).refused(127, &["nonexistent-program"]);

    // Whoever asked is killed, and its command goes on.
    let mut paused = begin(&dir, &sensor, &[], "sleep 1");
    paused.mote.kill().unwrap();
    paused.mote.wait().unwrap();
    wait_for_ebpf(&dir);
    make(&at_work, "after it was killed");

    // The time is the command's, however long it took to detach.
    fs::remove_file(&until).unwrap();
    let dies = format!("{wait}; kill -TERM $$");
    let mut paused = begin(&dir, &sensor, &["--limit-seconds", "1"], &dies);
    assert_eq!(attached(&paused.links), 0, "{}", paused.links);
    wait_for_ebpf(&dir);
    make(&at_work, "after the limit");
    assert!(paused.mote.try_wait().unwrap().is_none(), "its command goes on");
    fs::write(&until, "").unwrap();
    let answer = end(paused).expect(128 + libc::SIGTERM);
    assert!(answer.err.contains("time limit was reached"), "{answer:?}");
    assert!(sensor.log().contains("limit of 1 s"), "{}", sensor.log());

    let events = finish(sensor, &dir);
    let seen = ["before", "after", "after it was killed", "after the limit"];
    assert_eq!(made(&events, &at_work), seen, "files are not seen in a pause");
    let why: Vec<&Value> =
        of(&events, "resume").iter().map(|event| at(event, "mote.resumed_because")).collect();
    assert_eq!(why, [&json!("done"), &json!("gone"), &json!("time_limit")]);
    let pauses = of(&events, "pause");
    let limits: Vec<&Value> =
        pauses.iter().map(|event| at(event, "mote.pause_limit_seconds")).collect();
    assert_eq!(limits, [&json!(600), &json!(600), &json!(1)]);
    assert_eq!(at(pauses[0], "process.pid"), asker);
    let program = fs::canonicalize(mote()).unwrap();
    assert_eq!(at(pauses[0], "process.executable"), program.to_str().unwrap());
    let parent = std::process::id();
    assert_eq!(at(pauses[0], "process.parent.pid"), parent, "{}", pauses[0]);
    assert!(at(pauses[0], "process.entity_id").is_string(), "{}", pauses[0]);
    // Who asks is told before what it asks for.
    let is = |event: &Value, action: &str| {
        at(event, "event.action") == action && at(event, "process.pid") == asker
    };
    let position = |action| events.iter().position(|event| is(event, action)).unwrap();
    assert!(position("exec") < position("pause"));
    let ends = of(&events, "exit");
    let command = ends.iter().find(|event| at(event, "process.parent.pid") == asker);
    let command = command.expect("the end of the command");
    assert_eq!(at(command, "process.exit_code"), 7);
    assert_eq!(at(command, "event.provider"), "netlink");
}

fn r12_a_pause_passes_on_how_it_ended() {
    let (_guard, dir) = scratch();
    ask(&dir, &["pause", "--", "/bin/sh", "-c", "exit 0"]).refused(69, &["mote run"]);
    ask(&dir, &["pause", "--if-running"]).refused(64, &["mote pause -- COMMAND"]);
    let run = |args: &[&str]| ask(&dir, &[&["pause", "--if-running", "--"], args].concat());
    run(&["/bin/sh", "-c", "exit 0"]).expect(0);
    run(&["/bin/sh", "-c", "exit 42"]).expect(42);
    run(&["/bin/sh", "-c", "kill -KILL $$"]).expect(128 + libc::SIGKILL);
    run(&["/nonexistent/program"]).refused(127, &["/nonexistent/program"]);
    let file = dir.join("file");
    fs::write(&file, "").unwrap();
    run(&[file.to_str().unwrap()]).refused(126, &["file", "mode"]);
    run(&[dir.to_str().unwrap()]).refused(126, &["mode"]);
    let in_path = |name: &str| {
        let mut mote = command(&dir, &["pause", "--if-running", "--", name]);
        Answer::from(mote.env("PATH", format!("/nonexistent:{}", dir.display())).output().unwrap())
    };
    in_path("file").refused(126, &["file", "mode"]);
    in_path("nothing").refused(127, &["nothing"]);
    // That its interpreter is not there shows when it is run.
    fs::write(&file, "#!/nonexistent\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    in_path("file").refused(127, &["file"]);
    // Options behind the command are the command's.
    let echo = ["/bin/sh", "-c", "echo \"$0 $1\"", "--limit-seconds", "0"];
    assert_eq!(run(&echo).expect(0).out, "--limit-seconds 0\n");
}
