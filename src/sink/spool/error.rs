//! What keeps messages from the spool, and what was found damaged in it.

use crate::claim::Unclaimed;
use crate::sink::error::RAISE_FILE_SIZE;
use core::fmt;
use rustix::io::Errno;

/// Why messages are not kept on disk.
#[derive(Debug, PartialEq, Eq)]
pub enum SpoolError {
    /// The directory cannot be made, or nothing in it: it is none, or read-only.
    Directory(Errno),
    /// It cannot be this sensor's alone.
    Unclaimed(Unclaimed),
    /// What is in it cannot be opened or read.
    Open(Errno),
    /// A message could not be written.
    Write(Errno),
}

impl SpoolError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            SpoolError::Unclaimed(Unclaimed::Other(_)) => {
                "end one of the sensors, or give it another --spool"
            }
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
            SpoolError::Unclaimed(Unclaimed::Other(holder)) => write!(f, "{holder} has it"),
            SpoolError::Unclaimed(Unclaimed::Lock(error)) => {
                write!(f, "no lock can be had in it ({error})")
            }
            SpoolError::Open(error) => write!(f, "what is in it cannot be read ({error})"),
            SpoolError::Write(error) => write!(f, "a message could not be written ({error})"),
        }
    }
}

impl core::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SpoolError::Directory(error)
            | SpoolError::Unclaimed(Unclaimed::Lock(error))
            | SpoolError::Open(error)
            | SpoolError::Write(error) => Some(error),
            SpoolError::Unclaimed(Unclaimed::Other(_)) => None,
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
