//! mote: a minimal eBPF security sensor for Linux.
//!
//! # Principles
//!
//! 1. **One thread, one loop, one direction.** ring → decode → process → filter → record →
//!    sink. A stage knows the vocabulary ([`event`], [`limits`]) and nothing of its
//!    neighbours; only [`sensor`] names them all.
//! 2. **Fixed capacities.** Every buffer, table and queue has its size in [`limits`]. After
//!    the start no event touches the heap; the formatter of syslog headers may, once a
//!    message.
//! 3. **Nothing is lost silently.** Every event that the kernel part saw is sent, excluded by
//!    a rule, or counted in a loss record that says where and how many.
//! 4. **A flood cannot blind the sensor.** Process events have rings and batches of their
//!    own: file and network events cannot push them out.
//! 5. **The host pays as little as possible.** Filter in the kernel, wake user space rarely,
//!    send few large messages.
//! 6. **One binary for every kernel.** No BTF, headers or compiler on the target.
//!
//! The modules below stand in the order in which an event passes them.

// They panic if the stream fails: see `say`. Tests and benches may.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod event;
pub mod limits;
pub mod syscalls;

pub mod source;

pub mod host;

pub mod path;
pub mod process;

pub mod filter;

pub mod record;

pub mod sink;

pub mod sensor;
pub mod stats;

pub mod control;
pub mod health;

pub mod format;

pub mod claim;
pub mod command;
pub mod config;
pub mod confine;
pub mod directory;
pub mod exit;
pub mod explain;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
pub mod lines;
pub mod memory;
pub mod say;
