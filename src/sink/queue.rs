//! Messages that wait for the receiver, and those that it may not have read yet.
//!
//! Storage is one block, taken at the start. A freed slot is the next one used, so that
//! a queue that is mostly empty touches few pages.

use super::account::{Load, Lost};
use crate::event::Class;
use std::collections::VecDeque;

/// The message is longer than a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

struct Message {
    /// Where its bytes are, until it gives up its place.
    slot: usize,
    bytes: usize,
    load: Load,
    /// Was sent before, on a connection that ended: count it once.
    counted: bool,
    /// What it adds to the socket's unread bytes, at least. Of sent messages.
    weight_bytes: u64,
}

/// A queue in wire order that sheds its least wanted message when it is full.
pub(super) struct Queue {
    storage: Vec<u8>,
    slot_bytes: usize,
    slots: usize,
    free: Vec<usize>,
    /// In wire order, the unconfirmed ones first, and of these first the ones without a
    /// slot: as many as there are slots, at most.
    order: VecDeque<Message>,
    /// How many of `order` were sent and perhaps not read.
    unconfirmed: usize,
    /// How many of the unconfirmed gave their slot to newer ones, and are to be counted
    /// unless they prove read.
    given_up: usize,
    /// How much of the first unsent message a stream has taken.
    progress_bytes: usize,
    shed: Lost,
}

impl Queue {
    pub(super) fn new(capacity: usize, slot_bytes: usize) -> Queue {
        Queue {
            // calloc: the kernel's zero pages, none of them resident before it is used.
            storage: vec![0; capacity * slot_bytes],
            slot_bytes,
            slots: capacity,
            free: (0..capacity).rev().collect(),
            order: VecDeque::with_capacity(2 * capacity),
            unconfirmed: 0,
            given_up: 0,
            progress_bytes: 0,
            shed: Lost::default(),
        }
    }

    /// Messages not sent yet.
    pub(super) fn backlog(&self) -> usize {
        self.order.len() - self.unconfirmed
    }

    /// Whether a message finds room at no other's price.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.given_up < self.unconfirmed
    }

    /// What was shed since the last call.
    pub(super) fn take_shed(&mut self) -> Lost {
        core::mem::take(&mut self.shed)
    }

    /// Queues the message made of `parts`, at the price of the least wanted one.
    pub(super) fn push(&mut self, load: Load, parts: &[&[u8]]) -> Result<(), TooLong> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > self.slot_bytes {
            return Err(TooLong);
        }
        let Some(slot) = self.room_for(load.class) else {
            self.shed.add(load.if_lost);
            return Ok(());
        };
        let mut rest = &mut self.storage[slot * self.slot_bytes..][..bytes];
        for part in parts {
            let (to, after) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
        }
        let message = Message { slot, bytes, load, counted: false, weight_bytes: 0 };
        self.order.insert(self.place_for(load.class), message);
        Ok(())
    }

    /// A priority message goes before the bulk messages that are not sent yet: a flood of
    /// those must not delay it. Events are numbered, so a receiver can put them in order.
    fn place_for(&self, class: Class) -> usize {
        let end = self.order.len();
        match class {
            Class::Priority => self.first_unsent_bulk().unwrap_or(end),
            Class::Bulk => end,
        }
    }

    /// Of those that are not on the wire in part.
    fn first_unsent_bulk(&self) -> Option<usize> {
        let first = self.unconfirmed + usize::from(self.progress_bytes > 0);
        (first..self.order.len()).find(|&at| self.order[at].load.class == Class::Bulk)
    }

    /// A free slot; else that of the oldest unconfirmed message, which is probably read;
    /// else of the oldest bulk message; else, for a priority message, of the oldest.
    /// A message that is on the wire in part stays.
    fn room_for(&mut self, class: Class) -> Option<usize> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.given_up < self.unconfirmed {
            return Some(self.give_up());
        }
        let first = self.unconfirmed + usize::from(self.progress_bytes > 0);
        let bulk = self.first_unsent_bulk();
        let at = match class {
            Class::Priority => bulk.unwrap_or(first),
            // Without another bulk message, the newcomer is the oldest of its class.
            Class::Bulk => bulk?,
        };
        let message = self.order.remove(at)?;
        self.shed.add(message.load.if_lost);
        Some(message.slot)
    }

    /// The slot of the oldest unconfirmed message that has one. Keeping the slots until
    /// the messages are confirmed would be the end: only a later send confirms, and it
    /// needs a slot.
    fn give_up(&mut self) -> usize {
        if self.given_up == self.slots
            && let Some(oldest) = self.order.pop_front()
        {
            // Receivers read in order: what proves the next one read proves both.
            self.order[0].load.if_lost.add(oldest.load.if_lost);
            self.unconfirmed -= 1;
            self.given_up -= 1;
        }
        let slot = self.order[self.given_up].slot;
        self.given_up += 1;
        slot
    }

    /// The first unsent message and how much of it a stream has taken.
    pub(super) fn head(&self) -> Option<(&[u8], usize)> {
        let message = self.order.get(self.unconfirmed)?;
        let bytes = &self.storage[message.slot * self.slot_bytes..][..message.bytes];
        Some((bytes, self.progress_bytes))
    }

    /// A stream took `bytes` more of the head, but not all.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.progress_bytes += bytes;
    }

    /// The head is sent: its events, if it is for the first time. With a weight it stays
    /// until [`Queue::confirm`], without one it is forgotten.
    pub(super) fn sent(&mut self, weight_bytes: Option<u64>) -> Option<u32> {
        self.progress_bytes = 0;
        let message = self.order.get_mut(self.unconfirmed)?;
        let events = (!message.counted).then_some(message.load.events);
        message.counted = true;
        match weight_bytes {
            Some(weight_bytes) => {
                message.weight_bytes = weight_bytes;
                self.unconfirmed += 1;
            }
            None => {
                self.free.push(message.slot);
                self.order.remove(self.unconfirmed);
            }
        }
        events
    }

    /// The head cannot be sent: removes it and says what it carried.
    pub(super) fn refuse(&mut self) -> Option<Lost> {
        self.progress_bytes = 0;
        let message = self.order.remove(self.unconfirmed)?;
        self.free.push(message.slot);
        Some(message.load.if_lost)
    }

    /// Forgets the sent messages that were certainly read, given how many bytes were not.
    ///
    /// Receivers read in order, so the unread bytes are the newest. Weights are lower
    /// bounds: where those of younger messages account for all that is unread, a message
    /// was read to its end.
    pub(super) fn confirm(&mut self, unread_bytes: u64) {
        let mut younger_bytes: u64 = 0;
        let mut keep = 0;
        for message in self.order.iter().take(self.unconfirmed).rev() {
            if younger_bytes >= unread_bytes {
                break;
            }
            younger_bytes = younger_bytes.saturating_add(message.weight_bytes);
            keep += 1;
        }
        for message in self.order.drain(..self.unconfirmed - keep) {
            self.unconfirmed -= 1;
            if self.given_up > 0 {
                self.given_up -= 1;
            } else {
                self.free.push(message.slot);
            }
        }
    }

    /// The connection ended: what was not confirmed is to be sent again, or, where it has
    /// given up its place, shed; what was sent in part starts over.
    pub(super) fn rewind(&mut self) {
        for message in self.order.drain(..self.given_up) {
            self.shed.add(message.load.if_lost);
        }
        self.given_up = 0;
        self.unconfirmed = 0;
        self.progress_bytes = 0;
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
