//! The places of a file of `mote decode --recent`, which may be damaged, or cut.

use crate::command::decode::recent::{Keys, Recent, StreamId};
use crate::command::decode::recent_file::{ENTRY_BYTES, PLACE_BYTES, STREAM_BYTES, streams};
use crate::event::Class;
use crate::limits::DECODE_STREAMS;
use crate::record::RunId;

/// How many places are written to.
const PLACES: usize = 3;
/// Which entries of a place are: there are more, all alike.
const ENTRIES: usize = 64;
/// A place and an entry, then the entry.
const CHANGE_BYTES: usize = 2 + ENTRY_BYTES;

/// See [`fuzzed`](super). How many bytes there are, then changes to zeros. An entry 0 is the stream's
/// head.
pub fn check(data: &[u8]) -> bool {
    let Some((length, changes)) = data.split_first_chunk::<4>() else { return false };
    let last = changes.chunks_exact(CHANGE_BYTES).map(|change| change[0] % PLACES as u8).max();
    let mut bytes = vec![0; last.map_or(0, |last| usize::from(last) + 1) * PLACE_BYTES];
    for change in changes.chunks_exact(CHANGE_BYTES) {
        let (place, entry) = (usize::from(change[0]) % PLACES, usize::from(change[1]) % ENTRIES);
        let at = match entry {
            0 => 0,
            entry => STREAM_BYTES + (entry - 1) * ENTRY_BYTES,
        };
        bytes[place * PLACE_BYTES + at..][..ENTRY_BYTES].copy_from_slice(&change[2..]);
        // The class lies behind what an entry has of a head.
        if entry == 0 {
            bytes[place * PLACE_BYTES + STREAM_BYTES - 8] = change[1] / ENTRIES as u8;
        }
    }
    bytes.truncate(u32::from_ne_bytes(*length) as usize);
    let kept = streams(&bytes);
    for (place, _, entries) in &kept {
        assert!(*place < PLACES && !entries.is_empty());
        assert!(entries.windows(2).all(|pair| pair[0].clock <= pair[1].clock), "the oldest first");
    }
    let keys = Keys([1, 2]);
    let ids: Vec<StreamId> = kept.iter().map(|(_, id, _)| *id).collect();
    let mut recent = Recent::of(keys, kept);
    remember(&mut recent, &ids);
    !ids.is_empty()
}

/// What is remembered is known from then on, whatever the file had.
fn remember(recent: &mut Recent, ids: &[StreamId]) {
    let other = StreamId { run: RunId { boot_id: [3; 16], start_ns: 5 }, class: Class::Bulk };
    for stream in ids.iter().copied().chain([other]) {
        for payload in [&b"m1:one"[..], b"m1:other"] {
            let identity = recent.identity(stream, payload);
            recent.remember(identity);
            assert!(recent.has(identity));
        }
    }
    assert!(recent.count() <= DECODE_STREAMS);
}
