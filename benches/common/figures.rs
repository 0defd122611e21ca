//! Figures that a benchmark keeps, for the table of all of them (`benches/report`).

// Each benchmark uses another part of this.
#![allow(dead_code)]

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

impl Figure {
    /// Of the figures of rounds, at least one.
    pub fn of(rounds: &[f64]) -> Figure {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (sorted[0], sorted[sorted.len() - 1]);
        Figure { median: sorted[sorted.len() / 2], lowest, highest }
    }
}

/// What a benchmark found, by names that end in units.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// What it ran on.
    pub machine: String,
    pub figures: BTreeMap<String, Figure>,
}

impl Figures {
    pub fn new() -> Figures {
        Figures { machine: machine(), figures: BTreeMap::new() }
    }

    pub fn add(&mut self, name: impl Into<String>, rounds: &[f64]) -> Figure {
        let figure = Figure::of(rounds);
        self.figures.insert(name.into(), figure);
        figure
    }

    /// Keeps them in the place of those of the last time.
    pub fn keep(&self, bench: &str) {
        fs::create_dir_all(folder()).unwrap();
        fs::write(file(bench), serde_json::to_string_pretty(self).unwrap()).unwrap();
    }

    /// Those of the last time.
    pub fn of_last_time(bench: &str) -> Option<Figures> {
        let text = fs::read_to_string(file(bench)).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{bench}.json: {error}")))
    }
}

/// Where they are.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}

fn file(bench: &str) -> PathBuf {
    folder().join(format!("{bench}.json"))
}

fn machine() -> String {
    let system = rustix::system::uname();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap();
    let cpus = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let model = model.unwrap_or("an unnamed processor");
    format!("{cpus} CPUs of {model}, Linux {}", system.release().to_string_lossy())
}
