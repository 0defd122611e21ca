//! Where events come from.

pub mod ebpf;
