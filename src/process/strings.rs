//! Executables and working directories, each kept once: a thousand shells have one
//! `/bin/sh`.

use std::hash::{DefaultHasher, Hasher};

use heapless::index_map::FnvIndexMap;

use crate::limits::{PROCESS_STRING_BYTES, PROCESS_STRINGS};

/// A string's place. It is held until it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringId(u16);

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    holders: u32,
    bytes: u16,
    hash: u64,
}

/// A fixed number of strings with a count of holders each.
pub struct Strings {
    entries: Box<[Entry]>,
    /// [`PROCESS_STRING_BYTES`] an entry. Pages of entries never used are never resident.
    bytes: Box<[u8]>,
    by_hash: Box<FnvIndexMap<u64, u16, PROCESS_STRINGS>>,
    free: Vec<u16>,
}

impl Strings {
    /// No strings, and room for so many, of [`PROCESS_STRINGS`] at most.
    pub fn new(capacity: usize) -> Strings {
        let capacity = capacity.min(PROCESS_STRINGS);
        Strings {
            entries: vec![Entry::default(); capacity].into_boxed_slice(),
            bytes: vec![0; capacity * PROCESS_STRING_BYTES].into_boxed_slice(),
            by_hash: Box::new(FnvIndexMap::new()),
            free: (0..capacity as u16).rev().collect(),
        }
    }

    /// Holds a string. `None` if it is too long or there is no room.
    pub fn hold(&mut self, string: &[u8]) -> Option<StringId> {
        if string.len() > PROCESS_STRING_BYTES {
            return None;
        }
        let hash = hash(string);
        // Another string with this hash may have its place in the index: then this one is
        // kept without, and perhaps twice.
        if let Some(&index) = self.by_hash.get(&hash)
            && self.get(StringId(index)) == string
        {
            self.entries[usize::from(index)].holders += 1;
            return Some(StringId(index));
        }
        let index = self.free.pop()?;
        let start = usize::from(index) * PROCESS_STRING_BYTES;
        self.bytes[start..start + string.len()].copy_from_slice(string);
        self.entries[usize::from(index)] = Entry { holders: 1, bytes: string.len() as u16, hash };
        if !self.by_hash.contains_key(&hash) {
            // There are as many places in the index as strings.
            let _ = self.by_hash.insert(hash, index);
        }
        Some(StringId(index))
    }

    /// One more holder of a string that is held.
    pub fn hold_again(&mut self, id: Option<StringId>) -> Option<StringId> {
        if let Some(StringId(index)) = id {
            self.entries[usize::from(index)].holders += 1;
        }
        id
    }

    /// Gives a string back.
    pub fn give_back(&mut self, id: Option<StringId>) {
        let Some(StringId(index)) = id else { return };
        let entry = &mut self.entries[usize::from(index)];
        entry.holders -= 1;
        if entry.holders == 0 {
            if self.by_hash.get(&entry.hash) == Some(&index) {
                self.by_hash.remove(&entry.hash);
            }
            self.free.push(index);
        }
    }

    /// How many more there is room for.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// The string at a place.
    pub fn get(&self, id: StringId) -> &[u8] {
        let index = usize::from(id.0);
        let start = index * PROCESS_STRING_BYTES;
        &self.bytes[start..start + usize::from(self.entries[index].bytes)]
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_kept_once_and_freed_by_its_last_holder() {
        let mut strings = Strings::new(PROCESS_STRINGS);
        let a = strings.hold(b"/bin/sh").unwrap();
        let b = strings.hold(b"/bin/sh").unwrap();
        assert_eq!(a, b);
        strings.give_back(Some(a));
        assert_eq!(strings.get(b), b"/bin/sh");
        strings.give_back(Some(b));
        assert_eq!(strings.free.len(), PROCESS_STRINGS);
        assert!(strings.by_hash.is_empty());
    }

    #[test]
    fn a_full_table_and_a_long_string_are_refused() {
        for capacity in [8, PROCESS_STRINGS] {
            let mut strings = Strings::new(capacity);
            for n in 0..capacity {
                strings.hold(format!("/{n}").as_bytes()).unwrap();
            }
            assert_eq!(strings.hold(b"/one/more"), None);
            assert!(strings.hold(b"/7").is_some());
        }
        assert_eq!(Strings::new(1).hold(&[b'x'; PROCESS_STRING_BYTES + 1]), None);
    }
}
