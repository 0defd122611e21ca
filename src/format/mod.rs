//! Events as text, one a line, for receivers that cannot read records.

pub mod ecs;
