//! Room that the formats need while they write.

use super::text::Part;
use crate::limits::{FIELD_NAME_BYTES, FORMAT_EXACT_BYTES, FORMAT_PART_BYTES, FORMAT_VALUE_BYTES};

/// Room for the largest event, made once and used for every line. A line does not depend on the one
/// before, nor on whether that could be written.
pub struct Scratch {
    /// The name of a field, behind those of the objects that it is in.
    pub(super) name: String,
    /// A value, before it is escaped.
    pub(super) value: Vec<u8>,
    /// CEF: the fields that had to be changed, as they are.
    pub(super) exact: Vec<u8>,
    /// Text: the parts of a line, in their order.
    pub(super) parts: [Vec<u8>; Part::COUNT],
}

impl Scratch {
    /// All that is taken from the heap.
    pub fn new() -> Scratch {
        Scratch {
            name: String::with_capacity(FIELD_NAME_BYTES),
            value: Vec::with_capacity(FORMAT_VALUE_BYTES),
            exact: Vec::with_capacity(FORMAT_EXACT_BYTES),
            parts: [(); Part::COUNT].map(|()| Vec::with_capacity(FORMAT_PART_BYTES)),
        }
    }

    /// Without what is left of the line before, which may have had no end.
    pub(super) fn cleared(&mut self) -> &mut Scratch {
        self.name.clear();
        self.value.clear();
        self.exact.clear();
        self.parts.iter_mut().for_each(Vec::clear);
        self
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}
