//! Which batches were read before: a sensor sends again what its receiver may not have read.

use super::recent_file::{Entry, Kept, RecentFile};
use crate::event::Class;
use crate::limits::{DECODE_RECENT, DECODE_STREAMS};
use crate::record::RunId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

/// The last batches of each stream. Those of one host do not push out those of another, nor a flood of
/// file events those of processes, of which few may come between a batch and its repetition.
///
/// It keeps hashes of payloads, with keys of its own: nobody can make another payload with the hash
/// of one that is to be hidden, as could be done with the numbers of its events. What is sent again
/// is the same to the byte.
pub struct Recent {
    keys: Keys,
    streams: HashMap<StreamId, Box<Stream>>,
    /// Streams by when they were last heard of, in batches.
    by_use: BTreeMap<u64, StreamId>,
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

/// The batches of a class of a run of a sensor, which come in their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamId {
    pub run: RunId,
    pub class: Class,
}

#[derive(Default)]
struct Stream {
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
    stream: StreamId,
    hash: u64,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent {
            keys: Keys::random(),
            streams: HashMap::new(),
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
        let (file, streams) = RecentFile::open(path)?;
        let recent = Recent::of(file.keys(), streams);
        Ok(Recent { file: Some(file), ..recent })
    }

    /// What was kept.
    pub fn of(keys: Keys, streams: Vec<Kept>) -> Recent {
        let mut recent = Recent { keys, ..Recent::default() };
        for (place, id, entries) in streams {
            let mut stream = Stream { place, ..Stream::default() };
            for entry in &entries {
                stream.hashes.write(entry.hash);
                stream.used = entry.clock;
            }
            stream.batches = entries.last().map_or(0, |last| last.at + 1);
            recent.clock = recent.clock.max(stream.used);
            // Only a damaged file has a stream twice, or two of one moment.
            if !recent.streams.contains_key(&id) && !recent.by_use.contains_key(&stream.used) {
                recent.by_use.insert(stream.used, id);
                recent.streams.insert(id, Box::new(stream));
            }
        }
        recent
    }

    /// How many streams are remembered, each of them once by its name and once by its use.
    #[cfg(any(test, fuzzing))]
    pub fn count(&self) -> usize {
        assert_eq!(self.by_use.len(), self.streams.len());
        assert!(self.by_use.iter().all(|(used, id)| self.streams[id].used == *used));
        let places: BTreeSet<usize> = self.streams.values().map(|stream| stream.place).collect();
        assert_eq!(places.len(), self.streams.len());
        self.streams.len()
    }

    /// Who this payload of `stream` is.
    pub fn identity(&self, stream: StreamId, payload: &[u8]) -> Identity {
        Identity { stream, hash: self.keys.hash(payload) }
    }

    /// Whether it was read before, within the last [`DECODE_RECENT`] batches of its stream.
    pub fn has(&self, batch: Identity) -> bool {
        let stream = self.streams.get(&batch.stream);
        stream.is_some_and(|stream| stream.hashes.contains(&batch.hash))
    }

    /// Remembers it; in a file with [`write`](Recent::write) only. Of too many streams the one that was
    /// heard of longest ago is forgotten.
    pub fn remember(&mut self, batch: Identity) {
        self.clock += 1;
        if !self.streams.contains_key(&batch.stream) {
            let place = self.place_for_a_stream();
            self.streams.insert(batch.stream, Box::new(Stream { place, ..Stream::default() }));
        }
        let Some(stream) = self.streams.get_mut(&batch.stream) else { return };
        self.by_use.remove(&stream.used);
        self.by_use.insert(self.clock, batch.stream);
        stream.used = self.clock;
        stream.hashes.write(batch.hash);
        if self.file.is_some() {
            let at = stream.batches % DECODE_RECENT;
            let is_first = stream.batches == 0;
            let (place, clock, hash) = (stream.place, self.clock, batch.hash);
            let begins = is_first.then_some(batch.stream);
            self.unwritten.push(Entry { place, at, clock, hash, begins });
        }
        stream.batches += 1;
    }

    fn place_for_a_stream(&mut self) -> usize {
        if self.streams.len() >= DECODE_STREAMS
            && let Some((_, stalest)) = self.by_use.pop_first()
            && let Some(stream) = self.streams.remove(&stalest)
        {
            return stream.place;
        }
        // One may be free between others, whose first batch was not written.
        let taken: BTreeSet<usize> = self.streams.values().map(|stream| stream.place).collect();
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

    fn run(start_ns: u64) -> StreamId {
        StreamId { run: RunId { boot_id: [1; 16], start_ns }, class: Class::Bulk }
    }

    #[test]
    fn another_host_or_class_does_not_push_a_batch_out() {
        let mut recent = Recent::default();
        let first = recent.identity(run(1), b"a");
        let priority = StreamId { class: Class::Priority, ..run(2) };
        let of_priority = recent.identity(priority, b"a");
        recent.remember(first);
        recent.remember(of_priority);
        for number in 0..2 * DECODE_RECENT {
            let other = recent.identity(run(2), &number.to_le_bytes());
            assert!(!recent.has(other));
            recent.remember(other);
        }
        assert!(recent.has(first) && recent.has(of_priority));
        assert!(!recent.has(recent.identity(run(2), b"a")), "of another stream");
        assert!(!recent.has(recent.identity(run(2), &0usize.to_le_bytes())), "long ago");
    }

    #[test]
    fn of_too_many_streams_the_stalest_is_forgotten() {
        let mut recent = Recent::default();
        for start_ns in 0..DECODE_STREAMS as u64 {
            recent.remember(recent.identity(run(start_ns), b"a"));
        }
        // Heard of again.
        recent.remember(recent.identity(run(0), b"b"));
        recent.remember(recent.identity(run(u64::MAX), b"a"));
        assert_eq!(recent.streams.len(), DECODE_STREAMS);
        assert!(recent.has(recent.identity(run(0), b"a")));
        assert!(!recent.has(recent.identity(run(1), b"a")));
        assert!(recent.has(recent.identity(run(2), b"a")));
    }

    /// Read again, with `keep` batches of it.
    fn read_again(path: &Path, batches: &[(StreamId, &[u8])]) -> Vec<bool> {
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
        let asked: Vec<(StreamId, &[u8])> = batches.iter().map(|batch| (one, &batch[..])).collect();
        let known = read_again(&path, &asked);
        let (old, new) = known.split_at(100);
        assert!(old.iter().all(|known| !known) && new.iter().all(|known| *known));
        assert_eq!(
            read_again(&path, &[(other, b"a"), (other, b"b"), (one, b"a")]),
            [true, false, false]
        );
    }

    /// What it has twice would be forgotten twice, and the streams that are remembered become more and
    /// more.
    #[test]
    fn a_damaged_file_has_each_stream_once() {
        let entry = |place, clock| Entry { place, at: 0, clock, hash: 3, begins: None };
        let kept = vec![
            (0, run(1), vec![entry(0, 5)]),
            (1, run(1), vec![entry(1, 6)]),
            (2, run(2), vec![entry(2, 5)]),
            (3, run(2), vec![entry(3, 7)]),
        ];
        let mut recent = Recent::of(Keys([1, 2]), kept);
        assert_eq!(recent.count(), 2);
        recent.remember(recent.identity(run(3), b"a"));
        assert_eq!((recent.count(), recent.clock), (3, 8));
    }

    #[test]
    fn a_place_of_the_file_is_given_to_another_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recent");
        let mut recent = Recent::kept(&path).unwrap();
        for start_ns in 0..DECODE_STREAMS as u64 + 1 {
            recent.remember(recent.identity(run(start_ns), b"a"));
            recent.remember(recent.identity(run(start_ns), b"b"));
        }
        recent.write();
        drop(recent);
        let last = DECODE_STREAMS as u64;
        assert_eq!(
            read_again(
                &path,
                &[(run(0), b"a"), (run(1), b"b"), (run(last), b"a"), (run(last), b"b")]
            ),
            [false, true, true, true]
        );
        let recent = Recent::kept(&path).unwrap();
        assert_eq!(recent.streams.len(), DECODE_STREAMS);
    }
}
