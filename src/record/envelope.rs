//! What stands around the events of a batch: the line, and the header.

use super::error::{DecodeError, Reason};
use super::memory::Memory;
use super::reader::Reader;
use super::wire::{Begin, BootTime, Checksum, Header};
use super::{CHECKSUM_AT, CLASS_OFFSET, Origin, PREFIX, Provider, VERSION, VERSION_1};
use crate::event::Class;
use crate::limits::{DECODE_LINE_BYTES, HOSTNAME_BYTES};
use crate::syscalls::Arch;
use base64ct::{Base64UrlUnpadded, Encoding};

/// The bytes of one batch, and what its events are compared with; reused from line to line.
pub struct Scratch {
    bytes: Box<[u8]>,
    memory: Box<Memory>,
}

impl Scratch {
    /// Room for the batch of the longest line that is read.
    pub fn new() -> Scratch {
        Scratch {
            bytes: vec![0; DECODE_LINE_BYTES / 4 * 3].into(),
            memory: Box::new(Memory::new()),
        }
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

/// Who wrote a record that [`Batch::parse`](super::Batch::parse) refused, as far as that can be read in it: of one that
/// was cut, say.
pub fn origin_of_refused<'s>(payload: &[u8], scratch: &'s mut Scratch) -> Option<Origin<'s>> {
    // Four characters are three bytes. What is cut inside of four has some bytes too, which no
    // header needs: there is more behind it.
    let text = payload.get(PREFIX.len()..)?;
    let whole = PREFIX.len() + text.len() / 4 * 4;
    let (bytes, _) = unpack(&payload[..whole], scratch).ok()?;
    Front::take(&mut Reader::new(bytes)).ok().map(|front| front.origin())
}

/// The bytes of a payload, and what belongs to them.
pub(super) fn unpack<'s>(
    payload: &[u8],
    scratch: &'s mut Scratch,
) -> Result<(&'s [u8], &'s mut Memory), DecodeError> {
    let fault = |reason, at| DecodeError { reason, what: "the record", at };
    let text = payload.strip_prefix(PREFIX).ok_or(fault(Reason::Prefix, 0))?;
    let strange = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_');
    if let Some(at) = text.iter().position(strange) {
        return Err(fault(Reason::Base64, at));
    }
    let room = scratch.bytes.len();
    if text.len() / 4 * 3 + 3 > room {
        return Err(fault(Reason::TooLong, room));
    }
    // Its characters are good, so what is wrong is the last group.
    let bytes = Base64UrlUnpadded::decode(text, &mut scratch.bytes)
        .map_err(|_| fault(Reason::Base64, text.len()))?;
    Ok((bytes, &mut scratch.memory))
}

/// Whether a batch of version 2 is what was written.
pub(super) fn check(batch: &[u8]) -> Result<(), DecodeError> {
    let fault = |reason, at| DecodeError { reason, what: "the batch", at };
    let (begin, rest) =
        batch.split_at_checked(CHECKSUM_AT).ok_or(fault(Reason::End, batch.len()))?;
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(fault(Reason::End, batch.len()))?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(begin);
    hasher.update(rest);
    match hasher.finalize() == u32::from_le_bytes(*checksum) {
        true => Ok(()),
        false => Err(fault(Reason::Checksum, CHECKSUM_AT)),
    }
}

/// All that stands in front of the dictionaries.
pub(super) struct Front<'s> {
    pub version: u8,
    pub class: Option<Class>,
    pub header: Header<'s>,
    boot_time_ns: Option<BootTime>,
}

impl<'s> Front<'s> {
    pub fn take(reader: &mut Reader<'s>) -> Result<Front<'s>, DecodeError> {
        const WHAT: &str = "the batch header";
        match reader.first() {
            None | Some(VERSION | VERSION_1) => {}
            Some(version) => return Err(reader.error(Reason::Version(version), "the batch")),
        }
        let (version, class): Begin = reader.take(WHAT)?;
        let class = match version {
            VERSION_1 => Some(class),
            _ => {
                reader.take::<Checksum>(WHAT)?;
                class.checked_sub(CLASS_OFFSET)
            }
        };
        let header: Header = reader.take(WHAT)?;
        if header.hostname.0.len() > HOSTNAME_BYTES {
            return Err(reader.error(Reason::TooLong, "the host name"));
        }
        let boot_time_ns = match version {
            VERSION_1 => None,
            _ => reader.take(WHAT)?,
        };
        Ok(Front { version, class: class.and_then(Class::from_number), header, boot_time_ns })
    }

    pub fn origin(&self) -> Origin<'s> {
        Origin {
            boot_id: self.header.boot_id,
            start_ns: self.header.start_ns,
            hostname: self.header.hostname.0,
            arch: Arch::from_number(self.header.arch),
            provider: Provider::from_number(self.header.provider),
            boot_time_ns: self.boot_time_ns,
        }
    }
}
