//! `mote decode` as the program of a syslog daemon: what it answers, what it outlives, what it
//! writes. `rootfs-tests/siem` has the same with the daemons.

mod common;

use common::{line_of, line_of_all_actions, random_event};
use fastrand::Rng;
use mote::event::{Action, Class};
use mote::limits::{ANSWER_BYTES, LINE_BYTES, PATH_BYTES};
use mote::record::Encoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{read_to_string, rename};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn record(seed: u64) -> String {
    String::from_utf8(line_of_all_actions(&mut Rng::with_seed(seed)).to_vec()).unwrap()
}

/// Documents of a record.
fn documents(record: &str) -> Vec<Value> {
    let mut program = Program::start(&["decode"]);
    program.tell(record);
    let (_, text, _) = program.ends();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mote"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Program { child, input, output }
    }

    fn tell(&mut self, line: &str) {
        let line = [line.as_bytes(), b"\n"].concat();
        self.input.as_mut().unwrap().write_all(&line).unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "it answers with a line");
        line
    }

    /// One line in, one line out, and it waits for the next.
    fn ask(&mut self, line: &str) -> Value {
        self.tell(line);
        serde_json::from_str(&self.answer()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// At the end of its input: status, the rest of its output, what it said.
    fn ends(mut self) -> (i32, String, String) {
        drop(self.input.take());
        let [mut rest, mut said] = [const { String::new() }; 2];
        self.output.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest, said)
    }
}

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
    let whole = include_str!("record/actions.line").lines().max_by_key(|line| line.len()).unwrap();
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
    let mut encoder = Encoder::new(Class::Bulk, common::context());
    let mut pushed = 0;
    while pushed < 100 && encoder.push(&event).is_ok() {
        pushed += 1;
        event.sequence += 1;
    }
    let mut line = common::bytes::<LINE_BYTES>(b"");
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

/// What cannot be parsed is null.
fn read_documents(file: &Path) -> Vec<Value> {
    let text = read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
}

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

fn wait_until(done: impl Fn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < end, "waited in vain");
        sleep(Duration::from_millis(10));
    }
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
