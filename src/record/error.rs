//! Why a record could not be read, and where.

use core::fmt;

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It does not begin with `m1:`.
    Prefix,
    /// It is not unpadded base64url. The position is that of a character behind `m1:`.
    Base64,
    /// It is longer than this decoder reads.
    TooLong,
    /// It is of another version: not an error of the record.
    Version(u8),
    /// Its bytes are not those that were written.
    Checksum,
    /// The bytes end before the field does.
    End,
    /// An integer has more bits than its type.
    Integer,
    /// A value that the format does not define.
    Value,
    /// A number beyond the end of its dictionary.
    Index,
}

/// What could not be read, and at which byte of the decoded batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Why.
    pub reason: Reason,
    /// The part of the batch.
    pub what: &'static str,
    /// How many bytes of the batch lie before the fault.
    pub at: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let DecodeError { reason, what, at } = self;
        match reason {
            Reason::Prefix => write!(f, "{what} does not begin with m1:"),
            Reason::Base64 => write!(f, "{what} is not base64url at character {at}"),
            Reason::TooLong => write!(f, "{what} is too long at byte {at}"),
            Reason::Version(version) => write!(f, "{what} has the unknown version {version}"),
            Reason::Checksum => write!(f, "{what} is damaged: its checksum does not match"),
            Reason::End => write!(f, "{what} is cut short at byte {at}"),
            Reason::Integer => write!(f, "{what} has too large an integer at byte {at}"),
            Reason::Value => write!(f, "{what} has an undefined value at byte {at}"),
            Reason::Index => write!(f, "{what} is not in its dictionary, at byte {at}"),
        }
    }
}

impl core::error::Error for DecodeError {}
