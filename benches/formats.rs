//! What a line of each format costs: the same events in all of them, as `mote run` and `mote decode`
//! write them.
//!
//! Rounds alternate, so that a change of the machine's speed hits all of them.

#[path = "common/mod.rs"]
mod common;

use common::{context, median};
use mote::event::{Action, Event};
use mote::format::{Format, Scratch};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 15;
/// Times that every event is written in a round.
const TURNS: usize = 200;
const FORMATS: [Format; 5] = [Format::Ecs, Format::Ocsf, Format::Cef, Format::Text, Format::Sysmon];

fn main() {
    let events = events();
    let context = context();
    let mut scratch = Scratch::new();
    let mut buffer = vec![0; 1 << 16];
    let mut ns = [const { Vec::new() }; FORMATS.len()];
    let mut bytes = [0; FORMATS.len()];
    for _ in 0..ROUNDS {
        for (at, format) in FORMATS.into_iter().enumerate() {
            let start = Instant::now();
            let mut written = 0;
            for _ in 0..TURNS {
                written = 0;
                for event in &events {
                    let mut out = &mut buffer[..];
                    format
                        .write(&mut out, &mut scratch, &context.origin(), black_box(event))
                        .unwrap();
                    let left = out.len();
                    written += buffer.len() - left;
                }
            }
            ns[at].push(start.elapsed().as_nanos() as f64 / (TURNS * events.len()) as f64);
            bytes[at] = written / events.len();
        }
    }
    println!("{} events, {ROUNDS} rounds; medians\n", events.len());
    println!("| format | ns an event | bytes an event |");
    println!("| --- | --- | --- |");
    for (at, format) in FORMATS.into_iter().enumerate() {
        println!("| {} | {:.0} | {} |", format.name(), median(&mut ns[at]), bytes[at]);
    }
}

/// Renames, opens and execs, with names as hosts have them.
fn events() -> Vec<Event> {
    (0..200u64)
        .map(|number| {
            let mut event = Event::new();
            let path = format!("/var/lib/docker/overlay2/4f3c1d9ab7/diff/usr/share/{number}.o");
            (event.sequence, event.time_ns) = (number, 1_800_000_000_000_000_000 + number * 50_000);
            event.pid = 4_000 + number as u32 % 40;
            (event.tid, event.ppid, event.start) = (event.pid, Some(3_999), Some(864_000));
            event.comm.extend_from_slice(b"cc1").unwrap();
            event.executable.extend_from_slice(b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1").unwrap();
            event.lineage.parent_executable.extend_from_slice(b"/usr/bin/gcc").unwrap();
            event.path.extend_from_slice(path.as_bytes()).unwrap();
            event.ret = Some(0);
            match number % 10 {
                0 => {
                    (event.action, event.syscall) = (Action::Exec, Some(59));
                    event.args.extend_from_slice(b"cc1\0-quiet\0-O2\0-o\0").unwrap();
                    event.args.extend_from_slice(path.as_bytes()).unwrap();
                    event.args.push(0).unwrap();
                    event.args_count = Some(5);
                }
                1..5 => {
                    (event.action, event.syscall) = (Action::Rename, Some(82));
                    event.from.extend_from_slice(format!("{path}.tmp").as_bytes()).unwrap();
                }
                _ => {
                    (event.action, event.syscall) = (Action::Open, Some(257));
                    (event.call_flags, event.mode) = (Some(0o1101), Some(0o644));
                }
            }
            event
        })
        .collect()
}
