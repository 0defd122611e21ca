//! What the modules of rsyslog that run `mote decode` do with the messages of a collector.

use crate::daemons::daemon::{Daemon, Input, Kind};
use crate::daemons::documents::{document, free_port, places};
use crate::records::{assert_once, documents, in_rsyslog, message, record, wait_for_lines};
use crate::support::{output_of, require_program, scratch, skip, wait_for};
use serde_json::Value;
use std::fs::{read_to_string, remove_file, write};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

struct Collector {
    daemon: Daemon,
    hosts: TcpStream,
}

impl Collector {
    fn start(dir: &Path, name: &str, before: &str, replaced: &[(&str, &str)]) -> Collector {
        let port = free_port();
        let port_text = port.to_string();
        let [(program, our_program), (log, our_log)] = places(dir);
        let all = [("10514", port_text.as_str()), (program, our_program.as_str())];
        // The places first: what a test replaces may have them.
        let text = document(name, &[replaced, &all, &[(log, our_log.as_str())]].concat());
        let daemon = Daemon::start(Kind::Rsyslog, dir, Input::Port(port), before, &text);
        Collector { daemon, hosts: TcpStream::connect(("127.0.0.1", port)).unwrap() }
    }

    /// In a frame with its length (RFC 6587), so that anything can be in it.
    fn send(&mut self, message: &str) {
        write!(self.hosts, "{} {message}", message.len()).unwrap();
    }

    fn log(&self, name: &str) -> PathBuf {
        self.daemon.dir().join("log").join(name)
    }
}

/// A message as a forwarder sends it, from a host.
fn forwarded(text: &str) -> String {
    format!("<86>1 2026-11-24T00:00:00Z gate mote 1 - - {text}")
}

/// Every form in which the module can hand over a message.
pub fn mmexternal_input() {
    for input in ["msg", "rawmsg", "fulljson"] {
        let (_guard, dir) = scratch();
        let input = format!("interface.input=\"{input}\"");
        let mut collector = Collector::start(
            &dir,
            "rsyslog-mmexternal.conf",
            "",
            &[("interface.input=\"fulljson\"", &input)],
        );
        for number in 0..10 {
            collector.send(&message(number).replace("mote[1]", "gate mote[1]"));
        }
        for number in 10..20 {
            collector.send(&forwarded(&record(number)));
        }
        let expected = in_rsyslog(&documents(0..20));
        wait_for_lines(&collector.log("events.json"), expected.len());
        collector.daemon.stop();
        assert_once(&collector.log("events.json"), &expected);
        assert!(!collector.log("undecoded.log").exists(), "{input}");
    }
}

/// Messages without a record, with a bad one, with line feeds, and of others.
pub fn mmexternal_rest() {
    let (_guard, dir) = scratch();
    let before = "global(parser.escapeControlCharactersOnReceive=\"off\")";
    let mut collector = Collector::start(&dir, "rsyslog-mmexternal.conf", before, &[]);
    let others = ["hello", "a\nb\n\nc", "m1:AQAA", "line\nm1:AQBB\nfeeds"];
    for number in 0..10 {
        for other in others {
            collector.send(&forwarded(other));
        }
        collector.send(&forwarded(&record(number)));
        collector.send(&forwarded(&record(number)).replace("mote", "other"));
    }
    let expected = in_rsyslog(&documents(0..10));
    wait_for_lines(&collector.log("events.json"), expected.len());
    collector.daemon.stop();
    assert_once(&collector.log("events.json"), &expected);
    // Kept as they came. A line feed in one makes two lines of it.
    let undecoded = read_to_string(collector.log("undecoded.log")).unwrap();
    assert_eq!(undecoded.matches("m1:AQAA").count(), 10);
    assert_eq!(undecoded.matches("m1:AQBB").count(), 10);
    assert!(!undecoded.contains("hello"));
    let said = collector.daemon.said();
    assert!(!said.contains("invalid reply"), "{said}");

    // The program is not there: nothing is lost.
    let (_guard, dir) = scratch();
    let missing = dir.join("missing").display().to_string();
    let replaced = [("/usr/bin/mote decode", missing.as_str()), ("omfile", "omfile")];
    let port = free_port();
    let port_text = port.to_string();
    let [_, (log, our_log)] = places(&dir);
    let text = document(
        "rsyslog-mmexternal.conf",
        &[&replaced[..], &[("10514", &port_text), (log, &our_log)]].concat(),
    );
    let daemon = Daemon::start(Kind::Rsyslog, &dir, Input::Port(port), "", &text);
    let mut hosts = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for number in 0..5 {
        let message = forwarded(&record(number));
        write!(hosts, "{} {message}", message.len()).unwrap();
    }
    wait_for_lines(&daemon.dir().join("log/undecoded.log"), 5);
    let kept = daemon.dir().join("log/undecoded.log");
    let again = output_of(Command::new(crate::support::mote()).arg("decode").arg(kept));
    let again: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(again, documents(0..5));
}

/// As the README has it, for `mote decode --verify`.
pub fn records_beside() {
    let readme = include_str!("../../docs/siem/README.md");
    let statement = readme
        .split_once("```rsyslog\nif $programname")
        .and_then(|(_, rest)| rest.split_once("```"));
    let statement = statement.expect("docs/siem/README.md has a statement").0;
    let first = "if $programname == \"mote\" then";
    for name in ["rsyslog-omprog.conf", "rsyslog-mmexternal.conf"] {
        let (_guard, dir) = scratch();
        let both = format!("if $programname{statement}\n    {first}");
        let mut collector = Collector::start(&dir, name, "", &[(first, &both)]);
        (0..10).for_each(|number| collector.send(&forwarded(&record(number))));
        wait_for_lines(&collector.log("events.json"), documents(0..10).len());
        collector.daemon.stop();
        let records = collector.log("records.log");
        let again = output_of(Command::new(crate::support::mote()).arg("decode").arg(records));
        let again: Vec<Value> =
            again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(again, documents(0..10), "{name}");
    }
}

/// Events can be told apart, and an action may have a queue of its own.
pub fn mmexternal_queue() {
    let (_guard, dir) = scratch();
    let action = "action(type=\"omfile\" file=\"/var/log/mote/events.json\"";
    let ours = format!(
        "if $.event!event!action == \"exec\" then \
         action(type=\"omfile\" file=\"/var/log/mote/execs.json\" template=\"moteEvent\")\n\
         action(queue.type=\"LinkedList\" action.copyMsg=\"on\" {}",
        &action["action(".len()..]
    );
    let mut collector =
        Collector::start(&dir, "rsyslog-mmexternal.conf", "", &[(action, ours.as_str())]);
    for number in 0..20 {
        collector.send(&forwarded(&record(number)));
    }
    let expected = in_rsyslog(&documents(0..20));
    wait_for_lines(&collector.log("events.json"), expected.len());
    collector.daemon.stop();
    assert_once(&collector.log("events.json"), &expected);
    let is_exec = |document: &&Value| document["event"]["action"] == "exec";
    let execs: Vec<_> = expected.iter().filter(is_exec).cloned().collect();
    assert!(!execs.is_empty());
    assert_once(&collector.log("execs.json"), &execs);
}

/// Without confirmation, as for a program that knows nothing of rsyslog.
pub fn omprog_unconfirmed() {
    let (_guard, dir) = scratch();
    let replaced = [(" confirmMessages=\"on\"", ""), ("decode --rsyslog omprog ", "decode ")];
    let mut collector = Collector::start(&dir, "rsyslog-omprog.conf", "", &replaced);
    for number in 0..20 {
        collector.send(&forwarded(&record(number)));
    }
    collector.send(&forwarded("m1:AQAA"));
    let expected = documents(0..20);
    wait_for_lines(&collector.log("events.json"), expected.len());
    collector.daemon.stop();
    assert_once(&collector.log("events.json"), &expected);
    let said = read_to_string(collector.log("decode.log")).unwrap();
    assert!(said.contains("the batch header is cut short"), "{said}");
}

/// Events wait in rsyslog's queue while the disk is full; none is lost, cut, or written twice.
pub fn omprog_full_disk() {
    require_program("rsyslogd");
    if !rustix::process::geteuid().is_root() {
        skip("not root: no file system can be mounted");
    }
    let (_guard, dir) = scratch();
    let disk = Disk::mount(&dir.join("disk"));
    let file = disk.0.join("events.json");
    let replaced = [
        ("/var/log/mote/events.json", file.to_str().unwrap()),
        ("resumeInterval=\"5\"", "resumeInterval=\"1\""),
    ];
    let mut collector = Collector::start(&dir, "rsyslog-omprog.conf", "", &replaced);
    collector.send(&forwarded(&record(0)));
    wait_for_lines(&file, documents(0..1).len());
    // Less is left than the events of a record need.
    let filler = disk.0.join("filler");
    let free = rustix::fs::statvfs(&disk.0).unwrap();
    write(&filler, vec![0; ((free.f_bavail - 3) * free.f_frsize) as usize]).unwrap();
    for number in 1..10 {
        collector.send(&forwarded(&record(number)));
    }
    let decode_log = collector.log("decode.log");
    wait_for("a report of the full disk", || {
        read_to_string(&decode_log).is_ok_and(|said| said.contains("No space left")).then_some(())
    });
    sleep(Duration::from_secs(2));
    // Whole lines only.
    assert_once(&file, &documents(0..1));
    remove_file(&filler).unwrap();
    wait_for_lines(&file, documents(0..10).len());
    collector.daemon.stop();
    assert_once(&file, &documents(0..10));
}

/// A small file system in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: &Path) -> Disk {
        std::fs::create_dir(path).unwrap();
        let mut command = Command::new("mount");
        output_of(command.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(path));
        Disk(path.into())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
