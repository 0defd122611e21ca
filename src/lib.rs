//! mote: a minimal eBPF security sensor for Linux.

pub mod config;
pub mod event;
pub mod filter;
pub mod limits;
pub mod path;
pub mod process;
pub mod source;
pub mod syscalls;
