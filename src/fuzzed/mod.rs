//! What has to hold of any bytes from outside, for every reader of them: what the targets of `fuzz/`
//! run, and `cargo test` on damaged seeds. It is in no other build.
//!
//! Each `check` panics if it does not hold, and tells whether the bytes were accepted, so that a test
//! knows that it saw both.

pub mod audit;
pub mod configuration;
pub mod control;
pub mod format_file;
pub mod host;
pub mod line;
pub mod netlink;
pub mod recent;
pub mod record;
pub mod ring;
pub mod ring_record;
pub mod spool;
pub mod spool_log;

#[cfg(test)]
#[path = "../../tests/common/damage.rs"]
mod damage;
mod rewrite;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

/// The first byte, which chooses among several readers, and the rest.
fn choice(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(first, rest)| (*first, rest))
}
