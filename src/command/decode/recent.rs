//! Which batches were read before: a sensor sends again what its receiver may not have read.

use super::recent_file::{Entry, RecentFile};
use crate::limits::{DECODE_RECENT, DECODE_RUNS};
use crate::record::RunId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

/// The last batches of each run of a sensor. Those of one host do not push out those of another.
///
/// It keeps hashes of payloads, with keys of its own: nobody can make another payload with the hash
/// of one that is to be hidden, as could be done with the numbers of its events. What is sent again
/// is the same to the byte.
pub struct Recent {
    keys: Keys,
    runs: HashMap<RunId, Box<Run>>,
    /// Runs by when they were last heard of, in batches.
    by_use: BTreeMap<u64, RunId>,
    clock: u64,
    /// Where they are also kept, and what is to be written there.
    file: Option<RecentFile>,
    unwritten: Vec<Entry>,
}

/// Of SipHash 2-4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys(pub [u64; 2]);

impl Keys {
    /// Keys that nobody knows.
    pub fn random() -> Keys {
        // The standard library asks the kernel for what is in these.
        Keys([0u64, 1].map(|number| RandomState::new().hash_one(number)))
    }

    /// `RandomState` does not take keys that were kept; this does the same with them.
    #[allow(deprecated)]
    fn hash(self, payload: &[u8]) -> u64 {
        let mut hasher = std::hash::SipHasher::new_with_keys(self.0[0], self.0[1]);
        hasher.write(payload);
        hasher.finish()
    }
}

#[derive(Default)]
struct Run {
    hashes: heapless::HistoryBuf<u64, DECODE_RECENT>,
    /// Where it is in a file, and how many batches were written to there.
    place: usize,
    batches: usize,
    /// 0: never.
    used: u64,
}

/// A batch that can be looked for.
#[derive(Clone, Copy)]
pub struct Identity {
    run: RunId,
    hash: u64,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent {
            keys: Keys::random(),
            runs: HashMap::new(),
            by_use: BTreeMap::new(),
            clock: 0,
            file: None,
            unwritten: Vec::new(),
        }
    }
}

impl Recent {
    /// What the file at `path` has, and from now on is kept there.
    pub fn kept(path: &Path) -> io::Result<Recent> {
        let (file, runs) = RecentFile::open(path)?;
        let mut recent = Recent { keys: file.keys(), ..Recent::default() };
        for (place, id, entries) in runs {
            let mut run = Run { place, ..Run::default() };
            for entry in &entries {
                run.hashes.write(entry.hash);
                run.used = entry.clock;
            }
            run.batches = entries.last().map_or(0, |last| last.at + 1);
            recent.clock = recent.clock.max(run.used);
            // Only a damaged file has two runs of one moment.
            if recent.by_use.insert(run.used, id).is_none() {
                recent.runs.insert(id, Box::new(run));
            }
        }
        recent.file = Some(file);
        Ok(recent)
    }

    /// Who this payload of `run` is.
    pub fn identity(&self, run: RunId, payload: &[u8]) -> Identity {
        Identity { run, hash: self.keys.hash(payload) }
    }

    /// Whether it was read before, within the last [`DECODE_RECENT`] batches of its run.
    pub fn has(&self, batch: Identity) -> bool {
        let run = self.runs.get(&batch.run);
        run.is_some_and(|run| run.hashes.contains(&batch.hash))
    }

    /// Remembers it; in a file with [`write`](Recent::write) only. Of too many runs the one that was
    /// heard of longest ago is forgotten.
    pub fn remember(&mut self, batch: Identity) {
        self.clock += 1;
        if !self.runs.contains_key(&batch.run) {
            let place = self.place_for_a_run();
            self.runs.insert(batch.run, Box::new(Run { place, ..Run::default() }));
        }
        let Some(run) = self.runs.get_mut(&batch.run) else { return };
        self.by_use.remove(&run.used);
        self.by_use.insert(self.clock, batch.run);
        run.used = self.clock;
        run.hashes.write(batch.hash);
        if self.file.is_some() {
            let at = run.batches % DECODE_RECENT;
            let is_first = run.batches == 0;
            let (place, clock, hash) = (run.place, self.clock, batch.hash);
            let begins = is_first.then_some(batch.run);
            self.unwritten.push(Entry { place, at, clock, hash, begins });
        }
        run.batches += 1;
    }

    fn place_for_a_run(&mut self) -> usize {
        if self.runs.len() >= DECODE_RUNS
            && let Some((_, stalest)) = self.by_use.pop_first()
            && let Some(run) = self.runs.remove(&stalest)
        {
            return run.place;
        }
        // One may be free between others, whose first batch was not written.
        let taken: BTreeSet<usize> = self.runs.values().map(|run| run.place).collect();
        (0..).find(|place| !taken.contains(place)).unwrap_or_default()
    }

    /// How many are not in the file yet.
    pub fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Writes to the file what is to be remembered there: of these batches the events are where
    /// they belong. What cannot be written is not remembered when the file is read again.
    pub fn write(&mut self) {
        if let Some(file) = &mut self.file {
            for entry in self.unwritten.drain(..) {
                file.write(&entry);
            }
        }
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

    /// Read again, with `keep` batches of it.
    fn read_again(path: &Path, batches: &[(RunId, &[u8])]) -> Vec<bool> {
        let recent = Recent::kept(path).unwrap();
        batches.iter().map(|(run, payload)| recent.has(recent.identity(*run, payload))).collect()
    }

    #[test]
    fn what_was_written_is_known_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recent");
        let (one, other) = (run(1), run(2));
        let batches: Vec<[u8; 8]> = (0..DECODE_RECENT as u64 + 100).map(u64::to_le_bytes).collect();
        for part in batches.chunks(DECODE_RECENT / 4) {
            let mut recent = Recent::kept(&path).unwrap();
            for batch in part {
                recent.remember(recent.identity(one, batch));
            }
            recent.remember(recent.identity(other, b"a"));
            recent.write();
            // Not written: its events are nowhere yet.
            recent.remember(recent.identity(other, b"b"));
        }
        let asked: Vec<(RunId, &[u8])> = batches.iter().map(|batch| (one, &batch[..])).collect();
        let known = read_again(&path, &asked);
        let (old, new) = known.split_at(100);
        assert!(old.iter().all(|known| !known) && new.iter().all(|known| *known));
        assert_eq!(
            read_again(&path, &[(other, b"a"), (other, b"b"), (one, b"a")]),
            [true, false, false]
        );
    }

    #[test]
    fn a_place_of_the_file_is_given_to_another_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recent");
        let mut recent = Recent::kept(&path).unwrap();
        for start_ns in 0..DECODE_RUNS as u64 + 1 {
            recent.remember(recent.identity(run(start_ns), b"a"));
            recent.remember(recent.identity(run(start_ns), b"b"));
        }
        recent.write();
        drop(recent);
        let last = DECODE_RUNS as u64;
        assert_eq!(
            read_again(
                &path,
                &[(run(0), b"a"), (run(1), b"b"), (run(last), b"a"), (run(last), b"b")]
            ),
            [false, true, true, true]
        );
        let recent = Recent::kept(&path).unwrap();
        assert_eq!(recent.runs.len(), DECODE_RUNS);
    }
}
