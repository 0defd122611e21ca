//! Exclusions by command, on a running sensor: in force between the event before the command
//! and the one after it.

use crate::provider::without_ebpf;
use crate::support::command::{self, ask};
use crate::support::expect::{assert_complete, at};
use crate::support::runner::Test;
use crate::support::worker::Worker;
use crate::support::{
    Sensor, other_name, program_as, require_connector, require_live, scratch, wait_for,
};
use crate::{MAKER, finish, folder, made, make, of, so_far};
use mote::filter::DEFAULTS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("r18_commands_have_effect_at_once", r18_commands_have_effect_at_once),
    ("r18_a_request_divides_what_was_from_what_is", r18_a_request_divides),
    ("r18_exclusions_of_children", r18_exclusions_of_children),
    ("r18_commands_say_what_is_wrong", r18_commands_say_what_is_wrong),
    ("r18_commands_say_what_may_not_be_meant", r18_commands_say_what_may_not_be_meant),
    ("r21_defaults_are_listed", r21_defaults_are_listed),
];

/// Adds or removes an exclusion.
pub fn change(dir: &Path, kind: &str, action: &str, path: &Path) {
    let answer = ask(dir, &["exclusion", kind, action, "--path", path.to_str().unwrap()]);
    let done = if action == "add" { "configured" } else { "removed" };
    let title = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    assert_eq!(answer.expect(0).out, format!("{title} exclusion {done} successfully\n"));
}

/// The listed exclusion of this path.
pub fn listed(dir: &Path, path: &Path) -> Option<Value> {
    let list = command::json(dir, &["exclusion", "list"]);
    let mut list = list.as_array().unwrap().iter();
    list.find(|one| one["path"] == path.to_str().unwrap()).cloned()
}

/// One event for each kind of rule.
struct Scene {
    dir: PathBuf,
    worker: Worker,
    rules: [(&'static str, PathBuf); 3],
}

impl Scene {
    fn new(dir: &Path) -> Scene {
        let program = dir.join("program");
        program_as(&program);
        let (files, work) = (folder(dir, "files"), folder(dir, "work"));
        let below = folder(dir, "folder");
        folder(&below, "deep");
        folder(dir, "marks");
        let worker = Worker::start_program(&program, &work);
        let rules = [("file", files.join("a")), ("folder", below), ("process", program)];
        Scene { dir: dir.into(), worker, rules }
    }

    fn change(&self, action: &str) {
        self.rules.iter().for_each(|(kind, path)| change(&self.dir, kind, action, path));
    }

    /// Does one of each, and beside them what no rule is for.
    fn play(&mut self, phase: u32) {
        make(&self.dir.join("marks"), &phase.to_string());
        let file = &self.rules[0].1;
        std::fs::create_dir(file).unwrap();
        std::fs::remove_dir(file).unwrap();
        make(&self.dir.join("files"), &format!("a{phase}"));
        make(&self.dir.join("folder/deep"), &phase.to_string());
        self.worker.ask(&format!("mkdir {phase}"));
    }

    /// What was reported of each phase: how many events on the file, below the folder, by the
    /// process, and of what no rule is for.
    fn reported(&self, events: &[Value]) -> BTreeMap<u32, [usize; 4]> {
        let (mut phases, mut phase) = (BTreeMap::new(), 0);
        let places = [
            self.rules[0].1.clone(),
            self.dir.join("folder/deep"),
            self.dir.join("work"),
            self.dir.join("files"),
        ];
        for event in events {
            let Some(path) = at(event, "file.path").as_str().map(Path::new) else { continue };
            if path.parent() == Some(&self.dir.join("marks")) {
                phase = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                phases.insert(phase, [0; 4]);
            }
            let place = places.iter().position(|p| path == p || path.parent() == Some(p));
            if let (Some(place), Some(counts)) = (place, phases.get_mut(&phase)) {
                counts[place] += 1;
            }
        }
        phases
    }
}

const ALL: [usize; 4] = [2, 1, 1, 1];
const NONE: [usize; 4] = [0, 0, 0, 1];

fn r18_commands_have_effect_at_once() {
    require_live();
    let (_guard, dir) = scratch();
    let mut scene = Scene::new(&dir);
    let sensor = Sensor::start_to_file(&dir);
    // No rest anywhere: what was before a command is told as it was before.
    for phase in 0..10 {
        scene.play(phase);
        scene.change(if phase % 2 == 0 { "add" } else { "remove" });
    }
    scene.play(10);
    scene.change("add");
    scene.play(11);
    // Since they were added for the last time.
    for ((_, path), hits) in scene.rules.iter().zip([2, 1, 1]) {
        let counted = || listed(&dir, path).filter(|one| one["hits"] == hits);
        let one = wait_for("the hits", counted);
        assert_eq!(one["origin"], "local");
    }
    let sentences = [
        ("--path", dir.join("folder/deep/x"), "is below the folder"),
        ("--path", scene.rules[0].1.clone(), "is an excluded file (local)"),
        ("--process", scene.rules[2].1.clone(), "is an excluded process, without its desc"),
    ];
    for (option, path, sentence) in sentences {
        let test = ["exclusion", "test", option, path.to_str().unwrap()];
        let answer = ask(&dir, &test).expect(0);
        assert!(answer.out.contains(sentence), "{answer:?}");
    }
    let test = ["exclusion", "test", "--path", "/srv/other"];
    assert!(ask(&dir, &test).expect(1).out.contains("no exclusion matches the path /srv/other"));
    make(&dir.join("marks"), "12");
    let events = so_far(&dir, &dir.join("marks"), "12");
    let reported = scene.reported(&events);
    for phase in 0..12 {
        let expected = if phase % 2 == 0 { ALL } else { NONE };
        assert_eq!(reported[&phase], expected, "phase {phase}");
    }
    assert_complete(&events);
    // Each is on record, however short its time was.
    let changes = 11 * scene.rules.len();
    let told = of(&events, "capability").len();
    assert!((changes..=changes + 1).contains(&told), "{told} of {changes} changes");
    sensor.kill();

    // They are kept, and the worker is known again.
    let sensor = Sensor::start_to_file(&dir);
    scene.play(20);
    scene.change("remove");
    scene.play(21);
    let events = finish(sensor, &dir);
    let reported = scene.reported(&events);
    assert_eq!((reported[&20], reported[&21]), (NONE, ALL));
    assert_complete(&events);
}

/// With no time in between: who asks has connected before.
fn r18_a_request_divides() {
    require_live();
    let (_guard, dir) = scratch();
    let work = folder(&dir, "work");
    let sensor = Sensor::start_to_file(&dir);
    let mut expected = Vec::new();
    for turn in 0..20 {
        let command = if turn % 2 == 0 { "exclusion_add" } else { "exclusion_remove" };
        let request = json!({"command": command, "kind": "folder", "path": work});
        let mut client = UnixStream::connect(dir.join("run/control.sock")).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let name = turn.to_string();
        make(&work, &name);
        writeln!(client, "{request}").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "{\"done\":[]}\n");
        if turn % 2 == 0 {
            expected.push(name);
        }
    }
    make(&work, "last");
    expected.push("last".to_owned());
    assert_eq!(made(&finish(sensor, &dir), &work), expected);
}

fn r18_exclusions_of_children() {
    require_live();
    let (_guard, dir) = scratch();
    let (shell, program, work) = (dir.join("sh"), dir.join("program"), folder(&dir, "work"));
    other_name(Path::new("/bin/sh"), &shell);
    program_as(&program);
    // The last command of a shell would be executed in its place.
    let script = "read -r name && \"$0\" \"$1\" \"$2/$name\"; read -r name && \"$0\" \"$1\" \
                  \"$2/$name\"; exit 0";
    let start = || {
        let mut command = Command::new(&shell);
        command.args(["-c", script]).arg(&program).arg(MAKER).arg(&work);
        command.stdin(Stdio::piped()).spawn().unwrap()
    };
    let wait_until_made = |name: &str| {
        wait_for(name, || work.join(name).exists().then_some(()));
    };
    let sensor = Sensor::start_to_file(&dir);
    let mut before = start();
    let add = ["exclusion", "process", "add", "--path", shell.to_str().unwrap()];
    ask(&dir, &add).expect(0);
    let tell = |child: &mut std::process::Child, name: &str| {
        writeln!(child.stdin.as_mut().unwrap(), "{name}").unwrap();
        wait_until_made(name);
        // It is there before the call has returned, which is when it is told.
        std::thread::sleep(Duration::from_millis(200));
    };
    let mut between = start();
    tell(&mut before, "without, older");
    tell(&mut between, "without, newer");
    let answer = ask(&dir, &[&add[..], &["--include-children"]].concat()).expect(0);
    assert!(answer.err.contains("what it starts is excluded now too"), "{answer:?}");
    ask(&dir, &add).refused(64, &["already, with what it starts", "remove it first"]);
    assert_eq!(listed(&dir, &shell).unwrap()["children"], true);
    tell(&mut before, "with, oldest");
    tell(&mut between, "with, older");
    let mut after = start();
    tell(&mut after, "with, newer");
    change(&dir, "process", "remove", &shell);
    tell(&mut after, "removed");
    for mut child in [before, between, after] {
        assert!(child.wait().unwrap().success());
    }
    let events = finish(sensor, &dir);
    assert_eq!(made(&events, &work), ["without, older", "without, newer", "removed"]);
    // Its program is not seen either, nor its end.
    let of_child = |action: &str| {
        let program = program.to_str().unwrap();
        let events = events.iter().filter(|event| at(event, "event.action") == action);
        events.filter(|event| at(event, "process.executable") == program).count()
    };
    assert_eq!((of_child("exec"), of_child("exit")), (3, 3));
    assert_complete(&events);
}

fn r18_commands_say_what_is_wrong() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let before = command::json(&dir, &["exclusion", "list"]);
    for (kind, action, path, word) in [
        ("file", "add", "relative", "not an absolute path"),
        ("file", "add", "/srv/*", "wildcards are not supported"),
        ("file", "add", "/srv/", "leave the slash away"),
        ("process", "add", "make", "full path"),
        ("folder", "remove", "/srv/none", "is not in the local exclusions"),
        ("file", "remove", "/dev/null", "by default"),
    ] {
        ask(&dir, &["exclusion", kind, action, "--path", path]).refused(64, &[path, word]);
    }
    assert_eq!(command::json(&dir, &["exclusion", "list"]), before);
    let add = ["exclusion", "folder", "add", "--path", "/srv/some"];
    ask(&dir, &add).expect(0);
    ask(&dir, &add).refused(64, &["already", "mote exclusion list"]);
    ask(&dir, &["exclusion", "file", "remove", "--path", "/srv/some"])
        .refused(64, &["remove it as a folder"]);
    ask(&dir, &[&add[..], &["--scope", "epp"]].concat()).refused(64, &["epp"]);
    for (option, path, word) in [
        ("--path", "", "the path is empty"),
        ("--path", "srv/some", "not an absolute path"),
        ("--path", "/srv/../some", "no event has"),
        ("--process", "make", "not an absolute path"),
    ] {
        ask(&dir, &["exclusion", "test", option, path]).refused(64, &[word, "write"]);
    }
    sensor.leave();
}

fn r18_commands_say_what_may_not_be_meant() {
    require_connector();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_configured(&dir, &without_ebpf());
    let (file, folder) = (dir.join("file"), folder(&dir, "folder"));
    std::fs::write(&file, "").unwrap();
    let note = |kind: &str, path: &Path, note: &str| {
        let path = path.to_str().unwrap();
        let answer = ask(&dir, &["exclusion", kind, "add", "--path", path]).expect(0);
        assert!(answer.err.starts_with("mote: note: ") && answer.err.contains(note), "{answer:?}");
    };
    note("file", &folder, "is a folder");
    note("folder", &file, "is no folder");
    note("process", &folder, "is a folder");
    note("process", &file, "is not executable");
    note("file", &dir.join("absent"), "there is no ");
    // A name that leads elsewhere is excluded as it is, and said to be one.
    let link = dir.join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    note("folder", &link, "folder\" by a symbolic link");
    note("file", &dir.join("a\x1b[31mb"), "a\\u{1b}[31mb\" now");
    let fitting = ask(&dir, &["exclusion", "folder", "add", "--path", folder.to_str().unwrap()]);
    assert_eq!(fitting.expect(0).err, "");

    // All of them is a problem for as long as it lasts.
    let all = ["exclusion", "folder", "add", "--path", "/"];
    let answer = ask(&dir, &all).expect(0);
    assert!(answer.err.contains("hides what is done with files"), "{answer:?}");
    let issues = |dir| command::health(dir, "health_issues").to_string();
    assert!(issues(&dir).contains("the local exclusion of the folder / hides"));
    change(&dir, "folder", "remove", Path::new("/"));
    assert_eq!(issues(&dir), "[]");
    let by = format!("of user {}", rustix::process::geteuid().as_raw());
    let log = sensor.log();
    let told = |word: &str| log.lines().any(|line| line.contains(word) && line.contains(&by));
    assert!(told("folder exclusion of \"/\" added by process"), "{log}");
    assert!(told("folder exclusion of \"/\" removed by process"), "{log}");
    sensor.stop();
}

fn r21_defaults_are_listed() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let list = command::json(&dir, &["exclusion", "list"]);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), DEFAULTS.len());
    for (_, path) in DEFAULTS {
        let one = list.iter().find(|one| one["path"] == path).expect(path);
        assert_eq!((one["origin"].as_str(), one["kind"].as_str()), (Some("default"), Some("file")));
    }
    let before = listed(&dir, Path::new("/dev/null")).unwrap()["hits"].as_u64().unwrap();
    for _ in 0..100 {
        std::fs::write("/dev/null", "").unwrap();
    }
    wait_for("the hits", || {
        let hits = listed(&dir, Path::new("/dev/null")).unwrap()["hits"].as_u64().unwrap();
        (hits >= before + 100).then_some(())
    });
    let text = ask(&dir, &["exclusion", "list"]).expect(0).out;
    assert!(text.starts_with("kind     origin       excluded  path\n"), "{text}");
    assert_eq!(text.lines().count(), 1 + DEFAULTS.len());
    let events = finish(sensor, &dir);
    let own = std::process::id();
    let to_null = events.iter().filter(|event| at(event, "file.path") == "/dev/null");
    assert_eq!(to_null.filter(|event| at(event, "process.pid") == own).count(), 0);
}
