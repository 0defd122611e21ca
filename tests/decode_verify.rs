//! `mote decode --verify`: what is missing of what many hosts sent.

mod common;

use common::{bytes, context, random_event};
use fastrand::Rng;
use mote::event::{Action, Bytes, Class, Event, Loss, LossPlace};
use mote::limits::LINE_BYTES;
use mote::record::{Context, Encoder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

/// A sensor that writes batches as `Pipeline` does: one sequence, a batch for each class.
struct Sender {
    hostname: String,
    batches: [Encoder; 2],
    sequence: u64,
}

/// A line, and the numbers of its events.
#[derive(Clone)]
struct Line {
    hostname: String,
    numbers: Vec<u64>,
    text: String,
}

impl Sender {
    fn new(hostname: &str, boot: u8, start_ns: u64) -> Sender {
        let mut boot_id = context().boot_id;
        boot_id[0] = boot;
        let hostname_bytes = bytes(hostname.as_bytes());
        let context = Context { boot_id, start_ns, hostname: hostname_bytes, ..context() };
        Sender {
            hostname: hostname.to_owned(),
            batches: Class::ALL.map(|class| Encoder::new(class, context.clone())),
            sequence: 0,
        }
    }

    /// At most so many events, some of each class, in lines in the order in which they would be
    /// sent.
    fn send(&mut self, rng: &mut Rng, events: u64) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut numbers = [vec![], vec![]];
        for left in (0..events).rev() {
            self.sequence += 1;
            let action = if rng.bool() { Action::Fork } else { Action::Unlink };
            let mut event = random_event(rng, action);
            event.sequence = self.sequence;
            event.time_ns = self.sequence * 1_000_000_000;
            let class = event.action.class();
            if self.batches[class as usize].push(&event).is_err() {
                let full = std::mem::take(&mut numbers[class as usize]);
                lines.extend(self.finish(class, full));
                self.batches[class as usize].push(&event).unwrap();
            }
            numbers[class as usize].push(self.sequence);
            for class in Class::ALL {
                if left == 0 || rng.u8(..8) == 0 {
                    let numbers = std::mem::take(&mut numbers[class as usize]);
                    lines.extend(self.finish(class, numbers));
                }
            }
        }
        lines
    }

    fn loss(&mut self, loss: Loss) -> Line {
        self.sequence += 1;
        let mut event = Event::new();
        (event.action, event.sequence) = (Action::Loss, self.sequence);
        event.loss = Some(loss);
        self.batches[Class::Priority as usize].push(&event).unwrap();
        self.finish(Class::Priority, vec![self.sequence]).unwrap()
    }

    fn finish(&mut self, class: Class, numbers: Vec<u64>) -> Option<Line> {
        let mut line = Bytes::<LINE_BYTES>::new();
        let events = self.batches[class as usize].finish(1_795_478_400_000_000_000, &mut line);
        assert_eq!(events, numbers.len());
        let text = format!(
            "Nov 24 00:00:00 {} mote[7]: {}",
            self.hostname,
            core::str::from_utf8(&line).unwrap()
        );
        (events > 0).then(|| Line { hostname: self.hostname.clone(), numbers, text })
    }
}

/// Runs `mote decode` with these arguments on a file of these lines.
fn decode(arguments: &[&str], lines: &[Line]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log");
    std::fs::write(&file, lines.iter().map(|line| line.text.clone() + "\n").collect::<String>())
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mote"));
    command.arg("decode").args(arguments).arg(&file).output().unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Exit status, and what was found of each run.
fn verify(lines: &[Line]) -> (i32, Vec<Value>) {
    let output = decode(&["--verify", "--output", "json"], lines);
    (output.status.code().unwrap(), json_lines(&output))
}

/// What a reader of these numbers misses between the first and the last.
fn gaps(numbers: &BTreeSet<u64>) -> Value {
    let pairs = numbers.iter().zip(numbers.iter().skip(1));
    let gaps: Vec<_> = pairs.filter(|(a, b)| **a + 1 < **b).map(|(a, b)| [a + 1, b - 1]).collect();
    json!(gaps)
}

/// 1 % of the lines of 1,000 hosts are dropped, come twice, are cut or come late.
#[test]
fn the_gaps_of_each_of_1000_hosts_are_told_exactly() {
    const HOSTS: usize = 1000;
    let mut rng = Rng::with_seed(17);
    let mut sent: Vec<Vec<Line>> = (0..HOSTS)
        .map(|host| {
            let mut sender = Sender::new(&format!("host-{host}"), host as u8, host as u64);
            let mut lines = sender.send(&mut rng, 60);
            lines.reverse();
            lines
        })
        .collect();
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Vec<usize> = (0..HOSTS).collect();
    while !open.is_empty() {
        let at = rng.usize(..open.len());
        match sent[open[at]].pop() {
            Some(line) => lines.push(line),
            None => drop(open.swap_remove(at)),
        }
    }

    let mut arrived = Vec::new();
    let mut late = Vec::new();
    let mut repeated = BTreeMap::<String, u64>::new();
    let mut cut = BTreeMap::<String, u64>::new();
    let mut dropped = 0;
    for (at, line) in lines.iter().enumerate() {
        late.retain(|(due, line): &(usize, Line)| {
            let is_due = *due == at;
            if is_due {
                arrived.push(line.clone());
            }
            !is_due
        });
        match rng.u16(..400) {
            0 => dropped += 1,
            1 => {
                arrived.extend([line.clone(), line.clone()]);
                *repeated.entry(line.hostname.clone()).or_default() += 1;
            }
            2 => {
                // Not so short that it does not say where it is from.
                let length = rng.usize(line.text.len() - 20..line.text.len() - 1);
                arrived.push(Line { text: line.text[..length].to_owned(), ..line.clone() });
                *cut.entry(line.hostname.clone()).or_default() += 1;
            }
            3 => late.push((at + rng.usize(1..3000), line.clone())),
            _ => arrived.push(line.clone()),
        }
    }
    arrived.extend(late.into_iter().map(|(_, line)| line));
    assert!(
        dropped > 20 && repeated.len() > 20 && cut.len() > 20,
        "{dropped} {repeated:?} {cut:?}"
    );

    // Of a cut line some events may be there: those that are decoded.
    let mut seen = BTreeMap::<String, BTreeSet<u64>>::new();
    for event in json_lines(&decode(&[], &arrived)) {
        let hostname = event["host"]["hostname"].as_str().unwrap();
        let numbers = seen.entry(hostname.to_owned()).or_default();
        assert!(numbers.insert(event["event"]["sequence"].as_u64().unwrap()), "twice: {event}");
    }
    for line in arrived.iter().filter(|line| !cut.contains_key(&line.hostname)) {
        assert!(line.numbers.iter().all(|number| seen[&line.hostname].contains(number)));
    }

    let (status, found) = verify(&arrived);
    assert_eq!(status, 65, "there are unreadable records");
    assert_eq!(found.len(), HOSTS);
    for run in &found {
        let hostname = run["hostname"].as_str().unwrap();
        let numbers = &seen[hostname];
        assert_eq!(run["gaps"], gaps(numbers), "{run}");
        assert_eq!(run["events"], numbers.len());
        let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
        assert_eq!(run["missing"], last - first + 1 - numbers.len() as u64);
        let of = |counts: &BTreeMap<String, u64>| counts.get(hostname).copied().unwrap_or(0);
        assert_eq!(run["repeated_batches"], of(&repeated), "{run}");
        assert_eq!(run["unreadable_records"], of(&cut), "{run}");
    }
    assert!(found.iter().filter(|run| run["missing"] != 0).count() > 20);
}

#[test]
fn a_whole_log_has_nothing_missing() {
    let mut rng = Rng::with_seed(1);
    let lines = Sender::new("gate", 1, 5).send(&mut rng, 100);
    let (status, found) = verify(&lines);
    assert_eq!((status, found.len()), (0, 1));
    assert_eq!((&found[0]["events"], &found[0]["missing"]), (&json!(100), &json!(0)));
    assert_eq!((&found[0]["first_sequence"], &found[0]["last_sequence"]), (&json!(1), &json!(100)));
    let output = decode(&["--verify"], &lines);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "gate\n  2026-11-24T00:00:01.000000000Z to ";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains(": 100 events, numbers 1 to 100\n1 hosts, 0 restarts, 100 events;"),
        "{text}"
    );
}

/// The oldest may have begun in an older file; the others did not.
#[test]
fn every_run_but_a_hosts_oldest_begins_with_1() {
    let mut rng = Rng::with_seed(2);
    let mut oldest = Sender::new("gate", 1, 5);
    oldest.send(&mut rng, 30);
    let mut lines = oldest.send(&mut rng, 30);
    assert_eq!(verify(&lines).0, 0);
    let mut next = Sender::new("gate", 1, 90_000_000_000);
    next.send(&mut rng, 3);
    // Its clock has gone back to before the oldest one: it says so itself.
    lines.extend(next.send(&mut rng, 10));
    let (status, found) = verify(&lines);
    assert_eq!((status, found.len()), (1, 2));
    assert_eq!(found[0]["missing"], 0, "{found:?}");
    assert_eq!((&found[1]["missing"], &found[1]["gaps"]), (&json!(3), &json!([[1, 3]])));
    let text = decode(&["--verify"], &lines).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("numbers 4 to 13; 3 missing (1-3)\n"), "{text}");
    assert!(
        text.contains("1 hosts, 1 restarts, 40 events; missing: 3 events, on 1 hosts;"),
        "{text}"
    );
}

/// What a full queue gave up had numbers; what the kernel lost had none.
#[test]
fn what_the_sensor_told_is_told_too() {
    let mut rng = Rng::with_seed(3);
    let mut sender = Sender::new("gate", 1, 5);
    let mut lines = sender.send(&mut rng, 10);
    sender.send(&mut rng, 7);
    let class = Some(Class::Bulk);
    lines.push(sender.loss(Loss {
        place: LossPlace::SyslogQueue,
        class,
        cpu: None,
        receiver: None,
        count: 7,
    }));
    lines.push(sender.loss(Loss {
        place: LossPlace::RingFull,
        class,
        cpu: Some(1),
        receiver: None,
        count: 400,
    }));
    let (status, found) = verify(&lines);
    assert_eq!(status, 1);
    assert_eq!((&found[0]["missing"], &found[0]["missing_told"]), (&json!(7), &json!(7)));
    assert_eq!(found[0]["lost_before"], json!({"ring_full": 400}));
    let text = String::from_utf8(decode(&["--verify"], &lines).stdout).unwrap();
    let part =
        "7 missing (11-17), at most 7 of them told by the sensor; lost before, ring_full: 400\n";
    assert!(text.contains(part), "{text}");
}

/// A letter that was changed may make any number of a head: none of a damaged record is believed that
/// no event has.
#[test]
fn damaged_records_make_no_numbers() {
    let mut rng = Rng::with_seed(6);
    for _ in 0..100 {
        let mut lines = Sender::new("gate", 1, 5).send(&mut rng, 40);
        let at = rng.usize(..lines.len());
        let mut text = lines[at].text.clone().into_bytes();
        let start = text.len() - rng.usize(1..lines[at].text.len() / 2);
        text[start] = if text[start] == b'A' { b'B' } else { b'A' };
        lines[at].text = String::from_utf8(text).unwrap();
        let (_, found) = verify(&lines);
        let decoded = json_lines(&decode(&[], &lines));
        let numbers = |run: &Value| -> BTreeSet<u64> {
            let of = decoded.iter().filter(|event| {
                let boot = event["host"]["boot"]["id"].as_str();
                boot == run["boot_id"].as_str()
                    && event["agent"]["ephemeral_id"]
                        .as_str()
                        .unwrap()
                        .ends_with(&format!("-{}", run["start_ns"]))
            });
            of.map(|event| event["event"]["sequence"].as_u64().unwrap()).collect()
        };
        for run in found.iter().filter(|run| !run["hostname"].is_null()) {
            // Events of a kind that is not known have numbers too: none is made here but by damage.
            let seen = numbers(run);
            if run["unreadable_records"] != 0 {
                assert_eq!(run["events"], seen.len(), "{run}");
            }
        }
    }
}

#[test]
fn what_is_given_twice_is_repeated_and_counts_once() {
    let mut rng = Rng::with_seed(7);
    let mut sender = Sender::new("gate", 1, 5);
    let mut lines = sender.send(&mut rng, 20_000);
    let class = Some(Class::Bulk);
    lines.push(sender.loss(Loss {
        place: LossPlace::RingFull,
        class,
        cpu: Some(1),
        receiver: None,
        count: 400,
    }));
    assert!(lines.len() > 2 * mote::limits::DECODE_RECENT, "{}", lines.len());
    let twice = [&lines[..], &lines[..]].concat();
    let (status, found) = verify(&twice);
    assert_eq!((status, found.len()), (0, 1));
    assert_eq!(found[0]["repeated_batches"], lines.len());
    assert_eq!(found[0]["events"], 20_001);
    assert_eq!(found[0]["lost_before"], json!({"ring_full": 400}));
}

/// With documents alone.
#[test]
fn documents_tell_two_runs_of_one_boot_apart() {
    let mut rng = Rng::with_seed(8);
    let mut lines = Sender::new("gate", 1, 5).send(&mut rng, 5);
    lines.extend(Sender::new("gate", 1, 77).send(&mut rng, 5));
    let runs: BTreeSet<String> = json_lines(&decode(&[], &lines))
        .iter()
        .map(|event| event["agent"]["ephemeral_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(runs.into_iter().collect::<Vec<_>>(), ["0123456789abcdef-5", "0123456789abcdef-77"]);
}

#[test]
fn where_there_is_no_record_nothing_is_verified() {
    let output = decode(&["--verify"], &[]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(output.stderr, b"mote: nothing was verified: no record of mote could be read\n");
}

#[test]
fn a_record_that_says_nothing_is_counted_for_nobody() {
    let mut rng = Rng::with_seed(4);
    let mut lines = Sender::new("gate", 1, 5).send(&mut rng, 5);
    lines.push(Line { text: "x m1:AQ".to_owned(), ..lines[0].clone() });
    let output = decode(&["--verify"], &lines);
    assert_eq!(output.status.code(), Some(65));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("unreadable: 1 records, 1 of them of unknown hosts\n"), "{text}");
}

#[test]
fn only_outputs_that_fit_are_taken() {
    for arguments in [["--output", "xml"], ["--output", "cef"], ["--rsyslog", "mmexternal"]] {
        let output = decode(&[&["--verify"], &arguments[..]].concat(), &[]);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
