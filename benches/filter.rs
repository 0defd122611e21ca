//! What exclusions cost an event: the same events through filters of 0 to 1,000 rules, and
//! through the encoder for comparison, in one run.
//!
//! Rounds alternate, so that a change of the machine's speed hits all of them.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Instant;

use common::{context, median};
use mote::event::{Action, Bytes, Class, Event};
use mote::filter::{Filter, Origin, Rule, RuleKind};
use mote::limits::LINE_BYTES;
use mote::record::{Encoder, PushError};

const ROUNDS: usize = 15;
/// Times that every event is looked at in a round.
const TURNS: usize = 500;
const RULES: [usize; 4] = [0, 1, 10, 1000];
const EVENTS: usize = 200;
/// The sensor's whole cost of an event on its CPU, as `--bench rename` has it on an idle
/// machine: on a busy one only the part of encoding means something.
const WHOLE_EVENT_NS: f64 = 700.0;

/// Where events are.
const FOLDERS: [&str; 12] = [
    "/usr/lib/x86_64-linux-gnu",
    "/var/lib/docker/overlay2/4f3c1d9ab7",
    "/home/user/project/target/debug",
    "/var/log/journal/0123456789abcdef",
    "/opt/app/releases/current/static",
    "/tmp/build-8Hq2/src/module",
    "/proc/self/task/1/net",
    "/etc/systemd/system/multi-user.target.wants",
    "/run/user/1000/systemd/transient",
    "/usr/share/locale/de/LC_MESSAGES",
    "/var/cache/apt/archives/partial",
    "/srv/www/htdocs/images/2024",
];
const PROGRAMS: [&str; 6] = [
    "/usr/bin/bash",
    "/usr/sbin/nginx",
    "/usr/lib/systemd/systemd",
    "/opt/java/bin/java",
    "/usr/bin/python3.11",
    "/usr/sbin/cron",
];

fn main() {
    let misses = events(|_| false);
    let some_hits = events(|n| n % 10 == 0);
    let mut filters = RULES.map(filter);
    let mut encoder = Encoder::new(Class::Bulk, context());
    let (mut missed, mut mixed) = ([const { Vec::new() }; 4], [const { Vec::new() }; 4]);
    let mut encoded = Vec::new();
    for _ in 0..ROUNDS {
        for (at, filter) in filters.iter_mut().enumerate() {
            missed[at].push(looks(filter, &misses));
            mixed[at].push(looks(filter, &some_hits));
        }
        encoded.push(pushes(&mut encoder, &misses));
    }

    let encode_ns = median(&mut encoded);
    println!("{EVENTS} events, {ROUNDS} rounds; medians in ns an event");
    println!("Encoding takes {encode_ns:.0}; {WHOLE_EVENT_NS} is the whole on an idle machine\n");
    println!("| rules | none matches | of encoding | of the whole | 1 in 10 matches |");
    println!("| --- | --- | --- | --- | --- |");
    for (at, rules) in RULES.iter().enumerate() {
        let (miss, mix) = (median(&mut missed[at]), median(&mut mixed[at]));
        let percent = |of: f64| 100.0 * miss / of;
        println!(
            "| {rules} | {miss:.0} | {:.0}% | {:.1}% | {mix:.0} |",
            percent(encode_ns),
            percent(WHOLE_EVENT_NS),
        );
    }
    // What is measured is what is meant: no rule matches where none should.
    for (filter, rules) in filters.iter().zip(RULES) {
        let hits: u64 = filter.rules().map(|(_, hits)| hits).sum();
        let made = if rules == 0 { 0 } else { ROUNDS * TURNS * EVENTS / 10 };
        assert_eq!(hits, made as u64, "{rules} rules");
    }
}

/// Half of them renames and the rest opens, 4 to 8 components deep.
fn events(is_hit: impl Fn(usize) -> bool) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(3);
    let mut event = |n: usize| {
        let mut event = Event::new();
        let folder = if is_hit(n) { HIT } else { FOLDERS[n % FOLDERS.len()] };
        let deeper = "/part".repeat(random.usize(..3));
        let path = format!("{folder}{deeper}/{:x}.dat", random.u32(..));
        event.action = if n.is_multiple_of(2) { Action::Rename } else { Action::Open };
        let program = PROGRAMS[random.usize(..PROGRAMS.len())];
        event.executable.extend_from_slice(program.as_bytes()).unwrap();
        event.path.extend_from_slice(path.as_bytes()).unwrap();
        if event.action == Action::Rename {
            event.from.extend_from_slice(format!("{path}.part").as_bytes()).unwrap();
        }
        event.comm.extend_from_slice(b"bench").unwrap();
        (event.pid, event.tid, event.time_ns) = (4711, 4711, 1_000 * n as u64);
        event
    };
    (0..EVENTS).map(&mut event).collect()
}

/// The first rule: the one that matches where any does.
const HIT: &str = "/var/lib/builds/workspace";

/// Rules of every kind in turn, below the folders of the events and some as long as their
/// paths: others would be told apart with less work.
fn filter(rules: usize) -> Filter {
    let mut filter = Filter::new();
    for n in 0..rules {
        let folder = FOLDERS[n % FOLDERS.len()];
        let (kind, path) = match n {
            0 => (RuleKind::Folder, HIT.to_owned()),
            _ if n.is_multiple_of(3) => (RuleKind::Folder, format!("{folder}/{n}")),
            _ if n % 3 == 1 => (RuleKind::File, format!("{folder}/part/{n:x}.dat")),
            _ => (RuleKind::Process, format!("/usr/{}program{n}", "lib/".repeat(n % 4))),
        };
        filter.add(Rule::new(kind, &path, Origin::Local, false).unwrap()).unwrap();
    }
    filter
}

fn looks(filter: &mut Filter, events: &[Event]) -> f64 {
    let start = Instant::now();
    for _ in 0..TURNS {
        for event in events {
            black_box(filter.excluded_by(black_box(event)));
        }
    }
    ns_each(start)
}

fn pushes(encoder: &mut Encoder, events: &[Event]) -> f64 {
    let mut line: Box<Bytes<LINE_BYTES>> = Box::default();
    let start = Instant::now();
    for _ in 0..TURNS {
        for event in events {
            if encoder.push(black_box(event)) == Err(PushError::Full) {
                black_box(encoder.finish(0, &mut line));
                encoder.push(event).unwrap();
            }
        }
    }
    ns_each(start)
}

fn ns_each(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / (TURNS * EVENTS) as f64
}
