//! A sensor's ways to its receivers: several of them, events in their formats, and messages that
//! outlive it on disk.

mod support;

use rustix::process::Signal;
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use support::command::ask;
use support::expect::{assert_numbered, at};
use support::{Sensor, decode, output_of, require_live, scratch, skip, wait_for};

fn main() -> ExitCode {
    support::runner::run(&[
        ("every_receiver_has_its_format", every_receiver_has_its_format),
        ("a_class_goes_to_whom_it_is_for", a_class_goes_to_whom_it_is_for),
        ("killed_sensor_keeps_what_it_saw", killed_sensor_keeps_what_it_saw),
        ("end_leaves_the_rest_on_disk", end_leaves_the_rest_on_disk),
        ("spool_that_cannot_be_used_is_an_issue", spool_that_cannot_be_used_is_an_issue),
        ("clock_jumps_do_no_harm", clock_jumps_do_no_harm),
    ])
}

/// A syslog daemon's socket, and what came there.
struct Receiver {
    socket: UnixDatagram,
    lines: RefCell<Vec<String>>,
}

impl Receiver {
    fn bind(path: &Path) -> Receiver {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Receiver { socket, lines: RefCell::default() }
    }

    fn read(&self) {
        let mut buffer = [0; 64 << 10];
        while let Ok(bytes) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
            assert!(bytes <= 8192, "{bytes} bytes");
            self.lines.borrow_mut().push(text);
        }
    }

    /// Waits until a message with this in it is there.
    fn wait_for(&self, part: &str) {
        wait_for(part, || {
            self.read();
            self.lines.borrow().iter().any(|line| line.contains(part)).then_some(())
        });
    }

    /// What stands behind the headers of the records' messages.
    fn records(&self) -> Vec<String> {
        self.read();
        let lines = self.lines.borrow();
        let records = lines.iter().filter(|line| line.contains(" mote["));
        records.map(|line| line.split_once("]: ").unwrap().1.to_owned()).collect()
    }

    /// The events of compact records.
    fn events(&self, dir: &Path) -> Vec<Value> {
        let file = dir.join("received");
        fs::write(&file, self.records().join("\n")).unwrap();
        decode(&file)
    }
}

/// SIGTERM, while its receivers read: a socket holds ten messages (max_dgram_qlen). The kernel
/// detaches while the next test runs.
fn stop(sensor: Sensor, receivers: &[&Receiver]) {
    sensor.signal(Signal::TERM);
    wait_for("the end of the records", || {
        receivers.iter().for_each(|receiver| receiver.read());
        sensor.log().contains("mote: ending:").then_some(())
    });
    sensor.leave();
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// Renames a file to this name in `dir`.
fn rename_to(dir: &Path, name: &str) {
    fs::write(dir.join("before"), "").unwrap();
    fs::rename(dir.join("before"), dir.join(name)).unwrap();
}

fn renames_to(events: &[Value], path: &Path) -> usize {
    let is_it = |event: &&Value| {
        at(event, "event.action") == "rename" && at(event, "file.path") == path.to_str().unwrap()
    };
    events.iter().filter(is_it).count()
}

fn every_receiver_has_its_format() {
    require_live();
    let (_guard, dir) = scratch();
    let paths = ["compact", "json", "cef"].map(|name| dir.join(name));
    let [compact, json, cef] = paths.each_ref().map(|path| Receiver::bind(path));
    let [to_compact, to_json, to_cef] = paths.each_ref().map(|path| unix(path));
    let sensor = Sensor::start_with(
        &dir,
        &[
            "--format",
            "text",
            "--syslog",
            &format!("{to_compact},format=compact"),
            "--syslog",
            &format!("{to_json},format=json"),
            "--syslog",
            &format!("{to_cef},format=cef"),
            "--syslog",
            "stdout",
        ],
    );
    rename_to(&dir, "seen \"here\"");
    // The socket of a host that does much is full soon.
    let mark = dir.join("mark");
    fs::write(&mark, "").unwrap();
    for receiver in [&json, &cef] {
        receiver.wait_for("/mark");
    }
    stop(sensor, &[&compact, &json, &cef]);
    let events = compact.events(&dir);
    assert_numbered(&events);
    let told: Vec<Value> =
        json.records().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The last heartbeat may have come after the other receiver's turn.
    assert!(events.len() > 3);
    assert_eq!(sorted(&events), sorted(&told));
    let texts = fs::read_to_string(Sensor::records(&dir)).unwrap();
    let lines: Vec<&str> = texts.lines().collect();
    assert_eq!((lines.len(), cef.records().len()), (events.len(), events.len()));
    let path = dir.join("seen \"here\"");
    let quoted = format!("path=\"{}\"", path.to_str().unwrap().replace('"', "\\\""));
    assert_eq!(lines.iter().filter(|line| line.contains(&quoted)).count(), 1, "{quoted}");
    let cef_path = format!("filePath={}", path.display());
    assert_eq!(cef.records().iter().filter(|line| line.contains(&cef_path)).count(), 1);
}

fn sorted(events: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = events.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

fn a_class_goes_to_whom_it_is_for() {
    require_live();
    let (_guard, dir) = scratch();
    let (all, some) = (dir.join("all"), dir.join("some"));
    let (every, priority) = (Receiver::bind(&all), Receiver::bind(&some));
    let only = format!("{},class=priority", unix(&some));
    let sensor = Sensor::start_with(&dir, &["--syslog", &unix(&all), "--syslog", &only]);
    rename_to(&dir, "after");
    assert!(Command::new("/bin/true").status().unwrap().success());
    stop(sensor, &[&every, &priority]);
    let (every, priority) = (every.events(&dir), priority.events(&dir));
    assert_eq!(renames_to(&every, &dir.join("after")), 1);
    assert!(priority.iter().all(|event| at(event, "event.action") != "rename"));
    let execs = |events: &[Value]| {
        events.iter().filter(|event| at(event, "event.action") == "exec").count()
    };
    assert!(execs(&every) > 0 && execs(&every) == execs(&priority));
}

/// Waits until something of this class is in the spool of a receiver.
fn wait_for_spooled(spool: &Path, class: &str) {
    wait_for("a message on disk", || {
        let receiver = fs::read_dir(spool).ok()?.next()?.ok()?.path();
        let files = fs::read_dir(receiver).ok()?.flatten();
        files
            .filter(|file| file.file_name().to_str().is_some_and(|name| name.starts_with(class)))
            .any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 100))
            .then_some(())
    });
}

/// Its receiver was not there yet.
fn killed_sensor_keeps_what_it_saw() {
    require_live();
    let (_guard, dir) = scratch();
    let (socket, spool) = (dir.join("log"), dir.join("spool"));
    let (to, kept) = (unix(&socket), spool.to_str().unwrap());
    let sensor = Sensor::start_with(&dir, &["--syslog", &to, "--spool", kept]);
    rename_to(&dir, "first");
    wait_for_spooled(&spool, "bulk");
    sensor.kill();
    let spooled: Vec<PathBuf> =
        fs::read_dir(fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("bulk"))
            .collect();
    assert_eq!(renames_to(&decode(&spooled[0]), &dir.join("first")), 1, "the file is as a log");
    let receiver = Receiver::bind(&socket);
    let sensor = Sensor::start_with(&dir, &["--syslog", &to, "--spool", kept]);
    rename_to(&dir, "second");
    stop(sensor, &[&receiver]);
    let events = receiver.events(&dir);
    for name in ["first", "second"] {
        assert_eq!(renames_to(&events, &dir.join(name)), 1, "{name}");
    }
    let lives: std::collections::BTreeSet<String> =
        events.iter().map(|event| at(event, "agent.ephemeral_id").to_string()).collect();
    assert_eq!(lives.len(), 2);
}

fn end_leaves_the_rest_on_disk() {
    require_live();
    let (_guard, dir) = scratch();
    let (socket, spool) = (dir.join("log"), dir.join("spool"));
    let args = ["--syslog", &unix(&socket), "--spool", spool.to_str().unwrap()];
    let mut sensor = Sensor::start_with(&dir, &args);
    rename_to(&dir, "first");
    sensor.signal(Signal::TERM);
    let status = sensor.wait();
    assert!(status.success(), "{status}: {}", sensor.log());
    assert!(sensor.log().contains("stay on disk until the next start"), "{}", sensor.log());
    let own = fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path();
    fs::write(own.join("bulk-7fffffffffffffff"), "mote-spool 0\n").unwrap();
    let sensor = Sensor::start_with(&dir, &args);
    let says = |what: &str| wait_for(what, || sensor.log().contains(what).then_some(()));
    says("1 files for unix:");
    says("cannot be delivered to unix:");
    let receiver = Receiver::bind(&socket);
    says("can be reached again");
    receiver.wait_for(" mote[");
    stop(sensor, &[&receiver]);
    let events = receiver.events(&dir);
    assert_eq!(renames_to(&events, &dir.join("first")), 1);
    let beats = |event: &&Value| at(event, "event.action") == "heartbeat";
    assert!(events.iter().filter(beats).count() >= 4, "the first and the last of both");
}

fn spool_that_cannot_be_used_is_an_issue() {
    require_live();
    let (_guard, dir) = scratch();
    let spool = dir.join("spool");
    fs::write(&spool, "a file").unwrap();
    let args = ["--syslog", "stdout", "--spool", spool.to_str().unwrap()];
    let sensor = Sensor::start_with(&dir, &args);
    rename_to(&dir, "first");
    let said = "records for stdout are not kept on disk: it cannot be used";
    wait_for("a warning", || sensor.log().contains(said).then_some(()));
    let health = ask(&dir, &["health"]).expect(1).out;
    assert!(health.contains(said) && health.contains("--spool"), "{health}");
    fs::remove_file(&spool).unwrap();
    let again = "records for stdout are kept on disk again";
    wait_for("the next attempt", || sensor.log().contains(again).then_some(()));
    sensor.leave();
    assert_eq!(renames_to(&decode(&Sensor::records(&dir)), &dir.join("first")), 1);
}

/// Of an hour, back and forth, within a run with a spool. Events have the time of then, timers do not
/// stop, and nothing is lost.
fn clock_jumps_do_no_harm() {
    if !Path::new("/guest/checks").exists() {
        skip("it would change this host's clock; guests run it (make qemu)");
    }
    require_live();
    let (_guard, dir) = scratch();
    let (socket, spool) = (dir.join("log"), dir.join("spool"));
    let receiver = Receiver::bind(&socket);
    let (to, kept) = (unix(&socket), spool.to_str().unwrap());
    let args = ["--syslog", &to, "--spool", kept, "--heartbeat", "1"];
    let sensor = Sensor::start_with(&dir, &args);
    let now_s = || clock_gettime(ClockId::Realtime).tv_sec;
    let jump = |by_s: i64| {
        let time = Timespec { tv_sec: now_s() + by_s, tv_nsec: 0 };
        clock_settime(ClockId::Realtime, time).unwrap();
    };
    let mut renamed_s = Vec::new();
    for (number, by_s) in [0, 3600, -7200, 3600].into_iter().enumerate() {
        jump(by_s);
        let name = format!("after{number}");
        rename_to(&dir, &name);
        renamed_s.push((dir.join(name), now_s()));
        let before = beats(&receiver.events(&dir));
        wait_for("two heartbeats", || (beats(&receiver.events(&dir)) >= before + 2).then_some(()));
    }
    stop(sensor, &[&receiver]);
    let events = receiver.events(&dir);
    assert_numbered(&events);
    for (path, time_s) in renamed_s {
        let is_it = |event: &&Value| at(event, "file.path") == path.to_str().unwrap();
        let event = events.iter().filter(|e| at(e, "event.action") == "rename").find(is_it);
        let text = at(event.unwrap(), "@timestamp").as_str().unwrap().to_owned();
        // To the minute, or the one before: busybox's date writes any time, and reads few.
        let minutes = [time_s, time_s - 60].map(|second| {
            let mut date = Command::new("date");
            output_of(date.args(["-u", "+%Y-%m-%dT%H:%M", "-d", &format!("@{second}")]))
        });
        assert!(
            minutes.iter().any(|m| text.starts_with(m.trim())),
            "{path:?}: {text}: {minutes:?}"
        );
    }
    assert!(events.iter().all(|event| at(event, "event.action") != "loss"));
}

fn beats(events: &[Value]) -> usize {
    events.iter().filter(|event| at(event, "event.action") == "heartbeat").count()
}
