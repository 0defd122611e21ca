//! Lines of any length, of which a bounded part is kept.

use crate::limits::DECODE_LINE_BYTES;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// Reads lines; one that is longer than [`DECODE_LINE_BYTES`] is cut.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

/// What a line reader gives.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without its end.
    pub bytes: &'a [u8],
    /// There was more than is in `bytes`.
    pub cut: bool,
}

impl<R: Read> Lines<R> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Lines<R> {
        Lines {
            reader: BufReader::with_capacity(DECODE_LINE_BYTES, reader),
            line: Vec::with_capacity(DECODE_LINE_BYTES),
        }
    }

    /// The next line. `before_read` is called before every read, since the input may have
    /// no more data for a while.
    pub fn next(&mut self, mut before_read: impl FnMut() -> io::Result<()>) -> Next<'_> {
        self.line.clear();
        let mut cut = false;
        let mut any = false;
        loop {
            if self.reader.buffer().is_empty()
                && let Err(error) = before_read()
            {
                return Next::NotWritten(error);
            }
            let chunk = match self.reader.fill_buf() {
                Ok([]) if any => break,
                Ok([]) => return Next::End,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Next::NotRead(error),
            };
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = DECODE_LINE_BYTES - self.line.len();
            cut |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        Next::Line(Line { bytes: &self.line, cut })
    }
}

/// What came next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A line.
    Line(Line<'a>),
    /// The input ended.
    End,
    /// The input could not be read.
    NotRead(io::Error),
    /// What was to be done before reading failed.
    NotWritten(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(usize, bool)> {
        let mut lines = Lines::new(input);
        let mut seen = Vec::new();
        loop {
            match lines.next(|| Ok(())) {
                Next::Line(line) => seen.push((line.bytes.len(), line.cut)),
                Next::End => return seen,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn lines_end_at_a_newline_or_at_the_end() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [(0, false)]);
        assert_eq!(all(b"ab\n\nc"), [(2, false), (0, false), (1, false)]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let exact = vec![b'a'; DECODE_LINE_BYTES];
        let long = vec![b'b'; 3 * DECODE_LINE_BYTES + 1];
        let input = [&exact[..], b"\n", &long, b"\nxyz\n"].concat();
        assert_eq!(
            all(&input),
            [(DECODE_LINE_BYTES, false), (DECODE_LINE_BYTES, true), (3, false)]
        );
    }

    /// A live view shows a line at once: output is flushed before a read that may wait.
    #[test]
    fn what_is_due_before_a_read_is_called_when_nothing_is_left() {
        struct OneByOne<'a>(&'a [&'a [u8]]);
        impl Read for OneByOne<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
                self.0 = rest;
                out[..first.len()].copy_from_slice(first);
                Ok(first.len())
            }
        }
        let mut lines = Lines::new(OneByOne(&[b"a\nb\n", b"c", b"\n"]));
        let mut flushes = Vec::new();
        loop {
            let mut count = 0;
            let next = lines.next(|| {
                count += 1;
                Ok(())
            });
            flushes.push(count);
            if matches!(next, Next::End) {
                break;
            }
        }
        assert_eq!(flushes, [1, 0, 2, 1]);
    }
}
