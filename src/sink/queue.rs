//! Messages that wait for the receiver, and those that it may not have read yet.
//!
//! Storage is one block, taken at the start. A freed slot is the next one used, so that
//! a queue that is mostly empty touches few pages.

use crate::event::Class;
use std::collections::VecDeque;

/// What did not reach the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events of [`Class::Priority`].
    pub priority_events: u64,
    /// Events of [`Class::Bulk`].
    pub bulk_events: u64,
    /// Messages that carried them.
    pub messages: u64,
}

impl Lost {
    pub(super) fn add(&mut self, class: Class, events: u32) {
        match class {
            Class::Priority => self.priority_events += u64::from(events),
            Class::Bulk => self.bulk_events += u64::from(events),
        }
        self.messages += 1;
    }
}

/// The message is longer than a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

#[derive(Clone, Copy)]
struct Message {
    bytes: usize,
    class: Class,
    events: u32,
    /// Was sent before, on a connection that ended: count it once.
    counted: bool,
    /// What it adds to the socket's unread bytes, at least. Of sent messages.
    weight_bytes: u64,
}

/// A queue in wire order that sheds its least wanted message when it is full.
pub(super) struct Queue {
    storage: Vec<u8>,
    slot_bytes: usize,
    /// By slot.
    messages: Vec<Message>,
    free: Vec<usize>,
    /// Slots in wire order, the unconfirmed ones first.
    order: VecDeque<usize>,
    /// How many of `order` were sent and perhaps not read.
    unconfirmed: usize,
    /// How much of the first unsent message a stream has taken.
    progress_bytes: usize,
    shed: Lost,
}

impl Queue {
    pub(super) fn new(capacity: usize, slot_bytes: usize) -> Queue {
        let empty =
            Message { bytes: 0, class: Class::Bulk, events: 0, counted: false, weight_bytes: 0 };
        Queue {
            // calloc: the kernel's zero pages, none of them resident before it is used.
            storage: vec![0; capacity * slot_bytes],
            slot_bytes,
            messages: vec![empty; capacity],
            free: (0..capacity).rev().collect(),
            order: VecDeque::with_capacity(capacity),
            unconfirmed: 0,
            progress_bytes: 0,
            shed: Lost::default(),
        }
    }

    /// Messages not sent yet.
    pub(super) fn backlog(&self) -> usize {
        self.order.len() - self.unconfirmed
    }

    /// What was shed since the last call.
    pub(super) fn take_shed(&mut self) -> Lost {
        core::mem::take(&mut self.shed)
    }

    /// Queues the message made of `parts`, at the price of the least wanted one.
    pub(super) fn push(
        &mut self,
        class: Class,
        events: u32,
        parts: &[&[u8]],
    ) -> Result<(), TooLong> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > self.slot_bytes {
            return Err(TooLong);
        }
        let Some(slot) = self.room_for(class) else {
            self.shed.add(class, events);
            return Ok(());
        };
        let mut rest = &mut self.storage[slot * self.slot_bytes..][..bytes];
        for part in parts {
            let (to, after) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
        }
        self.messages[slot] = Message { bytes, class, events, counted: false, weight_bytes: 0 };
        self.order.push_back(slot);
        Ok(())
    }

    /// A free slot; else that of the oldest unconfirmed message, which is probably read;
    /// else of the oldest bulk message; else, for a priority message, of the oldest.
    /// A message that is on the wire in part stays.
    fn room_for(&mut self, class: Class) -> Option<usize> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.unconfirmed > 0 {
            self.unconfirmed -= 1;
            return self.order.pop_front();
        }
        let first = usize::from(self.progress_bytes > 0);
        let bulk = (first..self.order.len())
            .find(|&at| self.messages[self.order[at]].class == Class::Bulk);
        let at = match class {
            Class::Priority => bulk.unwrap_or(first),
            // Without another bulk message, the newcomer is the oldest of its class.
            Class::Bulk => bulk?,
        };
        let slot = self.order.remove(at)?;
        self.shed.add(self.messages[slot].class, self.messages[slot].events);
        Some(slot)
    }

    /// The first unsent message and how much of it a stream has taken.
    pub(super) fn head(&self) -> Option<(&[u8], usize)> {
        let slot = *self.order.get(self.unconfirmed)?;
        let bytes = &self.storage[slot * self.slot_bytes..][..self.messages[slot].bytes];
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
        let slot = *self.order.get(self.unconfirmed)?;
        let message = &mut self.messages[slot];
        let events = (!message.counted).then_some(message.events);
        message.counted = true;
        match weight_bytes {
            Some(weight_bytes) => {
                message.weight_bytes = weight_bytes;
                self.unconfirmed += 1;
            }
            None => {
                self.order.remove(self.unconfirmed);
                self.free.push(slot);
            }
        }
        events
    }

    /// The head cannot be sent: removes it and says what it carried.
    pub(super) fn refuse(&mut self) -> Option<(Class, u32)> {
        self.progress_bytes = 0;
        let slot = self.order.remove(self.unconfirmed)?;
        self.free.push(slot);
        Some((self.messages[slot].class, self.messages[slot].events))
    }

    /// Forgets the sent messages that were certainly read, given how many bytes were not.
    ///
    /// Receivers read in order, so the unread bytes are the newest. Weights are lower
    /// bounds: where those of younger messages account for all that is unread, a message
    /// was read to its end.
    pub(super) fn confirm(&mut self, unread_bytes: u64) {
        let mut younger_bytes: u64 = 0;
        let mut keep = 0;
        for &slot in self.order.iter().take(self.unconfirmed).rev() {
            if younger_bytes >= unread_bytes {
                break;
            }
            younger_bytes = younger_bytes.saturating_add(self.messages[slot].weight_bytes);
            keep += 1;
        }
        while self.unconfirmed > keep {
            self.unconfirmed -= 1;
            self.free.extend(self.order.pop_front());
        }
    }

    /// The connection ended: what was not confirmed is to be sent again, and what was
    /// sent in part starts over.
    pub(super) fn rewind(&mut self) {
        self.unconfirmed = 0;
        self.progress_bytes = 0;
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
