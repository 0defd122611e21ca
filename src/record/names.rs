//! Names of files in version 2: each begins as one before it does, as a rule.

use super::encode::{NoRoom, Strings, append};
use super::error::{DecodeError, Reason};
use super::reader::{Reader, entry};
use super::wire::{BEFORE, Blob, EXECUTABLE, LAST, Name, STRING};
use crate::event::{self, Bytes};
use crate::limits::{BATCH_BYTES, PATH_BYTES};
use memchr::memrchr;

/// The format has it: of a longer name the first 2,048 bytes are remembered.
const _: () = assert!(PATH_BYTES == 2048);

/// The last two names of a process, or of several that share a place.
#[derive(Debug)]
pub(super) struct Names {
    names: [Bytes<PATH_BYTES>; 2],
    last: usize,
}

/// The same while an event is written, whose own names are not remembered yet.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    last: &'a [u8],
    before: &'a [u8],
}

impl Names {
    pub const fn new() -> Names {
        Names { names: [Bytes::new(), Bytes::new()], last: 0 }
    }

    pub fn clear(&mut self) {
        self.names.iter_mut().for_each(Bytes::clear);
        self.last = 0;
    }

    pub fn pair(&self) -> Pair<'_> {
        Pair { last: &self.names[self.last], before: &self.names[1 - self.last] }
    }

    /// An empty name, or the last one once more, changes nothing.
    pub fn remember(&mut self, name: &[u8]) {
        if !name.is_empty() && name != self.names[self.last].as_slice() {
            self.last = 1 - self.last;
            self.names[self.last].clear();
            event::append(&mut self.names[self.last], name);
        }
    }

    /// Reads a name to `out`, and remembers it. `Ok(true)`: it did not fit and is cut.
    pub fn read(
        &mut self,
        reader: &mut Reader,
        strings: &[&[u8]],
        executable: &[u8],
        out: &mut Bytes<PATH_BYTES>,
    ) -> Result<bool, DecodeError> {
        let Name { start, rest } = reader.take("a name")?;
        let Pair { last, before } = self.pair();
        let number = start >> 2;
        let start = match start & 3 {
            LAST => last.get(..number as usize),
            BEFORE => before.get(..number as usize),
            STRING => entry(strings, number).copied(),
            _ => (number == 0).then_some(executable),
        };
        let start = start.ok_or_else(|| reader.error(Reason::Index, "the beginning of a name"))?;
        let is_cut = event::append(out, start) | event::append(out, rest.0);
        self.remember(out);
        Ok(is_cut)
    }
}

impl<'a> Pair<'a> {
    /// What it is once this name is remembered.
    pub fn with(self, name: &'a [u8]) -> Pair<'a> {
        match name.is_empty() || name == self.last {
            true => self,
            false => Pair { last: name, before: self.last },
        }
    }

    /// Writes a name: by a name before it if that has its directory, else with its directory from
    /// the dictionary. A directory that is not there is put there if the names before have less
    /// than half of it: else it would cost more than it ever saves.
    pub fn write(
        self,
        name: &[u8],
        executable: &[u8],
        strings: &mut Strings,
        out: &mut Bytes<BATCH_BYTES>,
    ) -> Result<(), NoRoom> {
        let (last, before) = (shared(name, self.last), shared(name, self.before));
        let (of, length) = if before > last { (BEFORE, before) } else { (LAST, last) };
        let directory = memrchr(b'/', name).map_or(0, |at| at + 1);
        let by_name = Name { start: (length as u32) << 2 | of, rest: Blob(&name[length..]) };
        let (start, rest) = name.split_at(directory);
        let written = if name == executable {
            Name { start: EXECUTABLE, rest: Blob(b"") }
        } else if length >= directory || directory == 1 {
            by_name
        } else {
            let number = match 2 * length < directory {
                true => strings.number(start),
                false => strings.find(start),
            };
            number.map_or(by_name, |number| Name { start: number << 2 | STRING, rest: Blob(rest) })
        };
        Ok(append(out, &written)?)
    }
}

/// How many bytes two strings begin with that are the same.
fn shared(one: &[u8], other: &[u8]) -> usize {
    const BYTES: usize = size_of::<u128>();
    let length = one.len().min(other.len());
    let (one, other) = (&one[..length], &other[..length]);
    // The first that differ, if any do.
    let differ = |one: &[u8; BYTES], other: &[u8; BYTES]| {
        let bits = u128::from_le_bytes(*one) ^ u128::from_le_bytes(*other);
        (bits != 0).then(|| bits.trailing_zeros() as usize / 8)
    };
    let words = one.as_chunks().0.iter().zip(other.as_chunks().0);
    for (number, (one, other)) in words.enumerate() {
        if let Some(at) = differ(one, other) {
            return number * BYTES + at;
        }
    }
    match (one.last_chunk(), other.last_chunk()) {
        // Some of these were looked at, and are the same.
        (Some(one), Some(other)) => differ(one, other).map_or(length, |at| length - BYTES + at),
        _ => one.iter().zip(other).take_while(|(one, other)| one == other).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_names_share_is_counted_to_the_byte() {
        let name = b"/usr/lib/x86_64-linux-gnu/libc.so.6";
        for length in 0..=name.len() {
            assert_eq!(shared(name, &name[..length]), length);
            let mut other = *name;
            if let Some(byte) = other.get_mut(length) {
                *byte ^= 0x80;
                assert_eq!(shared(name, &other), length);
                assert_eq!(shared(&other, name), length);
            }
        }
    }

    #[test]
    fn two_names_are_remembered_and_none_twice() {
        let mut names = Names::new();
        for (name, last, before) in [
            (&b"a"[..], &b"a"[..], &b""[..]),
            (b"b", b"b", b"a"),
            (b"b", b"b", b"a"),
            (b"", b"b", b"a"),
            (b"a", b"a", b"b"),
        ] {
            let pair = names.pair().with(name);
            assert_eq!((pair.last, pair.before), (last, before));
            names.remember(name);
            assert_eq!((names.pair().last, names.pair().before), (last, before));
        }
    }
}
