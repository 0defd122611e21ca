//! A file of a spool with anything between its lines: those that are whole are read, in their order, and
//! what is not is told as damage. The file is in a directory for temporary ones.

use crate::directory::Directory;
use crate::event::Class;
use crate::sink::spool::files::VERSION_LINE;
use crate::sink::spool::line::{Line, SPOOL_LINE_BYTES};
use crate::sink::spool::log::Log;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The first of a class.
const FILE: &str = "bulk-0000000000000000";
/// As many bytes of a piece stand for each that is given of its length: lines of some pieces are longer
/// than a line can be.
const BYTES_A_UNIT: usize = 40;

struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static PLACES: AtomicUsize = AtomicUsize::new(0);
        let nth = PLACES.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mote-fuzz-{}-{nth}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn directory(&self) -> Directory {
        Directory::open(&self.0).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new());
}

/// See [`fuzzed`](super).
pub fn check(data: &[u8]) -> bool {
    let bytes = file_of(data);
    let whole = [VERSION_LINE, &bytes].concat();
    PLACE.with_borrow(|place| {
        std::fs::write(place.0.join(FILE), whole).unwrap();
        let mut buffer = Vec::new();
        let mut log = Log::open(Class::Bulk, place.directory(), None, &mut buffer).expect("opened");
        // What has no end is cut.
        let kept = log.bytes() as usize - VERSION_LINE.len();
        let expected = lines_of(&bytes[..kept]);
        let mut end = 0;
        for (start, line) in &expected {
            let next = log.next(&mut buffer).expect("it can be read").expect("one that is whole");
            assert_eq!((next.end - line.bytes() as u64, next.line), (*start as u64, *line));
            assert!(next.end > end, "in their order");
            end = next.end;
            assert_eq!(Line::read(&buffer), Ok(*line));
        }
        assert!(log.next(&mut buffer).expect("it can be read").is_none() && log.is_read());
        let whole_bytes: usize = expected.iter().map(|(_, line)| line.bytes()).sum();
        assert_eq!(log.damage.lines == 0, whole_bytes == kept, "what is no line is told");
        !expected.is_empty() && log.damage.lines == 0
    })
}

/// Pieces: each has what it is and its length in front.
fn file_of(mut data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let [kind, length, rest @ ..] = data {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length) % 16));
        data = behind;
        match kind % 4 {
            0 => file.extend(line_with(piece)),
            1 => file.extend_from_slice(piece),
            2 => {
                let line = line_with(piece);
                file.extend_from_slice(&line[..line.len() - 1 - usize::from(*kind / 4) % 50]);
            }
            _ => {
                let filler = piece.first().copied().unwrap_or(0);
                file.resize(file.len() + usize::from(*length) * BYTES_A_UNIT, filler);
            }
        }
    }
    file
}

fn line_with(payload: &[u8]) -> Vec<u8> {
    let line = Line { events: 1, if_lost: 1, offered_ns: 0, payload_bytes: payload.len() };
    let mut bytes = Vec::new();
    line.write(&mut bytes, payload).expect("it is short");
    bytes
}

/// Whole lines and their places: behind one that is whole, behind a line's end, behind zeros, and where the
/// reader goes on if none of these is in the bytes that it looks at.
fn lines_of(bytes: &[u8]) -> Vec<(usize, Line)> {
    let (mut lines, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at = match Line::read(&bytes[at..]) {
            Ok(line) => {
                lines.push((at, line));
                at + line.bytes()
            }
            Err(_) => {
                let begins = |at: &usize| {
                    let next = bytes.get(at + 1);
                    bytes[*at] == b'\n' || bytes[*at] == 0 && next.is_some_and(|next| *next != 0)
                };
                let looked_at = bytes.len().min(at + SPOOL_LINE_BYTES);
                (at..looked_at).find(begins).map_or(looked_at, |at| at + 1)
            }
        };
    }
    lines
}
