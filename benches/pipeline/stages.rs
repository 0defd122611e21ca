//! From a record of a ring to a queued message, as far as a stage goes.

use crate::callgrind::EVENTS_A_TURN;
use crate::common::context;
use crate::records::{Lines, exec, fork, open_to_write, pair};
use mio::{Poll, Token};
use mote::event::{Bytes, Class, Event};
use mote::filter::Filter;
use mote::limits::LINE_BYTES;
use mote::process::Processes;
use mote::record::{Encoder, PushError};
use mote::sensor::pipeline::{Output, Pipeline, monotonic_ns};
use mote::sink::{Receiver, Sink, Target};
use mote::source::ebpf::decode::decode;
use std::hint::black_box;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

/// Larger than the kernel gives.
const PID: u32 = 5_000_000;
/// Of the bulk class, as most events are.
const CLASS: Class = Class::Bulk;

/// Each does what those before it do, and more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Record to event.
    Decode,
    /// And who that process is.
    Enrich,
    /// And into a batch, and the batch to a line.
    Encode,
    /// The whole between the rings and the sink: exclusions, counters.
    Pipeline,
    /// And the message, to a socket.
    Queue,
}

pub const STAGES: [(Stage, &str); 5] = [
    (Stage::Decode, "decode"),
    (Stage::Enrich, "enrich"),
    (Stage::Encode, "encode"),
    (Stage::Pipeline, "pipeline"),
    (Stage::Queue, "queue"),
];

/// Of a build: renames of what was written to where it belongs, and opens to write. By absolute names,
/// each of its own.
fn records() -> Vec<Vec<u8>> {
    let folder = "/home/user/project/target/debug/deps";
    let record = |number: u32| {
        let name = format!("{folder}/part-{number:x}.o");
        match number % 2 {
            0 => open_to_write(PID, &name),
            _ => pair(PID, &format!("{name}.tmp"), &name),
        }
    };
    (0..EVENTS_A_TURN as u32).map(record).collect()
}

/// Does a stage, so many times with each of a thousand records; how many events that were.
pub fn run(stage: Stage, turns: usize) -> usize {
    let records = records();
    match stage {
        Stage::Decode | Stage::Enrich | Stage::Encode => parts(stage, &records, turns),
        Stage::Pipeline => whole(&records, turns, &mut Lines::default(), |_| ()),
        Stage::Queue => queued(&records, turns),
    }
    records.len() * turns
}

fn parts(stage: Stage, records: &[Vec<u8>], turns: usize) {
    let mut processes = Processes::new(monotonic_ns).unwrap();
    let mut event = Box::new(Event::new());
    let mut encoder = Encoder::new(CLASS, context());
    let mut line: Box<Bytes<LINE_BYTES>> = Box::default();
    for bytes in [fork(PID), exec(PID, "/usr/bin/cc1")] {
        event.clear();
        decode(&bytes, &mut event).unwrap();
        processes.enrich(&mut event);
    }
    for bytes in (0..turns).flat_map(|_| records) {
        event.clear();
        decode(black_box(bytes), &mut event).unwrap();
        if stage != Stage::Decode {
            processes.enrich(&mut event);
        }
        if stage == Stage::Encode && encoder.push(&event) == Err(PushError::Full) {
            encoder.finish(0, &mut line);
            encoder.push(&event).unwrap();
        }
        black_box(&event);
    }
}

/// `between` is called after each turn.
fn whole<O: Output>(
    records: &[Vec<u8>],
    turns: usize,
    to: &mut O,
    mut between: impl FnMut(&mut O),
) {
    let mut pipeline = Pipeline::new(context(), Filter::new()).unwrap();
    for bytes in [fork(PID), exec(PID, "/usr/bin/cc1")] {
        pipeline.record(Class::Priority, 0, &bytes, to);
    }
    for _ in 0..turns {
        for bytes in records {
            pipeline.record(CLASS, 0, black_box(bytes), to);
        }
        between(to);
    }
    pipeline.flush(to);
    assert_eq!(pipeline.totals().received as usize, 2 + records.len() * turns);
}

/// To a socket that is read each turn, which is within what it holds.
fn queued(records: &[Vec<u8>], turns: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let poll = Poll::new().unwrap();
    let receiver = Receiver::from(format!("unix:{}", path.display()).parse::<Target>().unwrap());
    let mut sink = Sink::open(&receiver, "host", poll.registry(), Token(1), None).unwrap();
    let mut buffer = vec![0; 1 << 16];
    whole(records, turns, &mut sink, |sink| {
        sink.tick(poll.registry(), Instant::now());
        while socket.recv(&mut buffer).is_ok() {}
    });
    assert!(sink.sent_messages() > 0);
}
