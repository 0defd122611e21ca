//! This machine: what it can do, and what follows from it. Facts apart from decisions.

pub mod distribution;
pub mod provider;
pub mod release;
pub mod support;
