//! A configuration file as bytes: read with care, and known again.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::retry_on_intr;
use rustix::process::geteuid;

use super::ConfigError;
use super::error::Encoding;
use crate::directory::Directory;
use crate::limits::CONFIGURATION_BYTES;

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    read_if(CWD, path, |_| Ok(()))
}

/// Reads one of a directory, that only root and our own user can have written. It may be a link: what
/// counts is whose the file is.
pub(super) fn read_own(dir: &Directory, name: &str) -> Result<String, ConfigError> {
    read_if(dir.as_fd(), Path::new(name), is_own)
}

/// Whether others than root and our own user can write it; nothing of what is not there.
pub fn others_can_change(path: &Path) -> Option<ConfigError> {
    is_own(&std::fs::metadata(path).ok()?).err()
}

fn is_own(metadata: &Metadata) -> Result<(), ConfigError> {
    const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
    match metadata.uid() {
        uid if uid != 0 && uid != geteuid().as_raw() => Err(ConfigError::OthersCanWrite(Some(uid))),
        _ if metadata.mode() & GROUP_OR_OTHERS_WRITE != 0 => Err(ConfigError::OthersCanWrite(None)),
        _ => Ok(()),
    }
}

fn read_if(
    dir: BorrowedFd<'_>,
    path: &Path,
    is_right: impl FnOnce(&Metadata) -> Result<(), ConfigError>,
) -> Result<String, ConfigError> {
    let open = |flags| {
        let flags = flags | OFlags::CLOEXEC;
        let file = retry_on_intr(|| rustix::fs::openat(dir, path, flags, Mode::empty()));
        file.map(File::from).map_err(|error| ConfigError::Read(error.into()))
    };
    let metadata_of = |file: &File| file.metadata().map_err(ConfigError::Read);
    // Before it is opened to be read: a device may do something then.
    require_file(metadata_of(&open(OFlags::PATH)?)?.file_type())?;
    // Between the two it may have become a FIFO, on which an open would wait.
    let file = open(OFlags::RDONLY | OFlags::NONBLOCK)?;
    let metadata = metadata_of(&file)?;
    require_file(metadata.file_type())?;
    is_right(&metadata)?;
    let mut bytes = Vec::new();
    file.take(CONFIGURATION_BYTES + 1).read_to_end(&mut bytes).map_err(ConfigError::Read)?;
    if bytes.len() as u64 > CONFIGURATION_BYTES {
        return Err(ConfigError::TooLarge);
    }
    text(bytes)
}

fn require_file(kind: FileType) -> Result<(), ConfigError> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(ConfigError::NotAFile(what))
}

/// Bytes as text, if they are.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, ConfigError> {
    let wrong = |encoding| Err(ConfigError::Encoding(encoding));
    // All that JSON begins with is ASCII: in UTF-16 one byte of it is NUL.
    match bytes[..] {
        [0xef, 0xbb, 0xbf, ..] => return wrong(Encoding::ByteOrderMark),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=127, ..] | [1..=127, 0, ..] => {
            return wrong(Encoding::Utf16);
        }
        _ => {}
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let (line, column) = position(error.as_bytes(), valid);
            return wrong(Encoding::NotUtf8 { line, column });
        }
    };
    match text.find('\0') {
        None => Ok(text),
        Some(at) => {
            let (line, column) = position(text.as_bytes(), at);
            wrong(Encoding::Nul { line, column })
        }
    }
}

/// Line and column, from 1, of an offset.
pub(super) fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (line, offset - start + 1)
}

/// Which content a path had, without reading it: two that differ say that it may have
/// changed. A symbolic link is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// Nothing is there.
    Absent,
    /// It cannot be looked at, for this error number.
    Unknown(Option<i32>),
    /// A file.
    File {
        /// Its device.
        device: u64,
        /// Its inode: another one after a rename.
        inode: u64,
        /// Its size.
        bytes: u64,
        /// When its content was written, in nanoseconds of Unix time.
        modified_ns: i128,
        /// When that or anything else of it was changed: a program can set back the other
        /// time, and not this one.
        changed_ns: i128,
    },
}

impl Fingerprint {
    /// Looks at a path.
    pub fn of(path: &Path) -> Fingerprint {
        match std::fs::metadata(path) {
            Ok(metadata) => Fingerprint::from(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Fingerprint::Absent,
            Err(error) => Fingerprint::Unknown(error.raw_os_error()),
        }
    }
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Fingerprint {
        let ns = |seconds, ns| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Fingerprint::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
