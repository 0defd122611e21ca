//! `mote decode --verify`: what is missing, by the numbers that every event has.
//!
//! A run of a sensor numbers its events from 1. Of the oldest run of a host the first numbers may
//! be in an older file: what is missing there is missing from its lowest number on. Every later
//! run has to begin with 1. What a run told last may be missing unnoticed: nothing comes after it.

mod numbers;
mod report;

use crate::event::Event;
use crate::record::{Origin, RunId};
use numbers::Numbers;
pub use report::Report;
use std::collections::{BTreeMap, HashMap};

/// What was read of all runs of all hosts.
#[derive(Default)]
pub struct Verifier {
    runs: HashMap<RunId, Run>,
    /// Unreadable records that do not tell where they are from.
    unreadable_of_nobody: u64,
}

/// What was read of one run of a sensor.
#[derive(Default)]
struct Run {
    /// As the last record has it that could be read to its end.
    hostname: Vec<u8>,
    numbers: Numbers,
    /// Events: each number once.
    events: u64,
    /// Unix time of its earliest and its latest batch, in nanoseconds.
    times_ns: Option<(u64, u64)>,
    repeated_batches: u64,
    unreadable_records: u64,
    /// What its loss records count, by place, each once.
    told: BTreeMap<&'static str, u64>,
}

impl Verifier {
    /// A batch that could be read to its end, after its events. `numbers`: those of all, also of
    /// events that this version does not know. `events_before`: what
    /// [`events`](Verifier::events) gave before the first.
    pub fn batch(
        &mut self,
        origin: &Origin,
        time_ns: u64,
        numbers: impl Iterator<Item = u64>,
        events_before: u64,
    ) {
        let run = self.run(origin);
        let (first_ns, last_ns) = run.times_ns.unwrap_or((time_ns, time_ns));
        run.times_ns = Some((first_ns.min(time_ns), last_ns.max(time_ns)));
        if run.hostname != origin.hostname {
            run.hostname = origin.hostname.to_vec();
        }
        let mut any = false;
        for number in numbers {
            any = true;
            run.add(number);
        }
        run.repeated_batches += u64::from(any && run.events == events_before);
    }

    /// How many events of its run are known.
    pub fn events(&mut self, origin: &Origin) -> u64 {
        self.run(origin).events
    }

    /// A batch that was read before.
    pub fn repeated(&mut self, origin: &Origin) {
        self.run(origin).repeated_batches += 1;
    }

    /// A record that cannot be read, in whole or in part.
    pub fn unreadable(&mut self, origin: Option<&Origin>) {
        match origin {
            Some(origin) => self.run(origin).unreadable_records += 1,
            None => self.unreadable_of_nobody += 1,
        }
    }

    /// An event that could be read, of whatever batch.
    pub fn event(&mut self, origin: &Origin, event: &Event) {
        let run = self.run(origin);
        let is_new = run.add(event.sequence);
        if let (true, Some(loss)) = (is_new, event.loss) {
            let told = run.told.entry(loss.place.name()).or_default();
            *told = told.saturating_add(loss.count);
        }
    }

    fn run(&mut self, origin: &Origin) -> &mut Run {
        self.runs
            .entry(origin.run())
            .or_insert_with(|| Run { hostname: origin.hostname.to_vec(), ..Run::default() })
    }
}

impl Run {
    /// Whether it was not there.
    fn add(&mut self, number: u64) -> bool {
        let new = self.numbers.add(number..=number);
        self.events += new;
        new > 0
    }
}
