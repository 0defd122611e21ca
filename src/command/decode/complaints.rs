//! What is said of records that cannot be read: some at a time, since there may be as many as lines.

use super::decoder::Counts;
use crate::record::DecodeError;
use crate::say::say;
use std::time::{Duration, Instant};

/// Bad records that are told one by one in a [`PERIOD`]; all are counted.
const TOLD: u64 = 10;

/// After it, what goes on for months has its say again.
const PERIOD: Duration = Duration::from_secs(60);

/// What was said so far.
#[derive(Default)]
pub struct Complaints {
    /// When the period began, and how many bad records there were in it.
    period: Option<(Instant, u64)>,
    /// It was said that there is something of a newer sensor.
    said_newer: bool,
}

impl Complaints {
    /// A record in this line could not be read. `cut`: what there is to add.
    pub fn bad(&mut self, name: &str, line: u64, error: &DecodeError, cut: &str) {
        let now = Instant::now();
        let (since, count) = match self.period {
            Some((since, count)) if now.duration_since(since) < PERIOD => (since, count),
            _ => (now, 0),
        };
        self.period = Some((since, count + 1));
        match count {
            0..TOLD => say(format_args!("{name}: line {line}: {error}{cut}")),
            TOLD => say(format_args!(
                "{name}: from line {line} on bad records are only counted, for a minute; the counts \
                 are said at the end"
            )),
            _ => {}
        }
    }

    /// The counts behind this line.
    pub fn look_at(&mut self, name: &str, line: u64, counts: &Counts) {
        if counts.unknown_versions + counts.unknown_events > 0 && !self.said_newer {
            self.said_newer = true;
            say(format_args!(
                "{name}: line {line}: a record of a newer sensor: what this version does not know is \
                 left out and counted; decode with a newer mote"
            ));
        }
    }
}
