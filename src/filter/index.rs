//! Rules of one kind, by path.

use std::collections::HashMap;

use crate::event::RuleId;
use crate::limits::PATH_BYTES;

const WORD_BITS: usize = u64::BITS as usize;

/// Finds a rule by its whole path. A look costs no hash if no rule is of that length.
#[derive(Clone, Debug)]
pub(super) struct Index {
    rules: HashMap<Box<[u8]>, RuleId>,
    /// A bit for every length that a rule has.
    lengths: [u64; PATH_BYTES / WORD_BITS + 1],
    /// The longest one.
    longest: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        Index { rules: HashMap::new(), lengths: [0; _], longest: 0 }
    }

    pub(super) fn insert(&mut self, path: &[u8], rule: RuleId) {
        self.lengths[path.len() / WORD_BITS] |= 1 << (path.len() % WORD_BITS);
        self.longest = self.longest.max(path.len());
        self.rules.insert(path.into(), rule);
    }

    pub(super) fn get(&self, path: &[u8]) -> Option<RuleId> {
        if !self.has_length(path.len()) {
            return None;
        }
        self.rules.get(path).copied()
    }

    /// The shortest rule that is the path itself or a folder above it.
    pub(super) fn outermost(&self, path: &[u8]) -> Option<RuleId> {
        if self.longest == 0 {
            return None;
        }
        let root = self.get(b"/");
        if root.is_some() {
            return root;
        }
        let end = path.len().min(self.longest + 1);
        (1..end)
            .filter(|at| path[*at] == b'/')
            .find_map(|at| self.get(&path[..at]))
            .or_else(|| self.get(path))
    }

    fn has_length(&self, bytes: usize) -> bool {
        self.lengths.get(bytes / WORD_BITS).is_some_and(|word| word >> (bytes % WORD_BITS) & 1 == 1)
    }
}
