//! What stands around the events of a batch: the line, and the header.

use super::error::{DecodeError, Reason};
use super::reader::Reader;
use super::wire::Header;
use super::{Origin, PREFIX, Provider, VERSION};
use crate::limits::{DECODE_LINE_BYTES, HOSTNAME_BYTES};
use crate::syscalls::Arch;
use base64ct::{Base64UrlUnpadded, Encoding};

/// The bytes of one batch, reused from line to line.
pub struct Scratch(Box<[u8]>);

impl Scratch {
    /// Room for the batch of the longest line that is read.
    pub fn new() -> Scratch {
        Scratch(vec![0; DECODE_LINE_BYTES / 4 * 3].into())
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
    let mut reader = Reader::new(unpack(&payload[..whole], scratch).ok()?);
    header(&mut reader).ok().map(|header| origin(&header))
}

/// The bytes of a payload.
pub(super) fn unpack<'s>(
    payload: &[u8],
    scratch: &'s mut Scratch,
) -> Result<&'s [u8], DecodeError> {
    let fault = |reason, at| DecodeError { reason, what: "the record", at };
    let text = payload.strip_prefix(PREFIX).ok_or(fault(Reason::Prefix, 0))?;
    let strange = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_');
    if let Some(at) = text.iter().position(strange) {
        return Err(fault(Reason::Base64, at));
    }
    let room = scratch.0.len();
    if text.len() / 4 * 3 + 3 > room {
        return Err(fault(Reason::TooLong, room));
    }
    // Its characters are good, so what is wrong is the last group.
    Base64UrlUnpadded::decode(text, &mut scratch.0).map_err(|_| fault(Reason::Base64, text.len()))
}

pub(super) fn header<'s>(reader: &mut Reader<'s>) -> Result<Header<'s>, DecodeError> {
    match reader.first() {
        None | Some(VERSION) => {}
        Some(version) => return Err(reader.error(Reason::Version(version), "the batch")),
    }
    let header: Header = reader.take("the batch header")?;
    match header.hostname.0.len() > HOSTNAME_BYTES {
        true => Err(reader.error(Reason::TooLong, "the host name")),
        false => Ok(header),
    }
}

pub(super) fn origin<'s>(header: &Header<'s>) -> Origin<'s> {
    Origin {
        boot_id: header.boot_id,
        start_ns: header.start_ns,
        hostname: header.hostname.0,
        arch: Arch::from_number(header.arch),
        provider: Provider::from_number(header.provider),
        boot_time_ns: None,
    }
}
