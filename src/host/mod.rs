//! This machine: what it can do, and what follows from it. Facts apart from decisions.

pub mod distribution;
pub mod provider;
pub mod release;
pub mod support;

/// The host's root directory, as process 1 has it, since the sensor may have another one, as in
/// a container; and the sensor's own, where process 1's cannot be looked at.
pub const ROOTS: [&str; 2] = ["/proc/1/root", "/"];
