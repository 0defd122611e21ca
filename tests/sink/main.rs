//! The sink against real receivers: sockets in this process, and rsyslogd.

#[path = "../common/mod.rs"]
mod common;

mod disk;
mod events;
mod inet;
mod losses;
mod output;
mod overrun;
mod repeats;
mod rig;
mod rsyslog;
mod spool;
mod unix;
