//! Events that are larger than what they have to fit into.

use super::{Bytes, Event, Truncated};

/// As many bytes has a character of UTF-8 at most.
const CHARACTER_BYTES: usize = 4;

impl Event {
    /// Takes away what makes it larger than a batch, and says so: names are long only where
    /// somebody wants them to be, and what was done is worth more than who did it.
    pub fn shed(&mut self) {
        for (bytes, mark) in [
            (&mut self.executable, Truncated::EXECUTABLE),
            (&mut self.lineage.parent_executable, Truncated::PARENT_EXECUTABLE),
            (&mut self.working_directory, Truncated::WORKING_DIRECTORY),
        ] {
            if !bytes.is_empty() {
                bytes.clear();
                self.truncated.insert(mark);
            }
        }
    }

    /// Cuts each path, name and list of arguments that has more bytes, and says so. No character is
    /// cut in two: it would be no UTF-8 any more. What is shorter by its nature (`comm`, the
    /// container, what a mount is given) stays.
    pub fn shorten(&mut self, most_bytes: usize) {
        let path = match self.action.is_on_socket() {
            true => Truncated::ADDRESS,
            false => Truncated::PATH,
        };
        for (bytes, mark) in [
            (&mut self.path, path),
            (&mut self.from, Truncated::FROM),
            (&mut self.executable, Truncated::EXECUTABLE),
            (&mut self.working_directory, Truncated::WORKING_DIRECTORY),
            (&mut self.lineage.parent_executable, Truncated::PARENT_EXECUTABLE),
        ] {
            if cut(bytes, most_bytes) {
                self.truncated.insert(mark);
            }
        }
        // An argument without a NUL behind it is one that was cut.
        if cut(&mut self.args, most_bytes) {
            self.truncated.insert(Truncated::ARGS);
        }
    }
}

/// Returns whether there was something to cut.
fn cut<const N: usize>(bytes: &mut Bytes<N>, most_bytes: usize) -> bool {
    if bytes.len() <= most_bytes {
        return false;
    }
    bytes.truncate(end_of_character(bytes, most_bytes));
    true
}

/// Where to cut: at so many bytes, or before the character that would be cut in two.
fn end_of_character(bytes: &[u8], most_bytes: usize) -> usize {
    let is_continued = |at: &usize| bytes[*at] & 0b1100_0000 == 0b1000_0000;
    let nearest = most_bytes.saturating_sub(CHARACTER_BYTES - 1)..=most_bytes;
    let Some(begin) = nearest.rev().find(|at| !is_continued(at)) else { return most_bytes };
    let end = bytes.len().min(begin + CHARACTER_BYTES);
    let is_character = bytes[begin..end].utf8_chunks().next().is_some_and(|chunk| {
        chunk.valid().chars().next().is_some_and(|first| begin + first.len_utf8() > most_bytes)
    });
    if is_character { begin } else { most_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    fn shortened(path: &[u8], most_bytes: usize) -> Event {
        let mut event = Event::new();
        event.action = Action::Open;
        event.path = Bytes::from_slice(path).unwrap();
        event.shorten(most_bytes);
        event
    }

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        let mut event = Event::new();
        let long = b"/0123456789";
        event.action = Action::Exec;
        for bytes in [
            &mut event.path,
            &mut event.from,
            &mut event.executable,
            &mut event.working_directory,
            &mut event.lineage.parent_executable,
        ] {
            bytes.extend_from_slice(long).unwrap();
        }
        event.args.extend_from_slice(b"ls\0-l\0/srv\0").unwrap();
        let whole = event.clone();
        event.shorten(long.len());
        assert_eq!(event, whole, "all of it fits");
        event.shorten(4);
        for bytes in [
            &event.path,
            &event.from,
            &event.executable,
            &event.working_directory,
            &event.lineage.parent_executable,
        ] {
            assert_eq!(*bytes, *b"/012");
        }
        assert_eq!(event.args, *b"ls\0-");
        let marks = Truncated::PATH
            .union(Truncated::FROM)
            .union(Truncated::EXECUTABLE)
            .union(Truncated::WORKING_DIRECTORY)
            .union(Truncated::PARENT_EXECUTABLE)
            .union(Truncated::ARGS);
        assert_eq!(event.truncated, marks);
    }

    #[test]
    fn only_what_was_cut_is_marked() {
        let mut event = shortened(b"/a/b/c", 4);
        assert_eq!((&event.path[..], event.truncated), (&b"/a/b"[..], Truncated::PATH));
        event.truncated = Truncated(0);
        event.shorten(4);
        assert_eq!(event.truncated, Truncated(0));
        event.shorten(0);
        assert_eq!((&event.path[..], event.truncated), (&b""[..], Truncated::PATH));
        // The name of a unix socket.
        event.action = Action::Connect;
        event.path = Bytes::from_slice(b"\0bus").unwrap();
        event.truncated = Truncated(0);
        event.shorten(2);
        assert_eq!((&event.path[..], event.truncated), (&b"\0b"[..], Truncated::ADDRESS));
    }

    #[test]
    fn arguments_end_with_a_nul_or_inside_one() {
        for (most_bytes, args) in
            [(6, &b"ls\0-l\0"[..]), (5, b"ls\0-l"), (3, b"ls\0"), (2, b"ls"), (0, b"")]
        {
            let mut event = Event::new();
            event.args = Bytes::from_slice(b"ls\0-l\0").unwrap();
            event.shorten(most_bytes);
            assert_eq!(event.args, *args);
            assert_eq!(event.truncated.contains(Truncated::ARGS), most_bytes < 6);
        }
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for (path, most_bytes, cut) in [
            ("/grün".as_bytes(), 3, &b"/gr"[..]),
            ("/grün".as_bytes(), 4, b"/gr"),
            ("/grün".as_bytes(), 5, "/grü".as_bytes()),
            ("/\u{1f600}".as_bytes(), 4, b"/"),
            ("\u{1f600}".as_bytes(), 3, b""),
            ("\u{1f600}x".as_bytes(), 4, "\u{1f600}".as_bytes()),
            // What is no character is cut as it comes.
            (b"/\xff\xff\xff", 3, b"/\xff\xff"),
            (b"\x80\x80\x80\x80\x80\x80", 5, b"\x80\x80\x80\x80\x80"),
            (b"/\xc3\xc3\xc3", 2, b"/\xc3"),
            (b"/\xf0\x9f\x98/", 3, b"/\xf0\x9f"),
        ] {
            assert_eq!(&shortened(path, most_bytes).path[..], cut, "{path:?} at {most_bytes}");
        }
    }
}
