//! Which batches were read before: a sensor sends again what its receiver may not have read.

use crate::limits::{DECODE_RECENT, DECODE_RUNS};
use crate::record::RunId;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

/// The last batches of each run of a sensor. Those of one host do not push out those of another.
///
/// It keeps hashes of payloads, with keys of its own: nobody can make another payload with the hash
/// of one that is to be hidden, as could be done with the numbers of its events. What is sent again
/// is the same to the byte.
#[derive(Default)]
pub struct Recent {
    keys: RandomState,
    runs: HashMap<RunId, Box<Run>>,
    /// Runs by when they were last heard of, in batches.
    by_use: BTreeMap<u64, RunId>,
    clock: u64,
}

#[derive(Default)]
struct Run {
    hashes: heapless::HistoryBuf<u64, DECODE_RECENT>,
    /// 0: never.
    used: u64,
}

/// A batch that can be looked for.
#[derive(Clone, Copy)]
pub struct Identity {
    run: RunId,
    hash: u64,
}

impl Recent {
    /// Who this payload of `run` is.
    pub fn identity(&self, run: RunId, payload: &[u8]) -> Identity {
        Identity { run, hash: self.keys.hash_one(payload) }
    }

    /// Whether it was read before, within the last [`DECODE_RECENT`] batches of its run.
    pub fn has(&self, batch: Identity) -> bool {
        let run = self.runs.get(&batch.run);
        run.is_some_and(|run| run.hashes.contains(&batch.hash))
    }

    /// Remembers it. Of too many runs the one that was heard of longest ago is forgotten.
    pub fn remember(&mut self, batch: Identity) {
        if self.runs.len() >= DECODE_RUNS
            && !self.runs.contains_key(&batch.run)
            && let Some((_, stalest)) = self.by_use.pop_first()
        {
            self.runs.remove(&stalest);
        }
        self.clock += 1;
        let run = self.runs.entry(batch.run).or_default();
        self.by_use.remove(&run.used);
        self.by_use.insert(self.clock, batch.run);
        run.used = self.clock;
        run.hashes.write(batch.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start_ns: u64) -> RunId {
        RunId { boot_id: [1; 16], start_ns }
    }

    #[test]
    fn another_host_does_not_push_a_batch_out() {
        let mut recent = Recent::default();
        let first = recent.identity(run(1), b"a");
        recent.remember(first);
        for number in 0..2 * DECODE_RECENT {
            let other = recent.identity(run(2), &number.to_le_bytes());
            assert!(!recent.has(other));
            recent.remember(other);
        }
        assert!(recent.has(first));
        assert!(!recent.has(recent.identity(run(2), b"a")), "of another run");
        assert!(!recent.has(recent.identity(run(2), &0usize.to_le_bytes())), "long ago");
    }

    #[test]
    fn of_too_many_runs_the_stalest_is_forgotten() {
        let mut recent = Recent::default();
        for start_ns in 0..DECODE_RUNS as u64 {
            recent.remember(recent.identity(run(start_ns), b"a"));
        }
        // Heard of again.
        recent.remember(recent.identity(run(0), b"b"));
        recent.remember(recent.identity(run(u64::MAX), b"a"));
        assert_eq!(recent.runs.len(), DECODE_RUNS);
        assert!(recent.has(recent.identity(run(0), b"a")));
        assert!(!recent.has(recent.identity(run(1), b"a")));
        assert!(recent.has(recent.identity(run(2), b"a")));
    }
}
