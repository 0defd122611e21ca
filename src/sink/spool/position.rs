//! Up to where the logs are delivered, in a file.

use super::line::field;
use crate::event::Class;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io::Write;

/// Its name.
pub(super) const POSITION: &str = "position";

/// `CRC PRIORITY BULK` and a line feed, as in [`line`](super::line).
pub(crate) const POSITION_BYTES: usize = 8 + 1 + 16 + 1 + 16 + 1;

/// By [`Class`].
pub(crate) type Places = [u64; Class::ALL.len()];

pub(super) struct Position {
    file: OwnedFd,
    /// As it is in the file. `None`: it is new, or damaged. Then all that is there is sent.
    noted: Option<Places>,
}

impl Position {
    pub(super) fn of(file: OwnedFd) -> Result<Position, Errno> {
        let mut text = [0; POSITION_BYTES];
        let read = rustix::io::pread(&file, &mut text, 0)?;
        let noted = if read == POSITION_BYTES { places(&text) } else { None };
        Ok(Position { file, noted })
    }

    pub(super) fn noted(&self) -> Option<Places> {
        self.noted
    }

    pub(super) fn note(&mut self, places: Places) -> Result<(), Errno> {
        if self.noted == Some(places) {
            return Ok(());
        }
        let text = text_of(places).ok_or(Errno::INVAL)?;
        // In one page: it is there as a whole, or not at all.
        rustix::io::pwrite(&self.file, &text, 0)?;
        self.noted = Some(places);
        Ok(())
    }
}

pub(crate) fn text_of([priority, bulk]: Places) -> Option<[u8; POSITION_BYTES]> {
    let mut text = [0; POSITION_BYTES];
    writeln!(&mut text[9..], "{priority:016x} {bulk:016x}").ok()?;
    let crc = crc32fast::hash(&text[9..]);
    write!(&mut text[..9], "{crc:08x} ").ok()?;
    Some(text)
}

pub(crate) fn places(text: &[u8; POSITION_BYTES]) -> Option<Places> {
    let number = |at, digits| field(text, at, digits).ok();
    let is_whole = number(0, 8)? == u64::from(crc32fast::hash(&text[9..]));
    // Behind the last one is the line's end.
    let bulk = core::str::from_utf8(&text[26..42]).ok()?;
    let bulk = u64::from_str_radix(bulk, 16).ok()?;
    Some([number(9, 16)?, bulk]).filter(|_| is_whole)
}
