//! What the file of events has at its end. Of a syslog daemon that was ended while it wrote, nobody else
//! knows how far it came.

use crate::limits::WRITTEN_BYTES;
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Documents by a hash of what is in them, with keys that nobody knows: by their numbers somebody could
/// have a document left out that he does not want to be seen.
#[derive(Default)]
pub struct Written {
    keys: RandomState,
    hashes: HashSet<u64>,
    /// Of these documents, as a look that costs little.
    sequences: HashSet<u64>,
}

impl Written {
    /// Of the file at `path`, which need not be there, and if it is short of the one that was rotated
    /// away. A line that was cut is ended, so that the next document has its own.
    pub fn at_end_of(path: &Path) -> io::Result<Written> {
        let mut written = Written::default();
        let mut rotated = path.as_os_str().to_owned();
        rotated.push(".1");
        let mut room = WRITTEN_BYTES;
        for file in [path, Path::new(&rotated)] {
            let Some(end) = end_of(file, room)? else { continue };
            if file == path && end.last().is_some_and(|last| *last != b'\n') {
                OpenOptions::new().append(true).open(file)?.write_all(b"\n")?;
            }
            room -= end.len() as u64;
            // Others may be there: cut ones, and those of other programs.
            let lines = end.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for line in lines {
                if let Some(value) = object(line) {
                    written.sequences.extend(value["event"]["sequence"].as_u64());
                    written.hashes.insert(written.hash(&value));
                }
            }
        }
        Ok(written)
    }

    /// Whether this document, as mote writes it, is there. It may come late: what rsyslogd had in hand
    /// when it was ended it puts behind all that waits.
    pub fn has(&self, document: &[u8]) -> bool {
        !self.sequences.is_empty()
            && sequence(document).is_some_and(|sequence| self.sequences.contains(&sequence))
            && object(document).is_some_and(|value| self.hashes.contains(&self.hash(&value)))
    }

    /// However it was written: rsyslogd adds blanks, and writes `\/`.
    fn hash(&self, document: &Value) -> u64 {
        self.keys.hash_one(document.to_string())
    }
}

/// `None`: it is no document.
fn object(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok().filter(Value::is_object)
}

/// `event.sequence` of a document that mote wrote, of which no text can have a quote without a backslash.
fn sequence(document: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"sequence\":";
    let at = document.windows(KEY.len()).position(|bytes| bytes == KEY)? + KEY.len();
    let digits = document[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    core::str::from_utf8(&document[at..at + digits]).ok()?.parse().ok()
}

/// The last `most` bytes of a file, or all; `None` if there is no file.
fn end_of(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, write};

    fn document(number: u64) -> String {
        format!("{{\"event\":{{\"sequence\":{number}}},\"path\":\"/x\"}}")
    }

    fn has(written: &Written, number: u64) -> bool {
        written.has(document(number).as_bytes())
    }

    #[test]
    fn documents_are_found_and_a_cut_line_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.json");
        assert!(!has(&Written::at_end_of(&path).unwrap(), 1), "no file");
        let as_rsyslogd_does = r#"{ "path": "\/x", "event": { "sequence": 2 } }"#;
        let text = [&document(1), as_rsyslogd_does, "no document", "[]", &document(3)].join("\n");
        let cut = &text[..text.len() - 1];
        write(&path, cut).unwrap();
        for _ in 0..2 {
            let written = Written::at_end_of(&path).unwrap();
            assert_eq!([1, 2, 3].map(|number| has(&written, number)), [true, true, false]);
            assert!(
                !written.has(br#"{"event":{"sequence":1},"path":"/y"}"#),
                "another one of that number"
            );
            assert_eq!(read_to_string(&path).unwrap(), format!("{cut}\n"));
        }
    }

    #[test]
    fn of_a_short_file_the_one_before_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.json");
        let line = |number| document(number) + "\n";
        // Longer than what is read.
        let (first, lines) = (1_000_000, WRITTEN_BYTES / line(1_000_000).len() as u64 + 1_000);
        let old: String = (first..first + lines).map(line).collect();
        write(dir.path().join("events.json.1"), &old).unwrap();
        write(&path, line(1)).unwrap();
        let written = Written::at_end_of(&path).unwrap();
        assert!(has(&written, 1) && has(&written, first + lines - 1));
        assert!(!has(&written, first), "only its end is read");
        assert!(Written::at_end_of(dir.path()).is_err(), "a directory");
    }
}
