//! What came of a chain, and whether it may.

use crate::play::{Chain, End, Unwatched};
use crate::support::mote;
use crate::tally::Tally;
use mote::limits::BATCH_EVENTS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[derive(Debug)]
pub struct Figures {
    /// Renames made while a sensor watched, and those of them that are in no document.
    made: u64,
    told: u64,
    /// Renames made while the sensor ended, and not told.
    unwatched: u64,
    missing: u64,
    told_again: u64,
    /// Of every event, not only of renames.
    numbers: u64,
    numbers_missing: u64,
    numbers_again: u64,
    /// Rows of missing numbers, and of numbers that are there twice.
    gaps: usize,
    rows_again: usize,
    lost: BTreeMap<String, u64>,
    bad_lines: u64,
    /// Records that were kept as they came.
    undecoded: usize,
    runs: usize,
    /// How long it took to make them, and until the last one was told.
    times: [Duration; 2],
    verified: Verified,
}

/// What `mote decode --verify` says of the records.
#[derive(Debug, Default)]
struct Verified {
    events: u64,
    missing: u64,
    repeated_batches: u64,
    unreadable: u64,
}

impl Verified {
    fn new(records: &Path) -> Verified {
        let mut command = Command::new(mote());
        command.args(["decode", "--verify", "--output", "json"]).arg(records);
        let output = command.output().unwrap();
        let mut all = Verified::default();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let run: Value = serde_json::from_str(line).unwrap();
            let of = |field: &str| run[field].as_u64().unwrap();
            all.events += of("events");
            all.missing += of("missing");
            all.repeated_batches += of("repeated_batches");
            all.unreadable += of("unreadable_records");
        }
        all
    }
}

impl Figures {
    pub fn new(
        tally: &Tally,
        each: u64,
        unwatched: &Unwatched,
        records: &Path,
        times: [Duration; 2],
    ) -> Figures {
        let is_unwatched = |(worker, number): &(usize, u64)| {
            let (after, to) = unwatched[*worker];
            *number > after && *number <= to
        };
        let untold = tally.untold(each);
        let unwatched = untold.iter().filter(|rename| is_unwatched(rename)).count() as u64;
        Figures {
            made: each * crate::load::WORKERS - unwatched,
            told: tally.told(),
            unwatched,
            missing: untold.len() as u64 - unwatched,
            told_again: tally.told_again(),
            numbers: tally.numbers(),
            numbers_missing: tally.numbers_missing(),
            numbers_again: tally.numbers_again(),
            gaps: tally.gaps(),
            rows_again: tally.rows_again(),
            lost: tally.lost.clone(),
            bad_lines: tally.bad_lines,
            undecoded: read_to_string(records.with_file_name("undecoded.log"))
                .map_or(0, |text| text.lines().count()),
            runs: tally.runs(),
            times,
            verified: Verified::new(records),
        }
    }

    /// Events that loss records count; `process_table` counts none.
    fn lost(&self, of: impl Fn(&str) -> bool) -> u64 {
        let lost = self.lost.iter().filter(|(place, _)| *place != "process_table" && of(place));
        lost.map(|(_, count)| count).sum()
    }

    /// Whether that may be.
    pub fn check(&self, chain: &Chain, with_spool: bool) {
        assert_eq!(self.runs, 2, "runs of the sensor");
        assert_eq!(self.told + self.missing, self.made, "renames");
        // Of what is missing the number is missing too, or it was lost before it had one.
        let before = self.lost(|place| !is_delivery(place));
        assert!(self.missing <= self.numbers_missing + before, "renames that are nowhere");
        let told = self.lost(is_delivery);
        if with_spool {
            assert_eq!((self.numbers_missing, told), (0, 0), "missing, and told so");
        } else {
            assert!(self.numbers_missing <= told, "missing, and not told");
        }
        assert_eq!(self.numbers_again, 0, "events that are there twice");
        assert_eq!(self.verified.unreadable, 0);
        if chain.repeats {
            let repeated_events = self.verified.repeated_batches * BATCH_EVENTS as u64;
            assert!(repeated_events > self.numbers / 2, "messages did not come twice");
        }
        if chain.end == End::Told {
            // rsyslogd wakes its workers with a signal when it is to end. mmexternal takes a read of an
            // answer that it interrupts for no answer (`processProgramReply`).
            assert_eq!((self.bad_lines, self.undecoded), (0, 0), "cut lines, undecoded records");
            let verified = (self.verified.events, self.verified.missing);
            assert_eq!(verified, (self.numbers, self.numbers_missing), "--verify, and the events");
        }
    }
}

fn is_delivery(place: &str) -> bool {
    place.starts_with("syslog")
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [load, all] = self.times.map(|time| time.as_secs_f64());
        write!(
            f,
            "{} renames in {load:.0} s, told after {all:.0} s: {} told, {} missing, {} twice ({} \
             while the sensor ended); {} events: {} missing in {} gaps, {} twice in {} rows; lost: {} numbered, {} \
             before; by place: {:?}; {} lines cut, {} records undecoded; records: {:?}",
            self.made,
            self.told,
            self.missing,
            self.told_again,
            self.unwatched,
            self.numbers,
            self.numbers_missing,
            self.gaps,
            self.numbers_again,
            self.rows_again,
            self.lost(is_delivery),
            self.lost(|place| !is_delivery(place)),
            self.lost,
            self.bad_lines,
            self.undecoded,
            self.verified
        )
    }
}
