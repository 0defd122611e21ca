//! A position in the bytes of a batch.

use super::error::{DecodeError, Reason};
use super::wire::{Blob, Joined};
use crate::event::{Bytes, append};
use postcard::{Deserializer, Error};
use serde::Deserialize;

/// What is left to read of a batch, or of one byte string in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'s> {
    rest: &'s [u8],
    /// Position of `rest` in the batch.
    at: usize,
}

impl<'s> Reader<'s> {
    pub fn new(bytes: &'s [u8]) -> Reader<'s> {
        Reader { rest: bytes, at: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Nothing more is to be read here.
    pub fn stop(&mut self) {
        self.rest = &[];
    }

    /// A fault at this position.
    pub fn error(&self, reason: Reason, what: &'static str) -> DecodeError {
        DecodeError { reason, what, at: self.at }
    }

    /// The next value; on failure the position is at the fault.
    pub fn take<T: Deserialize<'s>>(&mut self, what: &'static str) -> Result<T, DecodeError> {
        let mut deserializer = Deserializer::from_bytes(self.rest);
        let value = T::deserialize(&mut deserializer);
        let rest = deserializer.finalize().unwrap_or_default();
        self.at += self.rest.len() - rest.len();
        self.rest = rest;
        value.map_err(|error| {
            let reason = match error {
                Error::DeserializeUnexpectedEnd => Reason::End,
                Error::DeserializeBadVarint => Reason::Integer,
                _ => Reason::Value,
            };
            self.error(reason, what)
        })
    }

    /// The next byte string, to be read on its own.
    pub fn nested(&mut self, what: &'static str) -> Result<Reader<'s>, DecodeError> {
        let Blob(rest) = self.take(what)?;
        Ok(Reader { rest, at: self.at - rest.len() })
    }
}

/// Writes a joined string to `out`. `Ok(true)`: it did not fit and is cut.
pub(super) fn join<const N: usize>(
    strings: &[&[u8]],
    out: &mut Bytes<N>,
    joined: &Joined,
    at: &Reader,
) -> Result<bool, DecodeError> {
    let start = match joined.start {
        0 => &[],
        number => *entry(strings, number)
            .ok_or_else(|| at.error(Reason::Index, "the beginning of a path"))?,
    };
    let rest = joined.rest.0;
    Ok(append(out, start) | append(out, rest))
}

/// The entry of this number, from 1.
pub(super) fn entry<T>(entries: &[T], number: u32) -> Option<&T> {
    entries.get((number as usize).checked_sub(1)?)
}
