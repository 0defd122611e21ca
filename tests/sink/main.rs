//! The sink against real receivers: sockets in this process, and rsyslogd.

mod inet;
mod losses;
mod output;
mod overrun;
mod rig;
mod rsyslog;
mod unix;
