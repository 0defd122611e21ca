//! What `mote decode` does a second on one CPU: from a file to JSON lines, as mmexternal's program,
//! and behind rsyslogd with the configurations of docs/siem.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../rootfs-tests/daemons/mod.rs"]
mod daemons;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

use common::{context, median};
use daemons::daemon::{Daemon, Input, Kind};
use daemons::documents;
use mote::event::{Action, Bytes, Class, Event};
use mote::limits::LINE_BYTES;
use mote::record::{Encoder, PushError};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{mote, require_program, scratch};

const ROUNDS: usize = 5;
/// As many as a sensor sends in ten minutes of a build. More than `mote decode` remembers.
const LINES: usize = 1_000;

fn main() -> ExitCode {
    println!("{LINES} lines, medians of {ROUNDS} rounds");
    println!("| what | lines/s | events/s | input MB/s | output MB/s |");
    println!("| --- | --- | --- | --- | --- |");
    support::runner::run(&[
        ("json", json),
        ("mmexternal", mmexternal),
        ("rsyslogd_mmexternal", || rsyslogd("rsyslog-mmexternal.conf")),
        ("rsyslogd_omprog", || rsyslogd("rsyslog-omprog.conf")),
    ])
}

/// Renames, opens and execs, with names as hosts have them: as full as a sensor under load makes its
/// messages. Each line, and how many events it has.
fn lines() -> Vec<(String, usize)> {
    const FOLDERS: [&str; 6] = [
        "/usr/lib/x86_64-linux-gnu",
        "/var/lib/docker/overlay2/4f3c1d9ab7/diff/usr/share",
        "/home/user/project/target/debug/deps",
        "/opt/app/releases/current/static",
        "/tmp/build-8Hq2/src/module",
        "/var/cache/apt/archives/partial",
    ];
    let mut random = fastrand::Rng::with_seed(5);
    let mut encoder = Encoder::new(Class::Bulk, context());
    let (mut lines, mut held, mut number) = (Vec::new(), 0, 0u64);
    while lines.len() < LINES {
        number += 1;
        let folder = FOLDERS[random.usize(..FOLDERS.len())];
        let path = format!("{folder}/{:x}.o", random.u32(..));
        let mut event = Event::new();
        event.sequence = number;
        event.time_ns = number * 50_000;
        event.pid = 4_000 + random.u32(..40);
        (event.tid, event.ppid, event.start) = (event.pid, Some(3_999), Some(864_000));
        event.comm.extend_from_slice(b"cc1").unwrap();
        event.executable.extend_from_slice(b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1").unwrap();
        event.path.extend_from_slice(path.as_bytes()).unwrap();
        event.ret = Some(0);
        match number % 10 {
            0 => {
                event.action = Action::Exec;
                event.syscall = Some(59);
                event.args.extend_from_slice(b"cc1\0-quiet\0-O2\0-o\0").unwrap();
                event.args.extend_from_slice(path.as_bytes()).unwrap();
                event.args.push(0).unwrap();
                event.args_count = Some(5);
            }
            1..5 => {
                event.action = Action::Rename;
                event.syscall = Some(82);
                event.from.extend_from_slice(format!("{path}.tmp").as_bytes()).unwrap();
            }
            _ => {
                event.action = Action::Open;
                event.syscall = Some(257);
                event.call_flags = Some(0o1101);
                event.mode = Some(0o644);
            }
        }
        if encoder.push(&event) == Err(PushError::Full) {
            let mut line: Box<Bytes<LINE_BYTES>> = Box::default();
            encoder.finish(1_800_000_000_000_000_000, &mut line);
            lines.push((String::from_utf8(line.to_vec()).unwrap(), held));
            held = 0;
            encoder.push(&event).unwrap();
        }
        held += 1;
    }
    lines
}

fn row(what: &str, lines: &[(String, usize)], output_bytes: u64, seconds: &mut [f64]) {
    let second = median(seconds);
    let events: usize = lines.iter().map(|line| line.1).sum();
    let input: usize = lines.iter().map(|line| line.0.len()).sum();
    println!(
        "| {what} | {:.0} | {:.0} | {:.1} | {:.1} |",
        lines.len() as f64 / second,
        events as f64 / second,
        input as f64 / second / 1e6,
        output_bytes as f64 / second / 1e6
    );
}

/// From a file to a file.
fn json() {
    let (_guard, dir) = scratch();
    let lines = lines();
    let (input, output) = (dir.join("lines"), dir.join("events.json"));
    let text: String = lines.iter().map(|line| format!("x mote[1]: {}\n", line.0)).collect();
    std::fs::write(&input, text).unwrap();
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let mut command = Command::new(mote());
            command.arg("decode").arg(&input).stdout(File::create(&output).unwrap());
            assert!(command.status().unwrap().success());
            start.elapsed().as_secs_f64()
        })
        .collect();
    assert_events(&output, &lines);
    row("JSON lines", &lines, output.metadata().unwrap().len(), &mut seconds);
}

/// A message, an answer, the next message.
fn mmexternal() {
    let lines = lines();
    let mut answers_bytes = 0;
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut command = Command::new(mote());
            command.args(["decode", "--rsyslog", "mmexternal"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut output = BufReader::with_capacity(1 << 16, child.stdout.take().unwrap());
            let mut answer = Vec::new();
            answers_bytes = 0;
            let start = Instant::now();
            for (line, _) in &lines {
                input.write_all(format!("{line}\n").as_bytes()).unwrap();
                answer.clear();
                answers_bytes += output.read_until(b'\n', &mut answer).unwrap() as u64;
            }
            let seconds = start.elapsed().as_secs_f64();
            drop(input);
            assert!(child.wait().unwrap().success());
            seconds
        })
        .collect();
    row("mmexternal's program", &lines, answers_bytes, &mut seconds);
}

/// From a connection to the file: what rsyslogd does is in it.
fn rsyslogd(name: &str) {
    require_program("rsyslogd");
    let lines = lines();
    let mut output_bytes = 0;
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (_guard, dir) = scratch();
            let port = documents::free_port();
            let port_text = port.to_string();
            let [(program, our_program), (log, our_log)] = documents::places(&dir);
            let replaced = [
                ("10514", port_text.as_str()),
                (program, our_program.as_str()),
                (log, our_log.as_str()),
            ];
            let text = documents::document(name, &replaced);
            let mut daemon = Daemon::start(Kind::Rsyslog, &dir, Input::Port(port), "", &text);
            let output = dir.join("log/events.json");
            let last = format!("\"sequence\":{}", events(&lines));
            let start = Instant::now();
            let mut host = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for (line, _) in &lines {
                let message = format!("<86>1 2026-11-24T00:00:00Z bench mote 1 - - {line}");
                write!(host, "{} {message}", message.len()).unwrap();
            }
            while !ends_with(&output, &last) {
                assert!(start.elapsed() < Duration::from_secs(600), "{}", daemon.said());
                sleep(Duration::from_millis(5));
            }
            let seconds = start.elapsed().as_secs_f64();
            daemon.stop();
            assert_events(&output, &lines);
            output_bytes = output.metadata().unwrap().len();
            seconds
        })
        .collect();
    let what = name.trim_start_matches("rsyslog-").trim_end_matches(".conf");
    row(&format!("rsyslogd with {what}"), &lines, output_bytes, &mut seconds);
}

fn events(lines: &[(String, usize)]) -> usize {
    lines.iter().map(|line| line.1).sum()
}

/// Whether the last line of a file has `text`; rsyslog puts a blank behind a colon.
fn ends_with(path: &Path, text: &str) -> bool {
    use std::os::unix::fs::FileExt;
    let Ok(file) = File::open(path) else { return false };
    let length = file.metadata().unwrap().len();
    let read = length.min(4096);
    let mut end = vec![0; read as usize];
    file.read_exact_at(&mut end, length - read).is_ok()
        && String::from_utf8_lossy(&end).replace("\": ", "\":").contains(text)
        && end.ends_with(b"\n")
}

/// What is measured is what is meant.
fn assert_events(path: &Path, lines: &[(String, usize)]) {
    let file = BufReader::new(File::open(path).unwrap());
    assert_eq!(file.lines().count(), events(lines));
}
