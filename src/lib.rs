//! mote: a minimal eBPF security sensor for Linux.

pub mod event;
pub mod limits;
pub mod record;
pub mod syscalls;
