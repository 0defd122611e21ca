//! Where events come from.

pub mod ebpf;
pub mod namespace;
pub mod netlink;
