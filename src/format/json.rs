//! Documents of JSON.

use serde::Serialize;
use std::io;

/// Writes a document as one line.
pub(super) fn line(out: &mut impl io::Write, document: &impl Serialize) -> io::Result<()> {
    let mut latch = Latch { out, failed: None };
    serde_json::to_writer(&mut latch, document)?;
    match latch.failed {
        Some(error) => Err(error),
        None => out.write_all(b"\n"),
    }
}

/// Takes everything, and nothing behind an error, which it keeps: serde_json would put it on the
/// heap, and a buffer without room is no more than a line that is too long.
struct Latch<'a, W> {
    out: &'a mut W,
    failed: Option<io::Error>,
}

impl<W: io::Write> io::Write for Latch<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed.is_none()
            && let Err(error) = self.out.write_all(bytes)
        {
            self.failed = Some(error);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
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
}
