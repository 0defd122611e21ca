//! What exclusions cost an event: the same events through filters of 0 to 1,000 rules of each kind, and
//! through the encoder for comparison, in one run.
//!
//! Rounds alternate, so that a change of the machine's speed hits all of them.

#[path = "common/mod.rs"]
mod common;
#[path = "common/figures.rs"]
mod figures;
#[path = "common/rules.rs"]
mod rules;

use std::hint::black_box;
use std::time::Instant;

use common::context;
use figures::Figures;
use mote::event::{Action, Bytes, Class, Event};
use mote::filter::{Filter, RuleKind};
use mote::limits::LINE_BYTES;
use mote::record::{Encoder, PushError};
use rules::{FOLDERS, filter, rules};

const ROUNDS: usize = 15;
/// Times that every event is looked at in a round.
const TURNS: usize = 500;
const EVENTS: usize = 200;

const PROGRAMS: [&str; 6] = [
    "/usr/bin/bash",
    "/usr/sbin/nginx",
    "/usr/lib/systemd/systemd",
    "/opt/java/bin/java",
    "/usr/bin/python3.11",
    "/usr/sbin/cron",
];

/// A filter, and what an event took there in each round.
struct Case {
    what: String,
    filter: Filter,
    missed_ns: Vec<f64>,
    mixed_ns: Vec<f64>,
}

fn main() {
    let misses = events(|_| false);
    let some_hits = events(|n| n % 10 == 0);
    let mut cases = cases();
    let mut encoder = Encoder::new(Class::Bulk, context());
    let mut encoded_ns = Vec::new();
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.missed_ns.push(looks(&mut case.filter, &misses));
            case.mixed_ns.push(looks(&mut case.filter, &some_hits));
        }
        encoded_ns.push(pushes(&mut encoder, &misses));
    }

    let mut figures = Figures::new();
    let encode = figures.add("encode_ns", &encoded_ns);
    println!("{}", figures.machine);
    println!("{EVENTS} events, {ROUNDS} rounds; medians in ns an event");
    println!("Encoding takes {:.0}\n", encode.median);
    println!("| rules | none matches | of encoding | 1 in 10 matches |");
    println!("| --- | --- | --- | --- |");
    for Case { what, missed_ns, mixed_ns, .. } in &cases {
        let name = what.replace(' ', "_");
        let miss = figures.add(format!("{name}_ns"), missed_ns).median;
        let mix = figures.add(format!("{name}_hits_ns"), mixed_ns).median;
        println!("| {what} | {miss:.0} | {:.0}% | {mix:.0} |", 100.0 * miss / encode.median);
    }
    figures.keep("filter");
    // What is measured is what is meant: no rule matches where none should.
    for Case { what, filter, .. } in &cases {
        let hits: u64 = filter.rules().map(|(_, hits)| hits).sum();
        let made = if filter.rules().any(|(rule, _)| *rule.path == *HIT.as_bytes()) {
            ROUNDS * TURNS * EVENTS / 10
        } else {
            0
        };
        assert_eq!(hits, made as u64, "{what}");
    }
}

/// The rule that matches where any does: the first one of those of every kind.
const HIT: &str = "/var/lib/builds/workspace";

fn cases() -> Vec<Case> {
    let case = |what: String, filter: Filter| Case {
        what,
        filter,
        missed_ns: Vec::new(),
        mixed_ns: Vec::new(),
    };
    let mut cases = vec![case("none".into(), Filter::new())];
    for count in [1, 10, 1000] {
        let all = [(RuleKind::Folder, HIT.to_owned())].into_iter().chain(rules(None, count - 1));
        cases.push(case(format!("of all kinds {count}"), filter(all)));
    }
    for kind in RuleKind::ALL {
        for count in [10, 1000] {
            cases.push(case(format!("{kind} {count}"), filter(rules(Some(kind), count))));
        }
    }
    cases
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
