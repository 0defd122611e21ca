//! Documents of JSON.

use crate::event::{Bytes, append, extend};
use serde::Serialize;
use std::io::{self, Write};

/// Writes a document as one line.
pub(super) fn line(out: &mut dyn io::Write, document: &impl Serialize) -> io::Result<()> {
    let mut latch = Latch { out, pieces: Bytes::new(), failed: None };
    serde_json::to_writer(&mut latch, document)?;
    latch.write_all(b"\n")?;
    latch.pass_on();
    latch.failed.map_or(Ok(()), Err)
}

/// Takes everything, and nothing behind an error, which it keeps: serde_json would put it on the
/// heap, and a buffer without room is no more than a line that is too long.
struct Latch<'a> {
    out: &'a mut dyn io::Write,
    /// What is not written yet: serde_json writes a few bytes at a time.
    pieces: Bytes<PIECES_BYTES>,
    failed: Option<io::Error>,
}

const PIECES_BYTES: usize = 1024;

impl Latch<'_> {
    fn pass_on(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(&self.pieces).err();
        }
        self.pieces.clear();
    }
}

impl io::Write for Latch<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while extend(&mut self.pieces, bytes).is_none() {
            let (piece, rest) = bytes.split_at(PIECES_BYTES - self.pieces.len());
            append(&mut self.pieces, piece);
            self.pass_on();
            bytes = rest;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on();
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_line_that_does_not_fit_is_an_error() {
        let document = ["a", "\n"];
        let mut buffer = [0; 11];
        for most in 0..=buffer.len() {
            let mut out = &mut buffer[..most];
            let kind = line(&mut out, &document).map_err(|error| error.kind());
            let fits = most == "[\"a\",\"\\n\"]\n".len();
            assert_eq!(kind, if fits { Ok(()) } else { Err(ErrorKind::WriteZero) }, "{most}");
        }
        assert_eq!(&buffer, b"[\"a\",\"\\n\"]\n");
    }

    /// Whatever ends where the pieces are passed on.
    #[test]
    fn a_long_line_is_passed_on_in_pieces() {
        for first in [0, 1_019, 1_020, 1_021, 1_022, 1_023, 3_000] {
            let document = ["x".repeat(first), "y".repeat(2_500), "z".into()];
            let expected = serde_json::to_string(&document).unwrap() + "\n";
            let mut whole = Vec::new();
            line(&mut whole, &document).unwrap();
            assert!(whole == expected.as_bytes(), "{first}");
            for most in [0, 1_023, 1_024, 1_025, 2_048, expected.len() - 1] {
                let mut buffer = vec![0; most];
                let kind = line(&mut &mut buffer[..], &document).map_err(|error| error.kind());
                assert_eq!(kind, Err(ErrorKind::WriteZero), "{first}, {most}");
                assert!(buffer == expected.as_bytes()[..most], "{first}, {most}");
            }
        }
    }
}
