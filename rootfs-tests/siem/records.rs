//! Messages with records of known events, and whether each event arrived once.

use crate::common::line_of_all_actions;
use crate::support::{PATIENCE, mote, wait_for};
use fastrand::Rng;
use serde_json::Value;
use std::fs::{read_dir, read_to_string};
use std::io::Write;
use std::ops::Range;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The record of a number.
pub fn record(number: u64) -> String {
    String::from_utf8(line_of_all_actions(&mut Rng::with_seed(number)).to_vec()).unwrap()
}

/// As the sensor writes it to /dev/log.
pub fn message(number: u64) -> String {
    format!("<86>Nov 24 00:00:00 mote[1]: {}", record(number))
}

/// Sends to a syslog daemon's socket; as the sensor, it waits for one that is away.
pub fn send(socket: &Path, message: &str) {
    let start = Instant::now();
    let own = UnixDatagram::unbound().unwrap();
    while let Err(error) = own.send_to(message.as_bytes(), socket) {
        assert!(start.elapsed() < PATIENCE, "{socket:?}: {error}");
        sleep(Duration::from_millis(10));
    }
}

/// Sends records of these numbers.
pub fn send_records(socket: &Path, numbers: Range<u64>) {
    for number in numbers {
        send(socket, &message(number));
    }
}

/// Documents that `mote decode` makes of these records, in their order.
pub fn documents(numbers: Range<u64>) -> Vec<Value> {
    let mut child = Command::new(mote())
        .arg("decode")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = numbers.map(|number| record(number) + "\n").collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    parse(&String::from_utf8(output.stdout).unwrap())
}

/// The same as rsyslog has them: U+FFFD for NUL, and no number beyond 63 bits.
pub fn in_rsyslog(documents: &[Value]) -> Vec<Value> {
    fn change(value: &mut Value) {
        match value {
            Value::String(text) => *text = text.replace('\0', "\u{fffd}"),
            Value::Number(number) if number.as_u64() > Some(i64::MAX as u64) => {
                *value = i64::MAX.into();
            }
            Value::Array(values) => values.iter_mut().for_each(change),
            Value::Object(fields) => fields.values_mut().for_each(change),
            _ => {}
        }
    }
    let mut documents = documents.to_vec();
    documents.iter_mut().for_each(change);
    documents
}

fn parse(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(line).collect()
}

/// What is in the files whose names begin with `path`, compressed ones included, oldest first.
pub fn read_rotated(path: &Path) -> String {
    let beginning = path.file_name().unwrap().to_str().unwrap();
    let names = read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = names
        .filter(|name| name.file_name().unwrap().to_str().unwrap().starts_with(beginning))
        .collect();
    names.sort();
    let read = |name: &std::path::PathBuf| match name.extension() {
        Some(end) if end == "gz" => crate::support::output_of(Command::new("zcat").arg(name)),
        _ => read_to_string(name).unwrap(),
    };
    names.iter().rev().map(read).collect()
}

/// Waits until so many lines are in a file and what it was renamed to.
pub fn wait_for_lines(path: &Path, count: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        // It is being renamed, perhaps.
        let lines = std::panic::catch_unwind(|| read_rotated(path).lines().count()).unwrap_or(0);
        if lines >= count {
            return;
        }
        assert!(Instant::now() < end, "{lines} of {count} events are in {path:?}");
        sleep(Duration::from_millis(50));
    }
}

/// Each of `expected` is there once, and nothing else.
pub fn assert_once(path: &Path, expected: &[Value]) {
    let sorted = |documents: &[Value]| {
        let mut lines: Vec<_> = documents.iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    let (there, expected) = (sorted(&parse(&read_rotated(path))), sorted(expected));
    for (one, other) in there.iter().zip(&expected).filter(|(one, other)| one != other).take(1) {
        println!("{one}\n{other}");
    }
    let missing = expected.iter().filter(|line| there.binary_search(line).is_err()).count();
    let unknown = there.iter().filter(|line| expected.binary_search(line).is_err()).count();
    assert!(
        there == expected,
        "{} of {} events in {path:?}, {missing} missing, {unknown} that were not sent",
        there.len(),
        expected.len()
    );
}

/// Waits until a daemon has read all that was sent to it before.
pub fn wait_until_read(socket: &Path, rest: &Path) {
    let mark = format!("mark {}", fastrand::u64(..));
    send(socket, &format!("<86>Nov 24 00:00:00 other[1]: {mark}"));
    wait_for("a message in the rest", || {
        read_to_string(rest).is_ok_and(|text| text.contains(&mark)).then_some(())
    });
}
