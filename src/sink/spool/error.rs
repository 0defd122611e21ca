//! What keeps messages from the spool, and what was found damaged in it.

use crate::claim::Holder;
use crate::sink::error::RAISE_FILE_SIZE;
use core::fmt;
use rustix::io::Errno;

/// Why messages are not kept on disk.
#[derive(Debug, PartialEq, Eq)]
pub enum SpoolError {
    /// The directory cannot be made, or nothing in it: it is none, or read-only.
    Directory(Errno),
    /// Nothing can be locked in it.
    Lock,
    /// Another sensor has it.
    Claimed(Holder),
    /// What is in it cannot be opened or read.
    Open(Errno),
    /// A message could not be written.
    Write(Errno),
}

impl SpoolError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            SpoolError::Claimed(_) => "end one of the sensors, or give it another --spool",
            SpoolError::Write(Errno::NOSPC | Errno::DQUOT) => {
                "make room on its file system, or give a smaller --spool-size"
            }
            SpoolError::Write(Errno::FBIG) => RAISE_FILE_SIZE,
            // It has no CAP_DAC_OVERRIDE.
            SpoolError::Directory(Errno::ACCESS)
            | SpoolError::Open(Errno::ACCESS)
            | SpoolError::Write(Errno::ACCESS) => {
                "give it and what is in it to root (chown -R root), or give another directory with --spool"
            }
            _ => "make it readable and writable, or give another directory with --spool",
        }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::Directory(error) => write!(f, "it cannot be used ({error})"),
            SpoolError::Lock => f.write_str("no lock can be had in it"),
            SpoolError::Claimed(holder) => write!(f, "{holder} has it"),
            SpoolError::Open(error) => write!(f, "what is in it cannot be read ({error})"),
            SpoolError::Write(error) => write!(f, "a message could not be written ({error})"),
        }
    }
}

impl core::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SpoolError::Directory(error) | SpoolError::Open(error) | SpoolError::Write(error) => {
                Some(error)
            }
            SpoolError::Lock | SpoolError::Claimed(_) => None,
        }
    }
}

/// What could not be read, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Lines, each a message; of a file that was cut, one.
    pub lines: u64,
    /// Files that were set aside at a start: of another version, none of a spool, not in its order, or
    /// more than there can be.
    pub foreign_files: u64,
}

impl Damage {
    pub(super) fn plus(self, other: Damage) -> Damage {
        Damage {
            lines: self.lines + other.lines,
            foreign_files: self.foreign_files + other.foreign_files,
        }
    }
}
