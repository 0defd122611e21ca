//! Why a configuration is not taken, and what to do about it.

use std::fmt;
use std::io;

use super::Place;
use crate::filter::RuleError;
use crate::limits::CONFIGURATION_BYTES;

/// Why a configuration is not taken. [`Display`](fmt::Display) says what is wrong and where,
/// [`remedy`](ConfigError::remedy) what to do.
#[derive(Debug)]
pub enum ConfigError {
    /// It could not be read.
    Read(io::Error),
    /// It is something else than a file: what.
    NotAFile(&'static str),
    /// Another user can change it: who, or anybody (`None`).
    OthersCanWrite(Option<u32>),
    /// It is larger than any configuration.
    TooLarge,
    /// It is not in UTF-8.
    Encoding(Encoding),
    /// It is not JSON.
    Json(serde_json::Error),
    /// A value is not what it should be.
    Value {
        /// Where it is.
        place: Place,
        /// What is wrong with it: the place is the subject of the sentence.
        problem: String,
        /// What to do: an order.
        remedy: String,
    },
    /// An exclusion cannot be used.
    Exclusion {
        /// Where its path is.
        place: Place,
        /// Why.
        error: RuleError,
    },
}

/// What is in the place of UTF-8, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// It is in UTF-16.
    Utf16,
    /// It has bytes that are no UTF-8.
    NotUtf8 {
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
    },
    /// It has a NUL byte.
    Nul {
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
    },
}

impl ConfigError {
    /// With line and column, if it is about a value in this text.
    pub(super) fn located_in(mut self, text: &str) -> ConfigError {
        if let ConfigError::Value { place, .. } | ConfigError::Exclusion { place, .. } = &mut self {
            place.locate(text);
        }
        self
    }

    /// There is no such file.
    pub fn is_absent(&self) -> bool {
        matches!(self, ConfigError::Read(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// What to do about it: an order.
    pub fn remedy(&self) -> &str {
        match self {
            ConfigError::Read(_) | ConfigError::NotAFile(_) => "name a readable file",
            ConfigError::OthersCanWrite(_) => "give it to root with mode 0600, if it is right",
            ConfigError::TooLarge => "name folders in the place of the files in them",
            ConfigError::Encoding(Encoding::Nul { .. }) => "remove it",
            ConfigError::Encoding(_) => "save it as UTF-8 without a byte order mark",
            ConfigError::Json(error) if error.is_eof() => {
                "close what is open there, or write {} if nothing is to be set"
            }
            ConfigError::Json(error) if error.is_data() => "leave one of them",
            ConfigError::Json(_) => "correct the JSON there",
            ConfigError::Value { remedy, .. } => remedy,
            ConfigError::Exclusion { error, .. } => error.remedy(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read(error) => write!(f, "it could not be read: {error}"),
            ConfigError::NotAFile(what) => write!(f, "it is {what} and no file"),
            ConfigError::OthersCanWrite(Some(uid)) => write!(f, "user {uid} can change it"),
            ConfigError::OthersCanWrite(None) => f.write_str("other users can change it"),
            ConfigError::TooLarge => {
                write!(f, "it has more than the {CONFIGURATION_BYTES} bytes that are read")
            }
            ConfigError::Encoding(encoding) => encoding.fmt(f),
            ConfigError::Json(error) => error.fmt(f),
            ConfigError::Value { place, problem, .. } => {
                write!(f, "{place} {problem}{}", place.position())
            }
            ConfigError::Exclusion { place, error } => {
                write!(f, "{place}: {error}{}", place.position())
            }
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoding::ByteOrderMark => {
                f.write_str("it begins with a byte order mark, at line 1 column 1")
            }
            Encoding::Utf16 => f.write_str("it is in UTF-16, from line 1 column 1 on"),
            Encoding::NotUtf8 { line, column } => {
                write!(f, "it has bytes that are no UTF-8 at line {line} column {column}")
            }
            Encoding::Nul { line, column } => {
                write!(f, "it has a NUL byte at line {line} column {column}")
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Read(error) => Some(error),
            ConfigError::Json(error) => Some(error),
            ConfigError::Exclusion { error, .. } => Some(error),
            _ => None,
        }
    }
}
