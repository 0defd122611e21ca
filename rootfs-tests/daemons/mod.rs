//! Real syslog daemons with the configurations of docs/siem.

// Every test program uses another part of this.
#![allow(dead_code)]

pub mod daemon;
pub mod documents;
