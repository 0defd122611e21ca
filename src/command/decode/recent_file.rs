//! The file of `mote decode --recent`: what the next `mote decode` has to know of this one.
//!
//! A header, then a place of the same size for each stream. What was written is the kernel's, so it
//! outlives the process, whatever ends that; an entry is written in one call. It is not synced: after
//! a crash of the host it may know batches whose events were lost. So it is for one boot of the host,
//! and begins anew after that.

use super::recent::{Keys, StreamId};
use crate::event::Class;
use crate::host::boot::boot_id;
use crate::limits::{DECODE_RECENT, DECODE_STREAMS};
use crate::record::RunId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What it begins with. Where places have another size it begins anew; what else may change gets another
/// number.
const MAGIC: [u8; 16] = *b"mote-recent 1\n\0\0";
/// Of the header: the magic, the boot id, how many bytes a place has, the keys.
const HEADER_BYTES: usize = 56;
/// Of a stream, before its entries: the run's boot id and start, the class.
pub const STREAM_BYTES: usize = 32;
/// Its clock and its hash.
pub const ENTRY_BYTES: usize = 16;
pub const PLACE_BYTES: usize = STREAM_BYTES + DECODE_RECENT * ENTRY_BYTES;
/// The keys are the owner's.
const MODE: u32 = 0o600;
/// How long the one before may take to end: its syslog daemon is gone, its input has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A batch in the file.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Of its stream.
    pub place: usize,
    /// Among the entries of its stream, which are written in turn.
    pub at: usize,
    /// Later ones have larger numbers. 0: there is none.
    pub clock: u64,
    pub hash: u64,
    /// Of the first of a stream, which one that is.
    pub begins: Option<StreamId>,
}

/// The file, which is of one process at a time.
pub struct RecentFile {
    file: File,
    keys: Keys,
}

/// A stream with its entries, the oldest first.
pub type Kept = (usize, StreamId, Vec<Entry>);

impl RecentFile {
    /// Opens or makes it, once the process that has it has ended, and reads what is there.
    pub fn open(path: &Path) -> io::Result<(RecentFile, Vec<Kept>)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let file = file.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        lock(&file)?;
        let boot_id = boot_id()?;
        let bytes = read(&file)?;
        let Some((header, places)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            // One whose maker was killed has a part of the header.
            return match MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
                true => Ok((RecentFile::begin(file, boot_id)?, Vec::new())),
                false => Err(not_ours()),
            };
        };
        if header[..16] != MAGIC {
            return Err(not_ours());
        }
        // Of another boot, or with places of another size.
        if header[16..32] != boot_id || number(&header[32..]) != PLACE_BYTES as u64 {
            return Ok((RecentFile::begin(file, boot_id)?, Vec::new()));
        }
        let keys = Keys([number(&header[40..]), number(&header[48..])]);
        Ok((RecentFile { file, keys }, streams(places)))
    }

    fn begin(file: File, boot_id: [u8; 16]) -> io::Result<RecentFile> {
        let keys = Keys::random();
        file.set_len(0)?;
        let numbers = [PLACE_BYTES as u64, keys.0[0], keys.0[1]].map(u64::to_ne_bytes);
        file.write_all_at(&[&MAGIC[..], &boot_id, numbers.as_flattened()].concat(), 0)?;
        Ok(RecentFile { file, keys })
    }

    pub fn keys(&self) -> Keys {
        self.keys
    }

    /// Without an answer: what is not there may be decoded twice, which is no reason to stop.
    pub fn write(&mut self, entry: &Entry) {
        let start = HEADER_BYTES + entry.place * PLACE_BYTES;
        let bytes = entry_bytes(entry);
        let _ = match entry.begins {
            // Of a stream that had this place nothing stays.
            Some(StreamId { run, class }) => {
                let mut place = [0; PLACE_BYTES];
                place[..16].copy_from_slice(&run.boot_id);
                place[16..24].copy_from_slice(&run.start_ns.to_ne_bytes());
                place[24] = class as u8;
                place[STREAM_BYTES + entry.at * ENTRY_BYTES..][..ENTRY_BYTES]
                    .copy_from_slice(&bytes);
                self.file.write_all_at(&place, start as u64)
            }
            None => {
                let at = start + STREAM_BYTES + entry.at * ENTRY_BYTES;
                self.file.write_all_at(&bytes, at as u64)
            }
        };
    }
}

fn not_ours() -> io::Error {
    io::Error::other("it is another program's, or another version's; remove it, or name another")
}

fn lock(file: &File) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(20));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::other("another mote decode has it; give each its own"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// No more than a whole one has.
fn read(file: &File) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take((HEADER_BYTES + DECODE_STREAMS * PLACE_BYTES) as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn entry_bytes(entry: &Entry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..8].copy_from_slice(&entry.clock.to_ne_bytes());
    bytes[8..].copy_from_slice(&entry.hash.to_ne_bytes());
    bytes
}

/// The first eight bytes, of as many or more.
fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// All that is in places.
pub fn streams(places: &[u8]) -> Vec<Kept> {
    let places = places.chunks(PLACE_BYTES).take(DECODE_STREAMS).enumerate();
    places.filter_map(|(place, bytes)| kept(place, bytes)).collect()
}

/// `None` of a place that nothing was written to. The last place may be cut.
fn kept(place: usize, bytes: &[u8]) -> Option<Kept> {
    let (stream, entries) = bytes.split_first_chunk::<STREAM_BYTES>()?;
    let run = RunId { boot_id: *stream.first_chunk()?, start_ns: number(&stream[16..]) };
    let id = StreamId { run, class: Class::from_number(stream[24])? };
    let entries = entries.chunks_exact(ENTRY_BYTES).enumerate();
    let entry = |(at, bytes): (usize, &[u8])| {
        let (clock, hash) = (number(bytes), number(&bytes[8..]));
        // Nothing counts that far: it is damaged, and the clock has to go on from there.
        (1..=u64::MAX / 2).contains(&clock).then_some(Entry {
            place,
            at,
            clock,
            hash,
            begins: None,
        })
    };
    let mut entries: Vec<Entry> = entries.filter_map(entry).collect();
    entries.sort_by_key(|entry| entry.clock);
    (!entries.is_empty()).then_some((place, id, entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read, write};

    #[test]
    fn another_boot_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recent");
        let (mut file, kept) = RecentFile::open(&path).unwrap();
        assert!(kept.is_empty());
        let run = StreamId { run: RunId { boot_id: [1; 16], start_ns: 2 }, class: Class::Bulk };
        file.write(&Entry { place: 1, at: 0, clock: 1, hash: 3, begins: Some(run) });
        let keys = file.keys();
        drop(file);
        let (file, kept) = RecentFile::open(&path).unwrap();
        assert_eq!((file.keys(), kept.len()), (keys, 1));
        assert_eq!((kept[0].0, kept[0].1, kept[0].2[0].hash), (1, run, 3));
        drop(file);
        let mut bytes = read(&path).unwrap();
        bytes[16] ^= 1;
        write(&path, bytes).unwrap();
        let (file, kept) = RecentFile::open(&path).unwrap();
        assert!(file.keys() != keys && kept.is_empty());
    }

    #[test]
    fn an_entry_of_a_time_that_cannot_be_is_none() {
        let mut place = vec![0; PLACE_BYTES];
        place[24] = Class::Bulk as u8;
        for (clock, is_kept) in [(0, false), (1, true), (u64::MAX / 2, true), (u64::MAX, false)] {
            place[STREAM_BYTES..][..8].copy_from_slice(&u64::to_ne_bytes(clock));
            assert_eq!(streams(&place).len(), usize::from(is_kept), "{clock}");
        }
    }

    #[test]
    fn cut_files_are_taken_and_those_of_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recent");
        let (mut file, _) = RecentFile::open(&path).unwrap();
        let run = StreamId { run: RunId { boot_id: [1; 16], start_ns: 2 }, class: Class::Bulk };
        for at in 0..2 {
            let begins = (at == 0).then_some(run);
            file.write(&Entry { place: 0, at, clock: 1 + at as u64, hash: 3, begins });
        }
        drop(file);
        let bytes = read(&path).unwrap();
        // Every length of what is written, and some of the room behind it.
        let written = HEADER_BYTES + STREAM_BYTES + 3 * ENTRY_BYTES;
        for length in (0..written).chain((written..bytes.len()).step_by(997)) {
            write(&path, &bytes[..length]).unwrap();
            let (_, kept) = RecentFile::open(&path).unwrap();
            let whole = length.saturating_sub(HEADER_BYTES + STREAM_BYTES) / ENTRY_BYTES;
            assert_eq!(kept.first().map_or(0, |run| run.2.len()), whole.min(2), "{length}");
        }
        for other in [&b"something else"[..], &[b'x'; 100]] {
            write(&path, other).unwrap();
            let error = RecentFile::open(&path).err().unwrap();
            assert!(error.to_string().contains("another program's"), "{error}");
            assert_eq!(read(&path).unwrap(), other);
        }
    }
}
