//! rsyslog's mmexternal: each message has an answer, which is its events.

use crate::common::{bytes, context, line_of, random_event};
use crate::program::{Program, documents, record};
use fastrand::Rng;
use mote::event::{Action, Class};
use mote::limits::{ANSWER_BYTES, LINE_BYTES, PATH_BYTES};
use mote::record::Encoder;
use serde_json::Value;
use std::fs::read_to_string;

/// U+FFFD for a NUL, which rsyslog would take for the end of a text.
fn without_nuls(documents: &[Value]) -> Value {
    let text = serde_json::to_string(documents).unwrap();
    serde_json::from_str(&text.replace("\\u0000", "\\ufffd")).unwrap()
}

#[test]
fn every_message_has_one_answer() {
    let mut program = Program::start(&["decode", "--rsyslog", "mmexternal"]);
    let (first, second) = (record(11), record(13));
    let expected = documents(&first);
    assert!(expected.len() > 20);
    // As msg, rawmsg and fulljson have it.
    let answer = program.ask(&format!(" {first}"));
    assert_eq!(answer, serde_json::json!({"$!": {"mote": {"events": without_nuls(&expected)}}}));
    assert_eq!(program.ask("hello"), serde_json::json!({}));
    assert_eq!(program.ask(""), serde_json::json!({}));
    let raw = format!("<86>Nov 24 00:00:00 mote[1]: {second}");
    let answer = program.ask(&raw);
    assert_eq!(answer["$!"]["mote"]["events"], without_nuls(&documents(&second)));
    let third = record(17);
    let full = format!("{{\"msg\": \" {third}\", \"rawmsg\": \"<86>mote: {third}\"}}");
    let answer = program.ask(&full);
    assert_eq!(answer["$!"]["mote"]["events"], without_nuls(&documents(&third)));
    // Sent again.
    assert_eq!(program.ask(&raw), serde_json::json!({"$!": {"mote": {"events": []}}}));
    // Standard error is the same pipe: nothing may be there.
    assert_eq!(program.ends(), (0, String::new(), String::new()));
}

#[test]
fn what_cannot_be_read_is_told_in_the_answer_and_nowhere_else() {
    let mut program = Program::start(&["decode", "--rsyslog", "mmexternal"]);
    let error = |answer: Value| answer["$!"]["mote"]["error"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        assert_eq!(error(program.ask("m1:AQAA")), "the batch header is cut short at byte 3");
    }
    let later = String::from_utf8(line_of(b"\x03whatever")).unwrap();
    assert!(error(program.ask(&later)).contains("a version that this mote does not know"));
    let whole = record(11);
    let groups = (whole.len() - 400) / 4;
    let damaged = error(program.ask(&whole[..3 + 4 * groups]));
    assert_eq!(damaged, "the batch is damaged: its checksum does not match");
    // Of an older sensor, without a checksum: its last event cannot be read; the others can.
    let whole =
        include_str!("../record/actions.line").lines().max_by_key(|line| line.len()).unwrap();
    let whole = &whole[whole.find("m1:").unwrap()..];
    let events = documents(whole).len();
    let answer = program.ask(&whole[..3 + 4 * ((whole.len() - 3) / 4 - 30)]);
    let told = answer["$!"]["mote"]["events"].as_array().unwrap().len();
    assert!(told > 0 && told < events, "{told} of {events}");
    assert!(!error(answer).is_empty());
    let long = "x".repeat(100_000);
    assert!(error(program.ask(&long)).contains("the message was cut at 65536 bytes"));
    assert_eq!(program.ask("next"), serde_json::json!({}));
    assert_eq!(program.ends(), (0, String::new(), String::new()));
}

/// A record can be made whose events have the longest names, each of them in a few bytes.
#[test]
fn an_answer_has_a_limit() {
    let mut event = random_event(&mut Rng::with_seed(1), Action::Rename);
    event.path.clear();
    event.path.resize_default(PATH_BYTES).unwrap();
    event.path.fill(1);
    event.path[PATH_BYTES - 1] = b'/';
    event.from = event.path.clone();
    event.executable = event.path.clone();
    let mut encoder = Encoder::new(Class::Bulk, context());
    let mut pushed = 0;
    while pushed < 100 && encoder.push(&event).is_ok() {
        pushed += 1;
        event.sequence += 1;
    }
    let mut line = bytes::<LINE_BYTES>(b"");
    encoder.finish(1_800_000_000_000_000_000, &mut line);
    let record = String::from_utf8(line.to_vec()).unwrap();
    let all = documents(&record);
    assert_eq!(all.len(), pushed);
    let mut program = Program::start(&["decode", "--rsyslog", "mmexternal"]);
    program.tell(&record);
    let text = program.answer();
    assert!(
        text.len() < ANSWER_BYTES + 1000 && text.len() > ANSWER_BYTES * 9 / 10,
        "{}",
        text.len()
    );
    let answer: Value = serde_json::from_str(&text).unwrap();
    let told = answer["$!"]["mote"]["events"].as_array().unwrap();
    assert_eq!(told[..], without_nuls(&all).as_array().unwrap()[..told.len()]);
    let left_out = pushed - told.len();
    assert!(left_out > 0);
    assert_eq!(
        answer["$!"]["mote"]["error"],
        format!("{left_out} more events found no room in an answer of {ANSWER_BYTES} bytes")
    );
    // The next one is whole.
    assert_eq!(
        program.ask(&self::record(11))["$!"]["mote"]["events"],
        without_nuls(&documents(&self::record(11)))
    );
}

/// rsyslogd has done with a message when it hands over the next. Of the last one its file tells.
#[test]
fn of_messages_that_rsyslog_modifies_the_last_is_looked_for_where_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let [recent, file] =
        ["recent", "events.json"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    let mmexternal = ["decode", "--rsyslog", "mmexternal", "--recent", &recent];
    let start = || Program::start(&mmexternal);
    let events = |answer: Value| answer["$!"]["mote"]["events"].as_array().unwrap().clone();
    let mut program = start();
    for seed in 11..14 {
        assert!(!events(program.ask(&record(seed))).is_empty());
    }
    // While it is there no other can have the file.
    let second = start();
    program.ends();
    let mut program = second;
    let again = [11, 12].map(|seed| events(program.ask(&record(seed))).len());
    assert_eq!(again, [0, 0]);
    let all = events(program.ask(&record(13)));
    assert_eq!(all.len(), documents(&record(13)).len());
    assert_eq!(program.ends(), (0, String::new(), String::new()));

    // It was killed in the middle of a line.
    let lines: String = all.iter().map(|document| format!("{document}\n")).collect();
    let cut = &lines[..lines.len() / 2];
    std::fs::write(&file, cut).unwrap();
    let whole = cut.matches('\n').count();
    let mut program = Program::start(&[&mmexternal[..], &["--written", &file]].concat());
    assert_eq!(events(program.ask(&record(13))), all[whole..]);
    assert!(whole > 0 && read_to_string(&file).unwrap().ends_with('\n'));
    program.ends();
}
