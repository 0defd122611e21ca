//! Events as text, one a line, for receivers that cannot read records.

pub mod ecs;
pub mod text;

mod flags;
mod meaning;
mod names;
mod object;
mod outcome;
mod value;
