//! What was found, for people and for programs.

use super::{Run, Verifier};
use crate::event::LossPlace;
use crate::format::value::{Text, Timestamp, Uuid};
use crate::record::RunId;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::ops::RangeInclusive;

/// Gaps of one run that are told to people. Programs are told all.
const GAPS_TOLD: usize = 20;

/// Where events are lost that have a number.
const DELIVERY: [LossPlace; 3] =
    [LossPlace::SyslogQueue, LossPlace::SyslogRefused, LossPlace::Spool];

/// All hosts, each with its runs in the order of time.
pub struct Report {
    hosts: BTreeMap<Vec<u8>, Vec<Found>>,
    unreadable_of_nobody: u64,
}

/// A run of a sensor.
struct Found {
    id: RunId,
    run: Run,
    /// From here on numbers are expected.
    from: u64,
    /// Events that are expected and not there.
    missing: u64,
}

/// The same as a program reads it.
#[derive(Serialize)]
struct Json<'a> {
    hostname: Text<'a>,
    boot_id: Uuid,
    start_ns: u64,
    first_batch: Timestamp,
    last_batch: Timestamp,
    first_sequence: u64,
    last_sequence: u64,
    events: u64,
    missing: u64,
    gaps: Vec<(u64, u64)>,
    missing_told: u64,
    lost_before: BTreeMap<&'static str, u64>,
    repeated_batches: u64,
    unreadable_records: u64,
}

impl Report {
    /// Of all that was read.
    pub fn new(verifier: Verifier) -> Report {
        let Verifier { runs, mut unreadable_of_nobody } = verifier;
        let mut hosts: BTreeMap<Vec<u8>, Vec<Found>> = BTreeMap::new();
        let (runs, strange): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|(_, run)| run.times_ns.is_some());
        for (id, mut run) in runs {
            let hostname = std::mem::take(&mut run.hostname);
            let found = Found { id, run, from: 1, missing: 0 };
            hosts.entry(hostname).or_default().push(found);
        }
        hosts.values_mut().for_each(|runs| put_in_order(runs));
        // Nothing could be read of these to its end: what they say of where they are from may be
        // wrong too.
        for (_, run) in strange {
            match hosts.get_mut(&run.hostname).and_then(|runs| runs.last_mut()) {
                Some(found) => found.run.unreadable_records += run.unreadable_records,
                None => unreadable_of_nobody += run.unreadable_records,
            }
        }
        for runs in hosts.values_mut() {
            if let Some(oldest) = runs.first_mut() {
                oldest.from = oldest.run.numbers.first().unwrap_or(1);
            }
            for found in runs {
                found.missing = found.run.numbers.gaps(found.from).fold(0, |sum, gap| {
                    sum.saturating_add(gap.end() - gap.start()).saturating_add(1)
                });
            }
        }
        Report { hosts, unreadable_of_nobody }
    }

    /// Events that are missing, of all hosts.
    pub fn missing(&self) -> u64 {
        self.sum(|found| found.missing)
    }

    /// Records that could not be read, in whole or in part.
    pub fn unreadable(&self) -> u64 {
        self.sum(|found| found.run.unreadable_records) + self.unreadable_of_nobody
    }

    fn sum(&self, of: impl Fn(&Found) -> u64) -> u64 {
        self.hosts.values().flatten().map(of).fold(0, u64::saturating_add)
    }

    /// For people: a line for each run, and one for all.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (hostname, runs) in &self.hosts {
            writeln!(out, "{}", String::from_utf8_lossy(hostname).escape_debug())?;
            for found in runs {
                found.write_text(out)?;
            }
        }
        let runs = self.hosts.values().map(Vec::len).sum::<usize>();
        writeln!(
            out,
            "{} hosts, {} restarts, {} events; missing: {} events, on {} hosts; repeated: {} \
             batches; unreadable: {} records, {} of them of unknown hosts",
            self.hosts.len(),
            runs - self.hosts.len(),
            self.sum(|found| found.run.events),
            self.missing(),
            self.hosts.values().filter(|runs| runs.iter().any(|found| found.missing > 0)).count(),
            self.sum(|found| found.run.repeated_batches),
            self.unreadable(),
            self.unreadable_of_nobody,
        )
    }

    /// Whether nothing was read that could be told.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// For programs: a JSON object for each run, and one for unreadable records of unknown hosts.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (hostname, runs) in &self.hosts {
            for found in runs {
                serde_json::to_writer(&mut *out, &found.json(hostname))?;
                out.write_all(b"\n")?;
            }
        }
        if self.unreadable_of_nobody > 0 {
            let rest = serde_json::json!({"unreadable_records": self.unreadable_of_nobody});
            writeln!(out, "{rest}")?;
        }
        Ok(())
    }
}

/// Boots by the host's clock, which may have been set; the runs of one by that of the kernel.
fn put_in_order(runs: &mut [Found]) {
    let mut boots: HashMap<[u8; 16], u64> = HashMap::new();
    for found in &*runs {
        let (first_ns, _) = found.run.times_ns.unwrap_or_default();
        let boot_ns = boots.entry(found.id.boot_id).or_insert(first_ns);
        *boot_ns = first_ns.min(*boot_ns);
    }
    runs.sort_by_key(|found| (boots.get(&found.id.boot_id).copied(), found.id));
}

impl Found {
    fn gaps(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.run.numbers.gaps(self.from)
    }

    /// Of the missing events, those that the sensor could not deliver and told of, at most.
    fn missing_told(&self) -> u64 {
        let told = DELIVERY.iter().filter_map(|place| self.run.told.get(place.name()));
        told.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Places where events were lost before they had a number.
    fn lost_before(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let is_before = |name: &str| DELIVERY.iter().all(|place| place.name() != name);
        let told = self.run.told.iter().map(|(name, count)| (*name, *count));
        told.filter(move |(name, _)| is_before(name))
    }

    fn times(&self) -> (Timestamp, Timestamp) {
        let (first_ns, last_ns) = self.run.times_ns.unwrap_or_default();
        (Timestamp(first_ns.into()), Timestamp(last_ns.into()))
    }

    fn json<'a>(&self, hostname: &'a [u8]) -> Json<'a> {
        let (first_batch, last_batch) = self.times();
        Json {
            hostname: Text(hostname),
            boot_id: Uuid(self.id.boot_id),
            start_ns: self.id.start_ns,
            first_batch,
            last_batch,
            first_sequence: self.run.numbers.first().unwrap_or_default(),
            last_sequence: self.run.numbers.last().unwrap_or_default(),
            events: self.run.events,
            missing: self.missing,
            gaps: self.gaps().map(RangeInclusive::into_inner).collect(),
            missing_told: self.missing_told(),
            lost_before: self.lost_before().collect(),
            repeated_batches: self.run.repeated_batches,
            unreadable_records: self.run.unreadable_records,
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let run = &self.run;
        let (first, last) = (run.numbers.first().unwrap_or(0), run.numbers.last().unwrap_or(0));
        let (first_time, last_time) = self.times();
        write!(
            out,
            "  {first_time} to {last_time}: {} events, numbers {first} to {last}",
            run.events
        )?;
        if self.missing > 0 {
            write!(out, "; {} missing (", self.missing)?;
            for (at, gap) in self.gaps().take(GAPS_TOLD).enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                match gap.into_inner() {
                    (first, last) if first == last => write!(out, "{comma}{first}")?,
                    (first, last) => write!(out, "{comma}{first}-{last}")?,
                }
            }
            match self.gaps().count().saturating_sub(GAPS_TOLD) {
                0 => write!(out, ")")?,
                more => write!(out, " and {more} more gaps)")?,
            }
            if self.missing_told() > 0 {
                write!(out, ", at most {} of them told by the sensor", self.missing_told())?;
            }
        }
        for (place, count) in self.lost_before() {
            write!(out, "; lost before, {place}: {count}")?;
        }
        if run.repeated_batches > 0 {
            write!(out, "; {} repeated batches", run.repeated_batches)?;
        }
        if run.unreadable_records > 0 {
            write!(out, "; {} unreadable records", run.unreadable_records)?;
        }
        writeln!(out)
    }
}
