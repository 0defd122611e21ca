//! What arrived, counted: by the names that renames gave, and by the numbers that events have.

use crate::load::WORKERS;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What is read of a document.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    agent: Agent<'a>,
    #[serde(borrow)]
    event: Event<'a>,
    #[serde(borrow)]
    file: Option<FileOf<'a>>,
    #[serde(borrow)]
    mote: Option<Mote<'a>>,
}

#[derive(Deserialize)]
struct Agent<'a> {
    ephemeral_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Event<'a> {
    action: Cow<'a, str>,
    sequence: u64,
}

#[derive(Deserialize)]
struct FileOf<'a> {
    path: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Mote<'a> {
    #[serde(borrow)]
    lost: Option<Lost<'a>>,
}

#[derive(Deserialize)]
struct Lost<'a> {
    #[serde(rename = "where")]
    place: Cow<'a, str>,
    count: u64,
}

/// How often each of a row of numbers was there.
#[derive(Default)]
struct Seen(Vec<u8>);

impl Seen {
    fn add(&mut self, number: u64) -> bool {
        let at = number as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] = self.0[at].saturating_add(1);
        self.0[at] == 1
    }

    fn distinct(&self) -> u64 {
        self.0.iter().filter(|count| **count > 0).count() as u64
    }

    fn repeated(&self) -> u64 {
        self.0.iter().map(|count| u64::from(count.saturating_sub(1))).sum()
    }

    /// From 1 to `last`.
    fn missing(&self, last: usize) -> impl Iterator<Item = u64> {
        (1..=last).filter(|at| self.0.get(*at).is_none_or(|count| *count == 0)).map(|at| at as u64)
    }
}

/// Of a file of events that grows.
pub struct Tally {
    path: PathBuf,
    read_bytes: u64,
    /// Where the load's files are.
    load: String,
    renames: Vec<Seen>,
    runs: BTreeMap<String, Seen>,
    /// What loss records count, each once.
    pub lost: BTreeMap<String, u64>,
    /// Lines that are no document.
    pub bad_lines: u64,
}

impl Tally {
    pub fn new(path: &Path, load: &Path) -> Tally {
        Tally {
            path: path.into(),
            read_bytes: 0,
            load: format!("{}/", load.display()),
            renames: (0..WORKERS).map(|_| Seen::default()).collect(),
            runs: BTreeMap::new(),
            lost: BTreeMap::new(),
            bad_lines: 0,
        }
    }

    /// Reads the lines that were added; whether there were any.
    pub fn read(&mut self) -> bool {
        let Ok(mut file) = File::open(&self.path) else { return false };
        file.seek(SeekFrom::Start(self.read_bytes)).unwrap();
        let mut lines = BufReader::with_capacity(1 << 20, file);
        let (mut line, before) = (Vec::new(), self.read_bytes);
        while lines.read_until(b'\n', &mut line).unwrap() > 0 && line.ends_with(b"\n") {
            self.read_bytes += line.len() as u64;
            match serde_json::from_slice::<Document<'_>>(&line) {
                Ok(document) => self.add(&document),
                Err(_) => self.bad_lines += 1,
            }
            line.clear();
        }
        self.read_bytes > before
    }

    fn add(&mut self, document: &Document<'_>) {
        let id = document.agent.ephemeral_id.as_ref();
        if !self.runs.contains_key(id) {
            self.runs.insert(id.to_owned(), Seen::default());
        }
        let is_new = self.runs.get_mut(id).unwrap().add(document.event.sequence);
        if document.event.action == "rename"
            && let Some(path) = document.file.as_ref().and_then(|file| file.path.as_deref())
            && let Some((worker, number)) =
                path.strip_prefix(&self.load).and_then(|rest| rest.split_once('/'))
        {
            let worker: usize = worker.parse().unwrap();
            self.renames[worker].add(number.parse().unwrap());
        }
        if let (true, Some(lost)) = (is_new, document.mote.as_ref().and_then(|m| m.lost.as_ref())) {
            *self.lost.entry(lost.place.to_string()).or_default() += lost.count;
        }
    }

    /// Renames that were told.
    pub fn told(&self) -> u64 {
        self.renames.iter().map(Seen::distinct).sum()
    }

    /// Renames that were told more than once.
    pub fn told_again(&self) -> u64 {
        self.renames.iter().map(Seen::repeated).sum()
    }

    /// Renames that were not told: the worker and the number, of so many of each worker.
    pub fn untold(&self, each: u64) -> Vec<(usize, u64)> {
        let of = |(worker, seen): (usize, &Seen)| -> Vec<_> {
            seen.missing(each as usize).map(|number| (worker, number)).collect()
        };
        self.renames.iter().enumerate().flat_map(of).collect()
    }

    /// Of all runs of the sensor: how many there are.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Numbers of events that are there.
    pub fn numbers(&self) -> u64 {
        self.runs.values().map(Seen::distinct).sum()
    }

    /// Numbers of events that are there more than once.
    pub fn numbers_again(&self) -> u64 {
        self.runs.values().map(Seen::repeated).sum()
    }

    /// Numbers that are missing before the last of their run.
    pub fn numbers_missing(&self) -> u64 {
        let of = |seen: &Seen| seen.missing(seen.0.len().saturating_sub(1)).count() as u64;
        self.runs.values().map(of).sum()
    }

    /// Rows of such numbers.
    pub fn gaps(&self) -> usize {
        self.rows(|count| count == 0)
    }

    /// Rows of numbers that are there more than once.
    pub fn rows_again(&self) -> usize {
        self.rows(|count| count > 1)
    }

    fn rows(&self, of_them: impl Fn(u8) -> bool) -> usize {
        let of = |seen: &Seen| {
            let counts = seen.0.get(1..).unwrap_or_default();
            counts.split(|count| !of_them(*count)).filter(|row| !row.is_empty()).count()
        };
        self.runs.values().map(of).sum()
    }
}
