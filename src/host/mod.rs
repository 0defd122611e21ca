//! This machine: what it can do, and what follows from it. Facts apart from decisions.

pub mod provider;
