//! What the sensor told.

use mote::event::{Action, Bytes, Class, Event};
use mote::limits::{BATCH_BYTES, BATCH_EVENTS, LINE_BYTES};
use mote::record::{Batch, Context, Encoder, Origin, PushError, Scratch, find};
use std::collections::{BTreeMap, HashSet};

/// What a number of messages carry.
#[derive(Default)]
pub struct Told {
    pub events: u64,
    pub messages: u64,
    pub bytes: u64,
    /// Syslog headers, and the sensor's own log.
    pub header_bytes: u64,
    /// Messages that had no room for another event.
    pub full: u64,
    /// Events that loss records count.
    pub lost: u64,
    pub actions: BTreeMap<&'static str, u64>,
}

/// Less room than this is too little for an event that brings a directory and an actor.
const EVENT_BYTES: usize = 200;

fn is_full(payload: &[u8], scratch: &mut Scratch) -> bool {
    let has_events = |batch: Batch| batch.sequences().count() == BATCH_EVENTS;
    payload.len() / 4 * 3 + EVENT_BYTES > BATCH_BYTES
        || Batch::parse(payload, scratch).is_ok_and(has_events)
}

impl Told {
    pub fn read(lines: &[Vec<u8>]) -> Told {
        let mut told = Told::default();
        let mut scratch = Scratch::new();
        for line in lines {
            told.bytes += line.len() as u64;
            let payload = find(line).unwrap_or_default();
            told.header_bytes += (line.len() - payload.len()) as u64;
            told.messages += u64::from(!payload.is_empty());
            told.full += u64::from(is_full(payload, &mut scratch));
        }
        each(lines, |event| {
            told.events += 1;
            *told.actions.entry(event.action.name()).or_default() += 1;
            told.lost += event.loss.map_or(0, |loss| loss.count);
        });
        told
    }

    pub fn bytes_per_event(&self) -> f64 {
        self.bytes as f64 / self.events as f64
    }
}

/// This process and those that descend from it.
pub fn descendants(lines: &[Vec<u8>], run: u32) -> HashSet<u32> {
    let mut forks = Vec::new();
    each(lines, |event| {
        if event.action == Action::Fork {
            forks.push((event.sequence, event.pid, event.ppid));
        }
    });
    forks.sort_unstable();
    let mut processes = HashSet::from([run]);
    for (_, pid, parent) in forks {
        if parent.is_some_and(|parent| processes.contains(&parent)) {
            processes.insert(pid);
        }
    }
    processes
}

/// The messages as they had been if nobody but these processes had done anything: their events, put
/// together again. A message ends where it is full, or where the sensor ended one for want of
/// events.
pub fn alone(lines: &[Vec<u8>], processes: &HashSet<u32>) -> Vec<Vec<u8>> {
    let mut alone = Vec::new();
    let mut encoders: Option<[Box<Encoder>; 2]> = None;
    let (mut scratch, mut event) = (Scratch::new(), Event::new());
    for line in lines {
        let Some(payload) = find(line) else { continue };
        let header = &line[..line.len() - payload.len()];
        let mut batch = Batch::parse(payload, &mut scratch).unwrap();
        let encoders = encoders.get_or_insert_with(|| {
            Class::ALL.map(|class| Box::new(Encoder::new(class, context(batch.origin()))))
        });
        let encoder = &mut encoders[batch.class() as usize];
        encoder.set_boot_time(batch.origin().boot_time_ns.unwrap());
        while let Some(result) = batch.next(&mut event) {
            result.unwrap();
            if processes.contains(&event.pid) && encoder.push(&event) == Err(PushError::Full) {
                finish(encoder, header, &mut alone);
                encoder.push(&event).unwrap();
            }
        }
        if !is_full(payload, &mut scratch) {
            finish(encoder, header, &mut alone);
        }
    }
    let header = lines.iter().find_map(|line| Some(&line[..line.len() - find(line)?.len()]));
    for encoder in encoders.iter_mut().flatten() {
        finish(encoder, header.unwrap_or_default(), &mut alone);
    }
    alone
}

fn finish(encoder: &mut Encoder, header: &[u8], into: &mut Vec<Vec<u8>>) {
    let mut line: Box<Bytes<LINE_BYTES>> = Box::default();
    // Its times are those of the day already.
    if encoder.finish(0, &mut line) > 0 {
        into.push([header, &line].concat());
    }
}

fn context(origin: &Origin) -> Context {
    Context {
        boot_id: origin.boot_id,
        start_ns: origin.start_ns,
        hostname: Bytes::from_slice(origin.hostname).unwrap(),
        arch: origin.arch.unwrap(),
        provider: origin.provider.unwrap(),
    }
}

fn each(lines: &[Vec<u8>], mut act: impl FnMut(&Event)) {
    let (mut scratch, mut event) = (Scratch::new(), Event::new());
    for payload in lines.iter().filter_map(|line| find(line)) {
        let mut batch = Batch::parse(payload, &mut scratch).unwrap();
        while let Some(result) = batch.next(&mut event) {
            result.unwrap();
            act(&event);
        }
    }
}
