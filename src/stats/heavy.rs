//! The most frequent keys of a stream, in fixed room: Space-Saving.
//!
//! A. Metwally, D. Agrawal, A. El Abbadi: Efficient Computation of Frequent and Top-k
//! Elements in Data Streams, ICDT 2005. A key that is not known takes the place of the one
//! with the smallest count, and begins with that count, which is by how much its own may
//! then be too high. From this follows, with `total` the sum of all that was added:
//!
//! - no count is too low, and none is too high by more than `total / capacity`;
//! - every key of which more than `total / capacity` was added is there;
//! - with no more distinct keys than `capacity`, all counts are exact.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::limits::PATH_BYTES;

/// Marks a place of the index that is free.
const FREE: u32 = u32::MAX;

#[derive(Clone, Copy, Default)]
struct Entry {
    count: u64,
    error: u64,
    hash: u64,
    key_bytes: u16,
    /// Where it is in `heap`.
    heap_place: u32,
}

/// A frequent key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hitter<'a> {
    /// What was counted.
    pub key: &'a [u8],
    /// How often, at most.
    pub count: u64,
    /// By how much that may be too high.
    pub error_at_most: u64,
}

/// Counts of the most frequent keys.
pub struct Heavy {
    entries: Vec<Entry>,
    /// [`PATH_BYTES`] an entry. Pages of entries never used are never resident.
    keys: Box<[u8]>,
    /// Entries in a binary heap, the smallest count first.
    heap: Vec<u32>,
    /// Entries by hash: open addressing with linear probing, half full at most.
    index: Box<[u32]>,
    hasher: RandomState,
    capacity: usize,
}

impl Heavy {
    /// Room for so many keys, one at least; the only allocation.
    pub fn new(capacity: usize) -> Heavy {
        let capacity = capacity.max(1);
        Heavy {
            entries: Vec::with_capacity(capacity),
            // calloc: the kernel's zero pages.
            keys: vec![0; capacity * PATH_BYTES].into_boxed_slice(),
            heap: Vec::with_capacity(capacity),
            index: vec![FREE; (2 * capacity).next_power_of_two()].into_boxed_slice(),
            // With a key of this run: nobody can choose names that meet in the index.
            hasher: RandomState::new(),
            capacity,
        }
    }

    /// Counts a key. Of one longer than [`PATH_BYTES`], as no event has, only the beginning
    /// is looked at.
    pub fn add(&mut self, key: &[u8], count: u64) {
        if count == 0 {
            return;
        }
        let key = &key[..key.len().min(PATH_BYTES)];
        let hash = self.hasher.hash_one(key);
        let entry = match self.find(key, hash) {
            Some(entry) => entry,
            None if self.entries.len() < self.capacity => self.grow(key, hash),
            None => self.replace_smallest(key, hash),
        };
        let known = &mut self.entries[entry as usize];
        known.count = known.count.saturating_add(count);
        let place = known.heap_place as usize;
        self.sink(place);
    }

    /// The `n` most frequent keys, the most frequent one first, of equal ones by the key.
    pub fn top(&self, n: usize) -> Vec<Hitter<'_>> {
        let mut all: Vec<_> = (0..self.entries.len() as u32).map(|at| self.hitter(at)).collect();
        all.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(b.key)));
        all.truncate(n);
        all
    }

    fn hitter(&self, entry: u32) -> Hitter<'_> {
        let Entry { count, error, .. } = self.entries[entry as usize];
        Hitter { key: self.key(entry), count, error_at_most: error }
    }

    fn key(&self, entry: u32) -> &[u8] {
        let bytes = self.entries[entry as usize].key_bytes;
        &self.keys[entry as usize * PATH_BYTES..][..usize::from(bytes)]
    }

    fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let mut place = self.home(hash);
        loop {
            let entry = self.index[place];
            if entry == FREE {
                return None;
            }
            if self.entries[entry as usize].hash == hash && self.key(entry) == key {
                return Some(entry);
            }
            place = self.next(place);
        }
    }

    fn grow(&mut self, key: &[u8], hash: u64) -> u32 {
        let entry = self.entries.len() as u32;
        self.entries.push(Entry { heap_place: entry, ..Entry::default() });
        self.heap.push(entry);
        // Nothing is smaller than its count of 0: it rises to the top.
        let mut place = self.heap.len() - 1;
        while place > 0 {
            let parent = (place - 1) / 2;
            self.swap(place, parent);
            place = parent;
        }
        self.name(entry, key, hash);
        entry
    }

    fn replace_smallest(&mut self, key: &[u8], hash: u64) -> u32 {
        let entry = self.heap[0];
        self.unindex(entry);
        let smallest = &mut self.entries[entry as usize];
        smallest.error = smallest.count;
        self.name(entry, key, hash);
        entry
    }

    fn name(&mut self, entry: u32, key: &[u8], hash: u64) {
        self.keys[entry as usize * PATH_BYTES..][..key.len()].copy_from_slice(key);
        let named = &mut self.entries[entry as usize];
        (named.hash, named.key_bytes) = (hash, key.len() as u16);
        let mut place = self.home(hash);
        while self.index[place] != FREE {
            place = self.next(place);
        }
        self.index[place] = entry;
    }

    /// Takes an entry out of the index, and moves up what would not be found over the gap.
    fn unindex(&mut self, entry: u32) {
        let mut gap = self.home(self.entries[entry as usize].hash);
        while self.index[gap] != entry {
            gap = self.next(gap);
        }
        let mask = self.index.len() - 1;
        let mut place = self.next(gap);
        while self.index[place] != FREE {
            let home = self.home(self.entries[self.index[place] as usize].hash);
            let from_home = place.wrapping_sub(home) & mask;
            let from_gap = place.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.index[gap] = self.index[place];
                gap = place;
            }
            place = self.next(place);
        }
        self.index[gap] = FREE;
    }

    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.index.len() - 1)
    }

    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.index.len() - 1)
    }

    /// Moves an entry whose count grew down to where none below it is smaller.
    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let children = left..(left + 2).min(self.heap.len());
            let count = |place: &usize| self.entries[self.heap[*place] as usize].count;
            let Some(smaller) = children.min_by_key(count) else { return };
            if count(&smaller) >= count(&place) {
                return;
            }
            self.swap(place, smaller);
            place = smaller;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        for place in [a, b] {
            self.entries[self.heap[place] as usize].heap_place = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// What must hold whatever was added.
    fn check(heavy: &Heavy, exact: &HashMap<Vec<u8>, u64>) {
        let total: u64 = exact.values().sum();
        let bound = total / heavy.capacity as u64;
        let all = heavy.top(usize::MAX);
        assert_eq!(all.len(), exact.len().min(heavy.capacity));
        assert_eq!(all.iter().map(|hitter| hitter.count).sum::<u64>(), total);
        for Hitter { key, count, error_at_most } in &all {
            let truth = exact[*key];
            assert!(*count >= truth && count - error_at_most <= truth, "{count} {truth}");
            assert!(*error_at_most <= bound, "{error_at_most} {bound}");
        }
        for (key, count) in exact {
            assert!(*count <= bound || all.iter().any(|hitter| hitter.key == key), "{count}");
        }
        for place in 1..heavy.heap.len() {
            let count = |place: usize| heavy.entries[heavy.heap[place] as usize].count;
            assert!(count((place - 1) / 2) <= count(place));
        }
    }

    fn add(heavy: &mut Heavy, exact: &mut HashMap<Vec<u8>, u64>, key: &[u8], count: u64) {
        heavy.add(key, count);
        *exact.entry(key.to_vec()).or_default() += count;
    }

    #[test]
    fn counts_are_exact_while_every_key_has_a_place() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut heavy, mut exact) = (Heavy::new(100), HashMap::new());
        for _ in 0..10_000 {
            let key = format!("/usr/lib/{}", random.u8(..100));
            add(&mut heavy, &mut exact, key.as_bytes(), random.u64(1..9));
        }
        check(&heavy, &exact);
        let all = heavy.top(usize::MAX);
        assert_eq!(all.len(), exact.len());
        for Hitter { key, count, error_at_most } in all {
            assert_eq!((count, error_at_most), (exact[key], 0));
        }
    }

    #[test]
    fn the_bound_holds_on_a_skewed_stream() {
        const KEYS: usize = 20_000;
        // Zipf's law with an exponent of 1: the key of rank r comes 1/r as often as the first.
        let mut sums = vec![0.0];
        sums.extend((1..=KEYS).scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        }));
        for capacity in [1, 2, 64, 512] {
            let mut random = fastrand::Rng::with_seed(7);
            let (mut heavy, mut exact) = (Heavy::new(capacity), HashMap::new());
            for _ in 0..100_000 {
                let point = random.f64() * sums[KEYS];
                let rank = sums.partition_point(|sum| *sum <= point);
                let count = if random.u8(..10) == 0 { random.u64(2..50) } else { 1 };
                add(&mut heavy, &mut exact, format!("/srv/{rank}").as_bytes(), count);
            }
            check(&heavy, &exact);
        }
        // With the room that statistics have, the first ten are told right.
        let mut random = fastrand::Rng::with_seed(9);
        let mut heavy = Heavy::new(512);
        for _ in 0..200_000 {
            let point = random.f64() * sums[KEYS];
            let rank = sums.partition_point(|sum| *sum <= point);
            heavy.add(format!("{rank}").as_bytes(), 1);
        }
        let ranks: Vec<_> = heavy.top(5).iter().map(|hitter| hitter.key.to_vec()).collect();
        assert_eq!(ranks, [b"1", b"2", b"3", b"4", b"5"]);
    }

    /// Every key new: the worst that a flood of random names can do.
    #[test]
    fn a_flood_of_new_keys_does_not_push_out_a_frequent_one() {
        let (mut heavy, mut exact) = (Heavy::new(64), HashMap::new());
        for n in 0..50_000 {
            add(&mut heavy, &mut exact, format!("/tmp/{n}").as_bytes(), 1);
            if n % 20 == 0 {
                add(&mut heavy, &mut exact, b"/etc/passwd", 1);
            }
        }
        check(&heavy, &exact);
        assert_eq!(heavy.top(1)[0].key, b"/etc/passwd");
    }

    #[test]
    fn equal_counts_come_by_key_and_a_new_key_inherits_the_smallest() {
        let mut heavy = Heavy::new(3);
        for (key, count) in [("c", 2), ("a", 2), ("b", 5), ("a", 0)] {
            heavy.add(key.as_bytes(), count);
        }
        let keys = |heavy: &Heavy| -> Vec<(Vec<u8>, u64, u64)> {
            let top = heavy.top(usize::MAX);
            top.iter().map(|at| (at.key.to_vec(), at.count, at.error_at_most)).collect()
        };
        let expected = [("b", 5, 0), ("a", 2, 0), ("c", 2, 0)];
        assert_eq!(keys(&heavy), expected.map(|(key, n, e)| (key.as_bytes().to_vec(), n, e)));
        heavy.add(b"d", 10);
        let top = heavy.top(2);
        assert_eq!(top[0], Hitter { key: b"d", count: 12, error_at_most: 2 });
        assert_eq!(top[1], Hitter { key: b"b", count: 5, error_at_most: 0 });
        assert_eq!(keys(&heavy).iter().map(|(_, count, _)| count).sum::<u64>(), 19);
    }

    #[test]
    fn the_longest_key_and_the_largest_count_have_room() {
        let mut heavy = Heavy::new(0);
        let long = [b'x'; PATH_BYTES + 1];
        heavy.add(&long, u64::MAX);
        heavy.add(&long[..PATH_BYTES], 1);
        heavy.add(b"", 1);
        let top = heavy.top(5);
        assert_eq!(top, [Hitter { key: b"", count: u64::MAX, error_at_most: u64::MAX }]);
    }
}
