//! `mote decode` as the program of a syslog daemon: what it answers, what it outlives, what it
//! writes. `rootfs-tests/siem` has the same with the daemons.

#[path = "../common/mod.rs"]
mod common;
mod mmexternal;
mod omprog;
mod program;

use program::{Program, documents, read_documents, record};
use rustix::process::Signal;
use std::fs::read_to_string;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// systemd sends SIGTERM, and a rotation SIGHUP, to all processes of rsyslog.service; rsyslogd
/// hands over what it has after that.
#[test]
fn only_the_end_of_input_ends_a_module() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.json");
    let mut modify = Program::start(&["decode", "--rsyslog", "mmexternal"]);
    let path = file.to_str().unwrap();
    let mut output = Program::start(&["decode", "--rsyslog", "omprog", "--output-file", path]);
    assert_eq!(modify.ask("begin"), serde_json::json!({}));
    assert_eq!(output.answer(), "OK");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::TERM] {
        modify.signal(signal);
        output.signal(signal);
        sleep(Duration::from_millis(20));
    }
    assert_eq!(modify.ask("m1:AQAA")["$!"]["mote"]["events"], serde_json::json!([]));
    output.tell(&record(11));
    assert_eq!(output.answer(), "OK");
    assert_eq!(modify.ends(), (0, String::new(), String::new()));
    assert_eq!(output.ends(), (0, String::new(), String::new()));
    assert_eq!(read_documents(&file), documents(&record(11)));
}

#[test]
fn wrong_combinations_are_refused() {
    for (arguments, reason) in [
        (&["--rsyslog", "imfile"][..], "unknown module 'imfile': write mmexternal or omprog"),
        (&["--rsyslog", "omprog"], "name a file with --output-file"),
        (&["--rsyslog", "mmexternal", "--output-file", "x"], "leave --output-file out"),
        (&["--rsyslog", "mmexternal", "x"], "name no file with --rsyslog"),
        (&["--rsyslog", "omprog", "--output-file", "x", "y"], "name no file with --rsyslog"),
        (&["--rsyslog", "mmexternal", "--follow", "x"], "has no file that --follow could read"),
        (&["--recent", "x"], "add --output-file"),
        (&["--recent", "x", "--output-file", "y", "--verify"], "leave --recent out"),
        (&["--written", "x"], "--written is for --rsyslog mmexternal"),
    ] {
        let (status, rest, said) = Program::start(&[&["decode"], arguments].concat()).ends();
        assert_eq!((status, rest.as_str()), (64, ""), "{arguments:?}");
        assert!(said.contains(reason), "{said}");
        assert!(!Path::new("x").exists());
    }
    let (status, _, said) = Program::start(&["decode", "--output-file", "/dev/null"]).ends();
    assert_eq!(status, 74);
    assert!(said.contains("it is no regular file"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let [file, other] = ["x", "y"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    std::fs::write(&other, "of somebody else").unwrap();
    let arguments = ["decode", "--output-file", &file, "--recent", &other];
    let (status, _, said) = Program::start(&arguments).ends();
    assert_eq!((status, read_to_string(&other).unwrap().as_str()), (74, "of somebody else"));
    assert!(said.contains("it is another program's"), "{said}");
}
