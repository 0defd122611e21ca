//! Which exclusion an event falls under.

/// An exclusion, by its number in the filter that is in force. A new configuration numbers
/// anew: whoever keeps one across a reload looks it up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(pub u16);
