//! What the file of events has at its end. Of a syslog daemon that was ended while it wrote, nobody else
//! knows how far it came.

use crate::format::value::RunName;
use crate::limits::WRITTEN_BYTES;
use crate::record::RunId;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Events by their run, as documents name it, and their number in it.
#[derive(Default)]
pub struct Written(HashMap<String, HashSet<u64>>);

/// Of a document of the Elastic Common Schema, what tells an event from all others.
#[derive(Deserialize)]
struct Document {
    agent: Agent,
    event: Numbered,
}

#[derive(Deserialize)]
struct Agent {
    ephemeral_id: String,
}

#[derive(Deserialize)]
struct Numbered {
    sequence: u64,
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
            for line in end.split(|byte| *byte == b'\n') {
                // Others may be there: cut ones, and those of other programs.
                if let Ok(Document { agent, event }) = serde_json::from_slice(line) {
                    written.0.entry(agent.ephemeral_id).or_default().insert(event.sequence);
                }
            }
        }
        Ok(written)
    }

    /// The numbers of the events of a run. `None`: none of them was found.
    pub fn of(&self, run: RunId) -> Option<&HashSet<u64>> {
        // As a rule there was no restart, or none of runs that go on.
        (!self.0.is_empty()).then(|| self.0.get(&RunName(run).to_string())).flatten()
    }
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

    const RUN: RunId = RunId { boot_id: [0xab; 16], start_ns: 5 };

    fn line(run: RunId, sequence: u64) -> String {
        let run = RunName(run);
        format!(
            "{{\"event\": {{ \"sequence\": {sequence} }}, \"agent\":{{\"ephemeral_id\":\"{run}\"}}}}\n"
        )
    }

    #[test]
    fn events_of_a_run_are_found_and_a_cut_line_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.json");
        assert!(Written::at_end_of(&path).unwrap().of(RUN).is_none(), "no file");
        let other = RunId { start_ns: 6, ..RUN };
        let text =
            [line(RUN, 1), line(other, 2), "no document\n{}\n".into(), line(RUN, 4)].concat();
        let cut = text.trim_end_matches("}\n");
        write(&path, cut).unwrap();
        for _ in 0..2 {
            let written = Written::at_end_of(&path).unwrap();
            assert_eq!(written.of(RUN), Some(&HashSet::from([1])));
            assert_eq!(written.of(other), Some(&HashSet::from([2])));
            assert_eq!(read_to_string(&path).unwrap(), format!("{cut}\n"));
        }
    }

    #[test]
    fn of_a_short_file_the_one_before_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.json");
        // Longer than what is read.
        let lines = WRITTEN_BYTES / line(RUN, 1_000_000).len() as u64 + 1_000;
        let old: String = (1_000_000..1_000_000 + lines).map(|n| line(RUN, n)).collect();
        write(dir.path().join("events.json.1"), &old).unwrap();
        write(&path, line(RUN, 3_000_000)).unwrap();
        let written = Written::at_end_of(&path).unwrap();
        let found = written.of(RUN).unwrap();
        assert!(found.contains(&3_000_000) && found.contains(&(1_000_000 + lines - 1)));
        assert!(!found.contains(&1_000_000), "only its end is read");
        assert!(Written::at_end_of(dir.path()).is_err(), "a directory");
    }
}
