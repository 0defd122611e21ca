//! `mote decode --verify`: what is missing, by the numbers that every event has.
//!
//! A run of a sensor numbers its events from 1. Of the oldest run of a host the first numbers may
//! be in an older file: what is missing there is missing from its lowest number on. Every later
//! run has to begin with 1. What a run told last may be missing unnoticed: nothing comes after it.

mod numbers;
mod report;

use crate::event::{Event, LossPlace};
use crate::record::{Batch, Origin, RunId};
use numbers::Numbers;
pub use report::Report;
use std::collections::HashMap;

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
    /// As the last of its records has it.
    hostname: Vec<u8>,
    numbers: Numbers,
    /// Events: each number once.
    events: u64,
    /// Unix time of its earliest and its latest batch, in nanoseconds.
    times_ns: Option<(u64, u64)>,
    repeated_batches: u64,
    unreadable_records: u64,
    /// What its loss records count, by place.
    told: [u64; LossPlace::ALL.len()],
}

impl Verifier {
    /// A batch that was not read before.
    pub fn batch(&mut self, batch: &Batch) {
        let run = self.run(batch.origin());
        let time_ns = batch.base_time_ns();
        let (first_ns, last_ns) = run.times_ns.unwrap_or((time_ns, time_ns));
        run.times_ns = Some((first_ns.min(time_ns), last_ns.max(time_ns)));
        let mut range: Option<(u64, u64)> = None;
        for number in batch.sequences() {
            range = match range {
                Some((first, last)) if last.checked_add(1) == Some(number) => Some((first, number)),
                other => {
                    run.add(other);
                    Some((number, number))
                }
            };
        }
        run.add(range);
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

    /// An event of a batch that was not read before. Whether it counts: every one does.
    pub fn event(&mut self, origin: &Origin, event: &Event) -> bool {
        if let Some(loss) = event.loss {
            let told = &mut self.run(origin).told[loss.place as usize - 1];
            *told = told.saturating_add(loss.count);
        }
        true
    }

    fn run(&mut self, origin: &Origin) -> &mut Run {
        let run = self.runs.entry(origin.run()).or_default();
        if run.hostname != origin.hostname {
            run.hostname = origin.hostname.to_vec();
        }
        run
    }
}

impl Run {
    fn add(&mut self, range: Option<(u64, u64)>) {
        let Some((first, last)) = range else { return };
        self.events = self.events.saturating_add(self.numbers.add(first..=last));
    }
}
