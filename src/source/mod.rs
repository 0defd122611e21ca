//! Where events come from.

pub mod ebpf;
mod namespace;
pub mod netlink;
