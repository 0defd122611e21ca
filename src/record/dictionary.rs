//! Strings that one batch refers to by number: as they go on the wire, and how to find
//! them again.

use super::encode::append;
use super::wire::{Blob, Joined};
use crate::event::Bytes;
use crate::limits::{BATCH_ACTORS, BATCH_BYTES, BATCH_STRINGS};

/// Places of the hash table, a power of two. At most three eighths are taken, so a
/// search ends after a step or two. Names that are made to collide cost a search through
/// the entries of one batch, no more.
const SLOTS: usize = 512;
const _: () = assert!(BATCH_STRINGS <= SLOTS * 3 / 8 && BATCH_ACTORS <= SLOTS * 3 / 8);
/// An entry's number fits a slot, and a position in a batch fits an entry.
const _: () = assert!(BATCH_STRINGS < 256 && BATCH_ACTORS < 256 && BATCH_BYTES < 65536);

struct Entry {
    hash: u32,
    start: u16,
    end: u16,
}

pub(super) struct Dictionary<const ENTRIES: usize> {
    /// Every entry, as a byte string of the record.
    wire: Bytes<BATCH_BYTES>,
    entries: heapless::Vec<Entry, ENTRIES>,
    /// Number of the entry from 1; 0: free.
    slots: [u8; SLOTS],
}

/// How far a dictionary was filled.
pub(super) struct Mark {
    wire: usize,
    entries: usize,
}

impl<const ENTRIES: usize> Dictionary<ENTRIES> {
    pub fn new() -> Self {
        Dictionary { wire: Bytes::new(), entries: heapless::Vec::new(), slots: [0; SLOTS] }
    }

    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The number of `bytes` from 1, if they are there.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        let hash = hash(bytes);
        self.slot(hash, bytes).and_then(Result::ok).map(u32::from)
    }

    /// The number of `bytes`, or the free slot where they would be found. `None`: there is neither.
    fn slot(&self, hash: u32, bytes: &[u8]) -> Option<Result<u8, usize>> {
        probe(hash).find_map(|slot| match self.slots[slot] {
            0 => Some(Err(slot)),
            number => self.is(number, hash, bytes).then_some(Ok(number)),
        })
    }

    /// The number of `bytes` from 1, which are added if they are not there. `None`: there
    /// is no room.
    pub fn number(&mut self, bytes: &[u8]) -> Option<u32> {
        let hash = hash(bytes);
        let slot = match self.slot(hash, bytes)? {
            Ok(number) => return Some(number.into()),
            Err(slot) => slot,
        };
        if self.entries.is_full() {
            return None;
        }
        let before = self.wire.len();
        if append(&mut self.wire, &Blob(bytes)).is_err() {
            self.wire.truncate(before);
            return None;
        }
        let end = self.wire.len() as u16;
        let start = end - bytes.len() as u16;
        self.entries.push(Entry { hash, start, end }).ok()?;
        self.slots[slot] = self.entries.len() as u8;
        Some(self.slots[slot].into())
    }

    /// Refers to the whole string: executables repeat from actor to actor.
    pub fn whole<'a>(&mut self, bytes: &'a [u8]) -> Joined<'a> {
        self.refer(bytes, bytes.len())
    }

    /// Refers to the directory, with its slash, and brings the name.
    pub fn split<'a>(&mut self, bytes: &'a [u8]) -> Joined<'a> {
        let slash = bytes.iter().rposition(|byte| *byte == b'/');
        self.refer(bytes, slash.map_or(0, |at| at + 1))
    }

    /// Refers to the first `length` bytes where that can save anything and there is room.
    fn refer<'a>(&mut self, bytes: &'a [u8], length: usize) -> Joined<'a> {
        let (start, rest) = bytes.split_at(length);
        match if length > 1 { self.number(start) } else { None } {
            Some(number) => Joined { start: number, rest: Blob(rest) },
            None => Joined { start: 0, rest: Blob(bytes) },
        }
    }

    fn is(&self, number: u8, hash: u32, bytes: &[u8]) -> bool {
        self.entries.get(usize::from(number) - 1).is_some_and(|entry| {
            let range = usize::from(entry.start)..usize::from(entry.end);
            entry.hash == hash && self.wire.get(range) == Some(bytes)
        })
    }

    pub fn mark(&self) -> Mark {
        Mark { wire: self.wire.len(), entries: self.entries.len() }
    }

    /// Takes out what was added after `mark`, the last one first: nothing was put behind
    /// it in the table, so freeing its slot hides no other.
    pub fn back_to(&mut self, mark: &Mark) {
        while self.entries.len() > mark.entries {
            let number = self.entries.len() as u8;
            if let Some(last) = self.entries.pop()
                && let Some(slot) = probe(last.hash).find(|slot| self.slots[*slot] == number)
            {
                self.slots[slot] = 0;
            }
        }
        self.wire.truncate(mark.wire);
    }

    pub fn clear(&mut self) {
        self.wire.clear();
        self.entries.clear();
        self.slots.fill(0);
    }
}

/// The slots in which an entry of this hash may be, in order.
fn probe(hash: u32) -> impl Iterator<Item = usize> {
    (0..SLOTS).map(move |step| (hash as usize + step) % SLOTS)
}

/// Eight bytes a step, as rustc's FxHash does. Its low bits are the weak ones.
fn hash(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    }
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_one_number() {
        let mut strings = Dictionary::<4>::new();
        assert_eq!(strings.number(b"/usr/bin/"), Some(1));
        assert_eq!(strings.number(b"/etc/"), Some(2));
        assert_eq!(strings.number(b"/usr/bin/"), Some(1));
        assert_eq!(strings.wire(), b"\x09/usr/bin/\x05/etc/");
    }

    #[test]
    fn a_full_dictionary_still_knows_what_it_has() {
        let mut strings = Dictionary::<2>::new();
        assert_eq!(strings.number(b"a"), Some(1));
        assert_eq!(strings.number(b"b"), Some(2));
        assert_eq!(strings.number(b"c"), None);
        assert_eq!(strings.number(b"b"), Some(2));
        let mut strings = Dictionary::<192>::new();
        assert_eq!(strings.number(&[b'x'; BATCH_BYTES]), None, "its length does not fit");
        assert_eq!((strings.wire(), strings.count()), (&b""[..], 0));
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut strings = Dictionary::<192>::new();
        for i in 0..100u32 {
            strings.number(&i.to_le_bytes()).unwrap();
        }
        let (mark, slots) = (strings.mark(), strings.slots);
        for i in 100..192u32 {
            strings.number(&i.to_le_bytes()).unwrap();
        }
        strings.back_to(&mark);
        assert_eq!((strings.count(), strings.slots == slots), (100, true));
        assert_eq!(strings.number(&150u32.to_le_bytes()), Some(101));
    }
}
