//! What an event of version 2 is compared with: it has only the fields that differ. Both sides
//! remember the same, since the first event of the batch.

use super::encode::append;
use super::error::DecodeError;
use super::names::Names;
use super::reader::Reader;
use super::wire::{Head, Values};
use crate::event::{Action, Bytes};

/// An event's fields that may be missing, as bits. Those of later bits stand behind all others.
const ACTION: u32 = 1 << 0;
const SEQUENCE_GAP: u32 = 1 << 1;
const ACTOR: u32 = 1 << 2;
const SYSCALL: u32 = 1 << 3;
const RET: u32 = 1 << 4;
const FLAGS: u32 = 1 << 5;
const CALL_FLAGS: u32 = 1 << 6;
const MODE: u32 = 1 << 7;
/// What this version knows.
pub(super) const KNOWN: u32 = (1 << 8) - 1;

/// More than any action's number.
const ACTIONS: usize = 128;

/// Processes by which names are remembered, by the low bits of their number in the dictionary of
/// actors: as many as work at a time on a small host.
const PLACES: usize = 16;

#[derive(Debug)]
pub(super) struct Memory {
    /// Of the event before, whatever it was.
    action: u8,
    actor: u32,
    /// Of the event before with this action.
    values: [Values; ACTIONS],
    names: [Names; PLACES],
}

impl Memory {
    pub fn new() -> Memory {
        Memory {
            action: 0,
            actor: 0,
            values: [Values::default(); ACTIONS],
            names: [const { Names::new() }; PLACES],
        }
    }

    /// As at the beginning of a batch.
    pub fn clear(&mut self) {
        (self.action, self.actor) = (0, 0);
        self.values.fill(Values::default());
        self.names.iter_mut().for_each(Names::clear);
    }

    /// The names that those of an event of this actor are compared with.
    pub fn names(&self, actor: u32) -> &Names {
        &self.names[actor as usize % PLACES]
    }

    /// The same, for one more.
    pub fn names_mut(&mut self, actor: u32) -> &mut Names {
        &mut self.names[actor as usize % PLACES]
    }

    /// Writes what differs.
    pub fn write<const N: usize>(
        &self,
        head: &Head,
        values: &Values,
        out: &mut Bytes<N>,
    ) -> postcard::Result<()> {
        let before = &self.values[usize::from(head.action) % ACTIONS];
        let bit = |differs: bool, bit: u32| if differs { bit } else { 0 };
        let has = bit(head.action != self.action, ACTION)
            | bit(head.sequence_gap != 0, SEQUENCE_GAP)
            | bit(head.actor != self.actor, ACTOR)
            | bit(values.syscall != before.syscall, SYSCALL)
            | bit(values.ret != before.ret, RET)
            | bit((values.flags, values.truncated) != (before.flags, before.truncated), FLAGS)
            | bit(values.call_flags != before.call_flags, CALL_FLAGS)
            | bit(values.mode != before.mode, MODE);
        append(out, &has)?;
        if has & ACTION != 0 {
            append(out, &head.action)?;
        }
        append(out, &head.time_delta_ns)?;
        if has & SEQUENCE_GAP != 0 {
            append(out, &head.sequence_gap)?;
        }
        if has & ACTOR != 0 {
            append(out, &head.actor)?;
        }
        if has & SYSCALL != 0 {
            append(out, &values.syscall)?;
        }
        if has & RET != 0 {
            append(out, &values.ret)?;
        }
        if has & FLAGS != 0 {
            append(out, &(values.flags, values.truncated))?;
        }
        if has & CALL_FLAGS != 0 {
            append(out, &values.call_flags)?;
        }
        if has & MODE != 0 {
            append(out, &values.mode)?;
        }
        Ok(())
    }

    /// The event is in the batch.
    pub fn remember(&mut self, head: &Head, values: &Values) {
        (self.action, self.actor) = (head.action, head.actor);
        self.values[usize::from(head.action) % ACTIONS] = *values;
    }

    /// Reads and remembers what an event of any action begins with, and which fields it has.
    pub fn head(&mut self, reader: &mut Reader) -> Result<(Head, u32), DecodeError> {
        let (head, has) = head(reader, self.action, self.actor)?;
        (self.action, self.actor) = (head.action, head.actor);
        Ok((head, has))
    }

    /// Reads and remembers what follows in one of a known action.
    pub fn values(
        &mut self,
        action: Action,
        has: u32,
        reader: &mut Reader,
    ) -> Result<Values, DecodeError> {
        const WHAT: &str = "an event";
        let mut values = self.values[action as usize % ACTIONS];
        if has & SYSCALL != 0 {
            values.syscall = reader.take(WHAT)?;
        }
        if has & RET != 0 {
            values.ret = reader.take(WHAT)?;
        }
        if has & FLAGS != 0 {
            (values.flags, values.truncated) = reader.take(WHAT)?;
        }
        if has & CALL_FLAGS != 0 {
            values.call_flags = reader.take(WHAT)?;
        }
        if has & MODE != 0 {
            values.mode = reader.take(WHAT)?;
        }
        self.values[action as usize % ACTIONS] = values;
        Ok(values)
    }
}

/// What an event begins with behind one of `action` and `actor`.
pub(super) fn head(
    reader: &mut Reader,
    action: u8,
    actor: u32,
) -> Result<(Head, u32), DecodeError> {
    const WHAT: &str = "an event's head";
    let has: u32 = reader.take(WHAT)?;
    let mut head = Head { action, time_delta_ns: 0, sequence_gap: 0, actor };
    if has & ACTION != 0 {
        head.action = reader.take(WHAT)?;
    }
    head.time_delta_ns = reader.take(WHAT)?;
    if has & SEQUENCE_GAP != 0 {
        head.sequence_gap = reader.take(WHAT)?;
    }
    if has & ACTOR != 0 {
        head.actor = reader.take(WHAT)?;
    }
    Ok((head, has))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two actions in one place would be compared with one another.
    #[test]
    fn every_action_has_a_place() {
        assert!(Action::ALL.iter().all(|action| (*action as usize) < ACTIONS));
    }
}
