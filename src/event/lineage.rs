//! What a process has from those that it descends from.

use super::Bytes;
use crate::limits::PATH_BYTES;

/// A process's lineage, the same in all of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// When the parent began, as [`Event::start`](super::Event::start).
    pub parent_start: Option<u64>,
    /// What the parent executed when it forked. Empty: unknown.
    pub parent_executable: Bytes<PATH_BYTES>,
}

impl Lineage {
    /// Nothing is known.
    pub const fn new() -> Lineage {
        Lineage { parent_start: None, parent_executable: Bytes::new() }
    }

    /// Empties every field, in place.
    pub fn clear(&mut self) {
        let Lineage { parent_start, parent_executable } = self;
        *parent_start = None;
        parent_executable.clear();
    }
}

impl Default for Lineage {
    fn default() -> Lineage {
        Lineage::new()
    }
}
