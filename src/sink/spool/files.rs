//! The files of a log: their names, and what may be in their place.

use super::error::SpoolError;
use crate::event::Class;
use crate::limits::SPOOL_SET_ASIDE;
use core::fmt::Write;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
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
    pub(super) dir: OwnedFd,
}

impl Files {
    /// Where each of them begins.
    pub(super) fn starts(&self) -> Result<Vec<u64>, SpoolError> {
        let mut starts = Vec::new();
        let entries = rustix::fs::Dir::read_from(&self.dir).map_err(SpoolError::Open)?;
        for entry in entries {
            let entry = entry.map_err(SpoolError::Open)?;
            let name = entry.file_name().to_str().unwrap_or_default();
            starts.extend(start_of(self.class, name));
        }
        Ok(starts)
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
        let _ = rustix::fs::renameat(&self.dir, from.as_str(), &self.dir, to.as_str());
        self.remove_old_set_aside();
    }

    fn remove_old_set_aside(&self) {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.dir) else { return };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()))
            .filter(|name| name.starts_with(self.class.name()) && name.ends_with(SET_ASIDE))
            .collect();
        names.sort_unstable();
        for name in &names[..names.len().saturating_sub(SPOOL_SET_ASIDE)] {
            let _ = rustix::fs::unlinkat(&self.dir, name.as_str(), rustix::fs::AtFlags::empty());
        }
    }

    /// One that cannot be removed is in the way of nothing: it is found at the next start.
    pub(super) fn remove(&self, start: u64) {
        let name = self.name(start);
        let _ = rustix::fs::unlinkat(&self.dir, name.as_str(), rustix::fs::AtFlags::empty());
    }

    pub(super) fn open(&self, start: u64, flags: OFlags) -> Result<OwnedFd, Errno> {
        // Whatever somebody has put there: no link is followed, and no pipe is waited for.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        rustix::fs::openat(
            self.dir.as_fd(),
            self.name(start).as_str(),
            flags,
            Mode::RUSR | Mode::WUSR,
        )
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
