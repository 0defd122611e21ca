//! The record format: what one syslog line carries. `docs/record-format.md` specifies it.
//!
//! A line is `m1:` and the unpadded base64url of a batch of events. A batch stands
//! alone, because the line before it may have been lost: it names its host, its sensor
//! and its clock, and brings its own dictionaries. Everything a later sensor may add
//! to (actors, events, the batch) is delimited by a length, so that an older decoder
//! steps over what it does not know, and counts it.
//!
//! Batches are written in version 2. Those of version 1, of older sensors, are read.

mod actor;
mod body;
mod decode;
mod dictionary;
mod encode;
mod envelope;
mod error;
mod fields;
mod memory;
mod names;
mod own;
mod reader;
mod recent_actors;
mod wire;

pub use decode::Batch;
pub use encode::{Encoder, PushError};
pub use envelope::{Scratch, origin_of_refused};
pub use error::{DecodeError, Reason};

use crate::event::Bytes;
use crate::event::numbered::numbered;
use crate::limits::HOSTNAME_BYTES;
use crate::syscalls::Arch;

/// What a line's payload begins with. The digit names this envelope; the first byte of
/// the batch is the version of what is inside.
pub const PREFIX: &[u8] = b"m1:";

/// The version of the batches that are written, their first byte.
pub const VERSION: u8 = 2;

/// The version of older sensors, which is read too.
const VERSION_1: u8 = 1;

/// The second byte of a batch is its class, in version 2 so much more than its number: a batch whose
/// first byte is damaged is not taken for one of version 1, which has no checksum.
const CLASS_OFFSET: u8 = 2;

/// What stands in front of the checksum of version 2.
const CHECKSUM_AT: usize = 2;

numbered! {
    /// Where the events come from. The numbers are part of the record format.
    Provider {
        /// eBPF programs.
        Ebpf = 1, "ebpf";
        /// The kernel's process connector.
        Netlink = 2, "netlink";
    }
}

/// What every batch of one run of the sensor says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// `/proc/sys/kernel/random/boot_id`, its 16 bytes in the order of the text.
    pub boot_id: [u8; 16],
    /// `CLOCK_MONOTONIC` at the sensor's start, in nanoseconds: tells two runs of one
    /// boot apart, each of which numbers its events from 1.
    pub start_ns: u64,
    /// The name of the host, as uname(2) gives it.
    pub hostname: Bytes<HOSTNAME_BYTES>,
    /// Whose system call numbers the events have.
    pub arch: Arch,
    /// Where the events come from.
    pub provider: Provider,
}

/// The same, as read from a record: an architecture or a provider that this version
/// does not know is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// See [`Context::boot_id`].
    pub boot_id: [u8; 16],
    /// See [`Context::start_ns`].
    pub start_ns: u64,
    /// See [`Context::hostname`].
    pub hostname: &'a [u8],
    /// See [`Context::arch`].
    pub arch: Option<Arch>,
    /// See [`Context::provider`].
    pub provider: Option<Provider>,
    /// Unix time at which the host booted, in nanoseconds, by its clock when the batch was
    /// written. `None`: an old sensor.
    pub boot_time_ns: Option<i64>,
}

/// One run of a sensor, among all of all hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId {
    /// See [`Context::boot_id`].
    pub boot_id: [u8; 16],
    /// See [`Context::start_ns`].
    pub start_ns: u64,
}

impl Origin<'_> {
    /// The run that it tells of.
    pub fn run(&self) -> RunId {
        RunId { boot_id: self.boot_id, start_ns: self.start_ns }
    }
}

impl Context {
    /// This context as a record would give it.
    pub fn origin(&self) -> Origin<'_> {
        Origin {
            boot_id: self.boot_id,
            start_ns: self.start_ns,
            hostname: &self.hostname,
            arch: Some(self.arch),
            provider: Some(self.provider),
            boot_time_ns: None,
        }
    }
}

/// The payload of the record in a line of text, from `m1:` to its last base64url
/// character; what follows is not part of it. `None`: the line has no record.
///
/// `m1:` counts only where a word begins, so that it is found behind any header and in
/// quotes, but not inside another word, and only with something after it.
pub fn find(line: &[u8]) -> Option<&[u8]> {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut from = 0;
    while let Some(found) = line[from..].windows(PREFIX.len()).position(|w| w == PREFIX) {
        let start = from + found;
        let body = start + PREFIX.len();
        let begins = start == 0 || !in_word(&line[start - 1]);
        let length = line[body..].iter().take_while(|byte| in_word(byte)).count();
        if begins && length > 0 {
            return Some(&line[start..body + length]);
        }
        from = body;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_behind_any_header() {
        for line in [
            "m1:AbC-_9",
            " m1:AbC-_9",
            "<86>Nov 24 00:00:00 mote[12]: m1:AbC-_9",
            "<86>1 2026-11-24T00:00:00Z host mote 12 - - m1:AbC-_9 trailer",
            "{\"MESSAGE\":\"m1:AbC-_9\"}",
            "Nov 24 00:00:00 h m1: m1:AbC-_9",
            "am1:xx m1:AbC-_9",
        ] {
            assert_eq!(find(line.as_bytes()), Some(&b"m1:AbC-_9"[..]), "{line}");
        }
        for line in ["", "m1:", "m1", "m1: text", "am1:AA", "-m1:AA", "m2:AA"] {
            assert_eq!(find(line.as_bytes()), None, "{line}");
        }
    }

    /// The numbers are on the wire: changing one breaks every decoder in the field.
    #[test]
    fn provider_and_arch_numbers_are_pinned() {
        assert_eq!(Provider::ALL.map(|provider| provider as u8), [1, 2]);
        assert_eq!(Arch::ALL.map(|arch| arch as u8), [62, 183]);
        assert_eq!(Provider::from_number(0), None);
    }
}
