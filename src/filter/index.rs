//! Rules of one kind, by path.

use std::collections::HashMap;

use crate::event::RuleId;
use crate::limits::EXCLUSIONS;

/// Bits for each rule there can be, so that one path in eight that has no rule is looked up
/// at most. A power of two of bits.
const MARKS_PER_RULE: usize = 8;
const MARKS_LOG2: u32 = (EXCLUSIONS * MARKS_PER_RULE).ilog2();
const WORD_BITS: usize = u64::BITS as usize;

/// Finds a rule by its whole path.
///
/// To hash a path and every folder above it takes an eighth of the time that an event takes in
/// all. A mark of its length and its end tells of nearly all of them that no rule is there.
#[derive(Clone, Debug)]
pub(super) struct Index {
    rules: HashMap<Box<[u8]>, RuleId>,
    marks: [u64; (1 << MARKS_LOG2) / WORD_BITS],
    /// Bytes of the shortest rule.
    shortest: usize,
    /// Bytes of the longest one; 0: there is none.
    longest: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        Index { rules: HashMap::new(), marks: [0; _], shortest: usize::MAX, longest: 0 }
    }

    pub(super) fn insert(&mut self, path: &[u8], rule: RuleId) {
        let mark = mark(path);
        self.marks[mark / WORD_BITS] |= 1 << (mark % WORD_BITS);
        self.shortest = self.shortest.min(path.len());
        self.longest = self.longest.max(path.len());
        self.rules.insert(path.into(), rule);
    }

    pub(super) fn get(&self, path: &[u8]) -> Option<RuleId> {
        if path.len() < self.shortest || path.len() > self.longest {
            return None;
        }
        let mark = mark(path);
        if self.marks[mark / WORD_BITS] >> (mark % WORD_BITS) & 1 == 0 {
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
        // A folder of n bytes above it is followed by a slash at n.
        let end = path.len().min(self.longest + 1);
        (self.shortest.max(1)..end)
            .filter(|at| path[*at] == b'/')
            .find_map(|at| self.get(&path[..at]))
            .or_else(|| self.get(path))
    }
}

/// Which mark a path has: of its length and its last bytes, in which siblings differ.
fn mark(path: &[u8]) -> usize {
    let end = match path.last_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => path.iter().fold(0, |end, byte| end << 8 | u64::from(*byte)),
    };
    // Fibonacci hashing (Knuth, TAOCP 3, 6.4): the upper bits of a product with 2^64 / phi.
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = end.wrapping_add(path.len() as u64).wrapping_mul(MULTIPLIER);
    (mixed >> (u64::BITS - MARKS_LOG2)) as usize
}
