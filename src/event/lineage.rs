//! What a process has from those that it descends from.

use super::{Bytes, Runtime};
use crate::limits::{CONTAINER_BYTES, PATH_BYTES};

/// A process's lineage, the same in all of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// When the parent began, as [`Event::start`](super::Event::start).
    pub parent_start: Option<u64>,
    /// What the parent executed when it forked. Empty: unknown.
    pub parent_executable: Bytes<PATH_BYTES>,
    /// The container that it is in: its id, or its name ([`Runtime::has_names`]). Empty: none that
    /// is known.
    pub container: Bytes<CONTAINER_BYTES>,
    /// What runs the container. `None`: not known.
    pub runtime: Option<Runtime>,
}

impl Lineage {
    /// Nothing is known.
    pub const fn new() -> Lineage {
        Lineage {
            parent_start: None,
            parent_executable: Bytes::new(),
            container: Bytes::new(),
            runtime: None,
        }
    }

    /// Empties every field, in place.
    pub fn clear(&mut self) {
        let Lineage { parent_start, parent_executable, container, runtime } = self;
        (*parent_start, *runtime) = (None, None);
        parent_executable.clear();
        container.clear();
    }
}

impl Default for Lineage {
    fn default() -> Lineage {
        Lineage::new()
    }
}
