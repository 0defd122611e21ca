//! A file that grows and is rotated, read as if it were one that does not end.
//!
//! It is looked at five times a second. inotify(7) would wake for local writes only: a file
//! server does not tell of what another host wrote. Looking costs five system calls on an idle
//! file, and a record waits in the sensor for longer than it waits here.

use super::ending::Ending;
use crate::say::say;
use rustix::fd::BorrowedFd;
use std::fs::{File, OpenOptions, metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Bytes by which it is known again how far a file was read: lines of syslog begin with a time,
/// and end in what only they have.
const TAIL_BYTES: usize = 64;

/// The name of a file, whatever file has it.
pub struct Follow<'a> {
    path: &'a Path,
    ending: &'a Ending,
    /// Who reads what is made of it, if it is to end with its reader.
    out: Option<BorrowedFd<'a>>,
    /// `None`: there is none, or it could not be read.
    file: Option<File>,
    place: Place,
    /// Size and time of modification when it was last looked whether `place` is still right.
    looked_at: Option<(u64, i64, i64)>,
    /// Another file has the name, and something in it.
    replaced: bool,
    /// What was read last did not end a line.
    in_line: bool,
    /// What fails was said.
    said: bool,
}

/// How far a file was read.
#[derive(Default)]
struct Place {
    offset: u64,
    /// What stands before it.
    tail: heapless::Vec<u8, TAIL_BYTES>,
}

impl Place {
    fn advance(&mut self, read: &[u8]) {
        self.offset += read.len() as u64;
        let kept = self.tail.len().min(TAIL_BYTES.saturating_sub(read.len()));
        self.tail.drain(..self.tail.len() - kept);
        let new = &read[read.len().saturating_sub(TAIL_BYTES)..];
        // `kept` leaves room for it.
        let _ = self.tail.extend_from_slice(new);
    }

    /// Whether what was read is still there.
    fn is_in(&self, file: &File) -> io::Result<bool> {
        let mut now = [0; TAIL_BYTES];
        let now = &mut now[..self.tail.len()];
        match file.read_exact_at(now, self.offset - self.tail.len() as u64) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            result => result.map(|()| *now == self.tail[..]),
        }
    }
}

impl<'a> Follow<'a> {
    /// Begins with what is in the file. One that is not there yet is waited for; one that is no
    /// regular file or may not be read is an error.
    pub fn new(
        path: &'a Path,
        ending: &'a Ending,
        out: Option<BorrowedFd<'a>>,
    ) -> io::Result<Follow<'a>> {
        let file = open(path)?;
        if file.is_none() {
            say(format_args!("{path:?} is not there yet; it is waited for"));
        }
        Ok(Follow {
            path,
            ending,
            out,
            file,
            place: Place::default(),
            looked_at: None,
            replaced: false,
            in_line: false,
            said: false,
        })
    }

    /// What there is to read now; 0: nothing.
    fn more(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.file.is_none() {
                (self.file, self.looked_at) = (open(self.path)?, None);
            }
            let Some(file) = &self.file else { return Ok(0) };
            let now = file.metadata()?;
            let look = (now.len(), now.mtime(), now.mtime_nsec());
            // It may have been cut, or cut and written anew, or have come in the place of one
            // that could not be read.
            if self.looked_at != Some(look) && !self.place.is_in(file)? {
                self.place = Place::default();
                if self.ends_line(out) {
                    return Ok(1);
                }
                continue;
            }
            self.looked_at = Some(look);
            let count = file.read_at(out, self.place.offset)?;
            if count > 0 {
                self.in_line = out[count - 1] != b'\n';
                self.place.advance(&out[..count]);
                return Ok(count);
            }
            if !self.replaced {
                if !is_replaced(file, self.path)? {
                    return Ok(0);
                }
                // The writer may have written to this one until it came to the new one.
                self.replaced = true;
                continue;
            }
            (self.file, self.replaced, self.place) = (None, false, Place::default());
            if self.ends_line(out) {
                return Ok(1);
            }
        }
    }

    /// Ends a line that has no end: what follows is of another file. Whether there was one.
    fn ends_line(&mut self, out: &mut [u8]) -> bool {
        out[0] = b'\n';
        std::mem::take(&mut self.in_line)
    }
}

impl Read for Follow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() && !self.ending.is_told() {
            match self.more(out) {
                Ok(0) => {}
                Ok(count) => {
                    self.said = false;
                    return Ok(count);
                }
                Err(error) => {
                    // A file server may have another file by now, and come back with this one.
                    (self.file, self.replaced) = (None, false);
                    if !std::mem::replace(&mut self.said, true) {
                        say(format_args!(
                            "{:?} cannot be read ({error}); it is tried again and again",
                            self.path
                        ));
                    }
                }
            }
            if !self.ending.rest(LOOK_INTERVAL, self.out)? {
                break;
            }
        }
        Ok(0)
    }
}

/// Whether `path` leads to another file than `file`, and that has something in it. A writer whose
/// file was renamed goes on with it until it is told: as long as the new one is empty the old one
/// is read.
fn is_replaced(file: &File, path: &Path) -> io::Result<bool> {
    let named = match metadata(path) {
        Ok(named) => named,
        Err(error) if is_absent(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let own = file.metadata()?;
    let is_other = (named.dev(), named.ino()) != (own.dev(), own.ino());
    Ok(is_other && named.is_file() && named.len() > 0)
}

/// `None`: it is not there.
fn open(path: &Path) -> io::Result<Option<File>> {
    // A FIFO would be waited for.
    match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
