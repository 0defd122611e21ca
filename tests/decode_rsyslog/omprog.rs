//! rsyslog's omprog, and syslog-ng's program(): events are in a file before a message is confirmed.

use crate::program::{Program, documents, read_documents, record, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::rename;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_message_is_confirmed_when_its_events_are_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.json");
    let path = file.to_str().unwrap();
    let mut program = Program::start(&["decode", "--rsyslog", "omprog", "--output-file", path]);
    assert_eq!(program.answer(), "OK");
    let mut expected = Vec::new();
    for seed in 11..15 {
        program.tell(&record(seed));
        assert_eq!(program.answer(), "OK");
        expected.extend(documents(&record(seed)));
        assert_eq!(read_documents(&file), expected);
    }
    // What is no record, or a bad one, will not be better the next time.
    for other in ["BEGIN TRANSACTION", "hello", "", "m1:AQAA"] {
        program.tell(other);
        assert_eq!(program.answer(), "OK");
    }
    // A new file for what follows.
    let old = dir.path().join("events.json.1");
    rename(&file, &old).unwrap();
    program.tell(&record(15));
    assert_eq!(program.answer(), "OK");
    assert_eq!(read_documents(&file), documents(&record(15)));
    assert_eq!(read_documents(&old), expected);
    let (status, rest, said) = program.ends();
    assert_eq!((status, rest.as_str()), (0, ""));
    assert!(said.contains("line 8: the batch header is cut short at byte 3"), "{said}");
    assert!(said.contains("1 bad records"), "{said}");
}

/// A syslog daemon that was ended hands over again what it had not done with.
#[test]
fn what_the_one_before_has_written_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [file, recent] = [at("events.json"), at("recent")];
    let confirmed = ["decode", "--rsyslog", "omprog", "--recent", &recent, "--output-file", &file];
    for seeds in [11..14, 12..16] {
        let mut program = Program::start(&confirmed);
        assert_eq!(program.answer(), "OK");
        for seed in seeds {
            program.tell(&record(seed));
            assert_eq!(program.answer(), "OK");
        }
        // Its daemon was killed: nobody reads the answer.
        drop(program.output);
        program.input.as_mut().unwrap().write_all((record(20) + "\n").as_bytes()).unwrap();
        drop(program.input.take());
        program.child.wait().unwrap();
    }
    let mut program = Program::start(&["decode", "--recent", &recent, "--output-file", &file]);
    for seed in [14, 20, 21, 15, 21] {
        program.tell(&record(seed));
    }
    let (status, _, said) = program.ends();
    assert_eq!(status, 0);
    assert!(said.contains(" 4 repeated batches"), "{said}");
    let expected: Vec<Value> =
        [11, 12, 13, 20, 14, 15, 21].iter().flat_map(|seed| documents(&record(*seed))).collect();
    assert_eq!(read_documents(Path::new(&file)), expected);
    assert_eq!(std::fs::metadata(&recent).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Without a place to write to nothing is confirmed: the daemon keeps the message.
#[test]
fn what_cannot_be_written_is_not_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("missing").join("events.json");
    let path = file.to_str().unwrap();
    let arguments = ["decode", "--rsyslog", "omprog", "--output-file", path];
    let (status, rest, said) = Program::start(&arguments).ends();
    assert_eq!((status, rest.as_str()), (74, ""));
    assert!(said.contains("could not be written to"), "{said}");

    std::fs::create_dir(dir.path().join("missing")).unwrap();
    let mut program = Program::start(&arguments);
    assert_eq!(program.answer(), "OK");
    std::fs::remove_dir_all(dir.path().join("missing")).unwrap();
    program.tell(&record(11));
    let (status, rest, said) = program.ends();
    assert_eq!((status, rest.as_str()), (74, ""), "{said}");
}

/// As syslog-ng's program(), or omprog without confirmation: lines in, nothing out.
#[test]
fn a_program_that_is_not_asked_to_confirm_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.json");
    let mut program = Program::start(&["decode", "--output-file", file.to_str().unwrap()]);
    // It does not wait for more.
    let mut expected = documents(&record(11));
    program.tell(&record(11));
    wait_until(|| read_documents(&file) == expected);
    // A rotation's.
    program.signal(Signal::HUP);
    // The daemon and its program are told to end in the same moment; the daemon writes on.
    program.signal(Signal::TERM);
    sleep(Duration::from_millis(100));
    program.tell(&record(13));
    assert_eq!(program.ends(), (0, String::new(), String::new()));
    expected.extend(documents(&record(13)));
    assert_eq!(read_documents(&file), expected);

    // Whoever has its input open and writes nothing does not keep it.
    let mut program = Program::start(&["decode", "--output-file", file.to_str().unwrap()]);
    expected.extend(documents(&record(17)));
    program.tell(&record(17));
    wait_until(|| read_documents(&file) == expected);
    program.signal(Signal::TERM);
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}
