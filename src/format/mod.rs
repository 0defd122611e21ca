//! Events as text, one a line, for receivers that cannot read records.

pub mod cef;
pub mod ecs;
pub mod ocsf;
pub mod sysmon;
pub mod text;

mod flags;
mod meaning;
mod names;
mod object;
mod outcome;
mod severity;
pub(crate) mod value;

/// What formats with a vendor and a product call both.
const PRODUCT: &str = "mote";
