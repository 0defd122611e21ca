//! The files of a log: their names, and what may be in their place.

use super::error::SpoolError;
use crate::directory::Directory;
use crate::event::Class;
use crate::limits::SPOOL_SET_ASIDE;
use core::fmt::Write;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

/// The first line of every file.
pub(crate) const VERSION_LINE: &[u8] = b"mote-spool 1\n";

/// What files that are set aside end with.
const SET_ASIDE: &str = ".bad";

type Name = heapless::String<40>;

/// What a file of a log's name is.
pub(super) enum Found {
    /// It has so many bytes of lines.
    Lines(u64),
    /// Whoever made it was killed before its first line was there.
    Begun,
    /// It is of another version, or no file of a spool.
    Foreign,
}

/// Those of one class in a directory.
pub(super) struct Files {
    pub(super) class: Class,
    pub(super) dir: Directory,
}

impl Files {
    /// Where each of them begins.
    pub(super) fn starts(&self) -> Result<Vec<u64>, SpoolError> {
        let names = self.dir.names().map_err(SpoolError::Open)?;
        Ok(names.iter().filter_map(|name| start_of(self.class, name)).collect())
    }

    /// What is there of the name of the one that begins there.
    pub(super) fn look_at(&self, start: u64) -> Result<Found, SpoolError> {
        let file = match self.open(start, OFlags::RDONLY) {
            Ok(file) => file,
            // A link, or a socket.
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Found::Foreign),
            Err(error) => return Err(SpoolError::Open(error)),
        };
        let stat = rustix::fs::fstat(&file).map_err(SpoolError::Open)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Found::Foreign);
        }
        let mut first = [0; VERSION_LINE.len()];
        let read = read_all(&file, &mut first, 0).map_err(SpoolError::Open)?;
        Ok(match (stat.st_size as u64).checked_sub(VERSION_LINE.len() as u64) {
            Some(bytes) if first == VERSION_LINE => Found::Lines(bytes),
            None if VERSION_LINE.starts_with(&first[..read]) => Found::Begun,
            _ => Found::Foreign,
        })
    }

    /// A file that cannot be used stays for whoever wants to look at it; of several the newest.
    pub(super) fn set_aside(&self, start: u64) {
        let from = self.name(start);
        let mut to = from.clone();
        let _ = to.push_str(SET_ASIDE);
        let _ = self.dir.rename(&from, &to);
        self.remove_old_set_aside();
    }

    fn remove_old_set_aside(&self) {
        let Ok(mut names) = self.dir.names() else { return };
        names.retain(|name| name.starts_with(self.class.name()) && name.ends_with(SET_ASIDE));
        names.sort_unstable();
        for name in &names[..names.len().saturating_sub(SPOOL_SET_ASIDE)] {
            let _ = self.dir.remove(name);
        }
    }

    /// One that cannot be removed is in the way of nothing: it is found at the next start.
    pub(super) fn remove(&self, start: u64) {
        let _ = self.dir.remove(&self.name(start));
    }

    pub(super) fn open(&self, start: u64, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.dir.open_file(&self.name(start), flags)
    }

    fn name(&self, start: u64) -> Name {
        let mut name = Name::new();
        let _ = write!(name, "{}-{start:016x}", self.class.name());
        name
    }
}

/// Where the file of this name begins, if it is one of a log of `class`.
pub(crate) fn start_of(class: Class, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(class.name())?.strip_prefix('-')?;
    // As they are written: another name of the same number would stand for that file.
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_place = digits.len() == 16 && digits.bytes().all(is_digit);
    let start = u64::from_str_radix(digits, 16).ok().filter(|_| is_place)?;
    (start <= u64::MAX / 2).then_some(start)
}

pub(super) fn write_all(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(file, bytes, at))?;
        if written == 0 {
            return Err(Errno::IO);
        }
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}

/// As much as there is.
pub(super) fn read_all(file: &OwnedFd, buffer: &mut [u8], at: u64) -> Result<usize, Errno> {
    let mut read = 0;
    while read < buffer.len() {
        let more = rustix::io::retry_on_intr(|| {
            rustix::io::pread(file, &mut buffer[read..], at + read as u64)
        })?;
        if more == 0 {
            break;
        }
        read += more;
    }
    Ok(read)
}
