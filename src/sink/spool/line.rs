//! A message in a file of the spool: one line of text, so that `mote decode` reads the file as it is.
//!
//! ```text
//! CRC EVENTS IF_LOST OFFERED LENGTH PAYLOAD
//! ```
//!
//! The first five are hexadecimal, of 8, 8, 16, 16 and 4 digits: the CRC-32 (IEEE 802.3) of what
//! follows it up to the line's end, the events that are in the payload, those that are missing
//! without it, when it was offered (Unix time in nanoseconds, two's complement), and the payload's
//! bytes.

use crate::limits::LINE_BYTES;
use std::io::Write;

/// What stands before the payload.
pub(crate) const HEADER_BYTES: usize = 8 + 1 + 8 + 1 + 16 + 1 + 16 + 1 + 4 + 1;

/// What a line has beside its payload.
pub(in crate::sink) const LINE_MORE_BYTES: usize = HEADER_BYTES + 1;

/// The longest line.
pub(crate) const SPOOL_LINE_BYTES: usize = LINE_BYTES + LINE_MORE_BYTES;

const CRC_BYTES: usize = 8;

/// What a line says of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) events: u32,
    pub(crate) if_lost: u64,
    pub(crate) offered_ns: i64,
    pub(crate) payload_bytes: usize,
}

/// There is no whole line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The bytes end within it.
    Short,
    /// It was not written like this.
    Damaged,
}

impl Line {
    /// All of its bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.payload_bytes + LINE_MORE_BYTES
    }

    /// Writes it with its payload in place of what is in `out`, which has room for the longest one.
    /// `None`: the payload is longer than that.
    pub(crate) fn write(&self, out: &mut Vec<u8>, payload: &[u8]) -> Option<()> {
        if payload.len() > LINE_BYTES {
            return None;
        }
        out.clear();
        let Line { events, if_lost, offered_ns, payload_bytes } = self;
        write!(out, "{:08x} {events:08x} {if_lost:016x} {offered_ns:016x} {payload_bytes:04x} ", 0)
            .ok()?;
        out.extend_from_slice(payload);
        let crc = crc32fast::hash(&out[CRC_BYTES..]);
        write!(&mut out[..CRC_BYTES], "{crc:08x}").ok()?;
        out.push(b'\n');
        Some(())
    }

    /// The line that `bytes` begin with.
    pub(crate) fn read(bytes: &[u8]) -> Result<Line, Bad> {
        let header = bytes.get(..HEADER_BYTES).ok_or(Bad::Short)?;
        let line = Line {
            events: field(header, 9, 8)? as u32,
            if_lost: field(header, 18, 16)?,
            offered_ns: field(header, 35, 16)? as i64,
            payload_bytes: field(header, 52, 4)? as usize,
        };
        if line.payload_bytes > LINE_BYTES {
            return Err(Bad::Damaged);
        }
        let whole = bytes.get(..line.bytes()).ok_or(Bad::Short)?;
        let Some((b'\n', checked)) = whole.split_last() else { return Err(Bad::Damaged) };
        let crc = u64::from(crc32fast::hash(&checked[CRC_BYTES..]));
        if field(header, 0, CRC_BYTES)? != crc { Err(Bad::Damaged) } else { Ok(line) }
    }
}

/// A number in hexadecimal, with a space behind it.
pub(super) fn field(header: &[u8], at: usize, digits: usize) -> Result<u64, Bad> {
    let text = &header[at..at + digits];
    let hex = text.iter().all(u8::is_ascii_hexdigit) && header[at + digits] == b' ';
    let text = core::str::from_utf8(text).ok().filter(|_| hex).ok_or(Bad::Damaged)?;
    u64::from_str_radix(text, 16).map_err(|_| Bad::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(payload: &[u8]) -> (Line, Vec<u8>) {
        let line =
            Line { events: 7, if_lost: u64::MAX, offered_ns: -1, payload_bytes: payload.len() };
        let mut bytes = Vec::with_capacity(SPOOL_LINE_BYTES);
        line.write(&mut bytes, payload).unwrap();
        (line, bytes)
    }

    #[test]
    fn a_line_is_text_and_read_back() {
        let (line, bytes) = line(b"m1:AbC");
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "c3020439 00000007 ffffffffffffffff ffffffffffffffff 0006 m1:AbC\n"
        );
        assert_eq!(Line::read(&bytes), Ok(line));
        assert_eq!(line.bytes(), bytes.len());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (_, bytes) = line(b"m1:AbC");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                // A letter of another case is the same number.
                let same_number = at < CRC_BYTES && changed[at].eq_ignore_ascii_case(&bytes[at]);
                assert_eq!(Line::read(&changed).is_ok(), same_number, "bit {bit} of byte {at}");
            }
        }
        for length in 0..bytes.len() {
            assert_eq!(Line::read(&bytes[..length]), Err(Bad::Short), "{length}");
        }
    }

    #[test]
    fn the_longest_payload_fits() {
        let (line, bytes) = line(&[b'x'; LINE_BYTES]);
        assert_eq!((bytes.len(), bytes.capacity()), (SPOOL_LINE_BYTES, SPOOL_LINE_BYTES));
        assert_eq!(Line::read(&bytes), Ok(line));
        assert_eq!(line.write(&mut Vec::new(), &[b'x'; LINE_BYTES + 1]), None);
    }
}
