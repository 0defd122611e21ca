//! mote: a minimal eBPF security sensor for Linux.

pub mod command;
pub mod config;
pub mod event;
pub mod exit;
pub mod filter;
pub mod limits;
pub mod path;
pub mod process;
pub mod record;
pub mod sensor;
pub mod sink;
pub mod source;
pub mod stats;
pub mod syscalls;
