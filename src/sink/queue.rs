//! Messages that wait for the receiver, and those that it may not have read yet.
//!
//! Storage is one block, taken at the start. A freed slot is the next one used, so that
//! a queue that is mostly empty touches few pages.

use super::account::{Delivered, Load, Lost};
use super::spool::LINE_MORE_BYTES;
use crate::event::Class;
use std::collections::VecDeque;

/// The message is longer than a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

struct Message {
    /// Unlike any other's.
    id: u64,
    /// Where its bytes are, until it gives up its place.
    slot: u32,
    bytes: u32,
    load: Load,
    /// By [`Count`]: counted before, on a connection that ended.
    counted: [bool; 2],
    /// What it adds to the socket's unread bytes, at least. Of sent messages.
    weight_bytes: u64,
}

/// As what a message is counted, once.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Sent,
    /// In part, or as a whole.
    Refused,
}

/// The message that is sent next.
pub(super) struct Head<'a> {
    pub(super) id: u64,
    pub(super) load: Load,
    pub(super) payload: &'a [u8],
}

/// A queue in wire order that sheds its least wanted message when it is full.
pub(super) struct Queue {
    storage: Vec<u8>,
    slot_bytes: usize,
    slots: usize,
    free: Vec<u32>,
    /// In wire order, the unconfirmed ones first, and of these first the ones without a
    /// slot: as many as there are slots, at most.
    order: VecDeque<Message>,
    /// How many of `order` were sent and perhaps not read.
    unconfirmed: usize,
    /// How many of the unconfirmed gave their slot to newer ones, and are to be counted
    /// unless they prove read.
    given_up: usize,
    /// The receiver has the first unsent message in part.
    begun: bool,
    messages: u64,
    shed: Lost,
    /// By [`Class`]: messages from the spool that need not be sent again.
    delivered: [Option<Delivered>; 2],
    /// By [`Count`] and [`Class`]: where the last one ends in the spool that is counted.
    counted: [[u64; 2]; 2],
}

impl Queue {
    pub(super) fn new(capacity: usize, slot_bytes: usize) -> Queue {
        Queue {
            // calloc: the kernel's zero pages, none of them resident before it is used.
            storage: vec![0; capacity * slot_bytes],
            slot_bytes,
            slots: capacity,
            free: (0..capacity as u32).rev().collect(),
            order: VecDeque::with_capacity(2 * capacity),
            unconfirmed: 0,
            given_up: 0,
            begun: false,
            messages: 0,
            shed: Lost::default(),
            delivered: [None; 2],
            counted: [[0; 2]; 2],
        }
    }

    /// Messages not sent yet.
    pub(super) fn backlog(&self) -> usize {
        self.order.len() - self.unconfirmed
    }

    /// The same without those that are kept elsewhere: on disk, or, what the sensor says of itself,
    /// on standard error.
    pub(super) fn unkept(&self, is_kept: impl Fn(&Load) -> bool) -> usize {
        let unsent = self.order.iter().skip(self.unconfirmed).map(|message| &message.load);
        unsent.filter(|load| load.log.is_none() && !is_kept(load)).count()
    }

    /// Bytes that those not sent yet have in the spool, as far as `is_kept` says so.
    pub(super) fn spooled_bytes(&self, is_kept: impl Fn(&Load) -> bool) -> u64 {
        let unsent = self.order.iter().skip(self.unconfirmed);
        let spooled = unsent.filter(|message| is_kept(&message.load));
        spooled.map(|message| u64::from(message.bytes) + LINE_MORE_BYTES as u64).sum()
    }

    /// The spool was opened anew: what is here is kept in memory only, and may come from there a
    /// second time.
    pub(super) fn forget_places(&mut self) {
        for at in 0..self.order.len() {
            let counted = [Count::Sent, Count::Refused].map(|count| self.is_counted(at, count));
            let message = &mut self.order[at];
            (message.counted, message.load.spooled) = (counted, None);
        }
        self.delivered = [None; 2];
        self.counted = [[0; 2]; 2];
    }

    /// Whether a message finds room at no other's price.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.given_up < self.unconfirmed
    }

    /// The same for a message from the spool, which does without what it can have later.
    pub(super) fn has_window(&self, class: Class) -> bool {
        let most = match class {
            Class::Priority => self.slots,
            Class::Bulk => self.slots.div_ceil(2),
        };
        self.backlog() < most && self.has_room()
    }

    /// What was shed since the last call.
    pub(super) fn take_shed(&mut self) -> Lost {
        core::mem::take(&mut self.shed)
    }

    /// By [`Class`]: up to where messages from the spool are delivered, if that is known better than
    /// at the last call, and how many since then.
    pub(super) fn take_delivered(&mut self) -> [Option<Delivered>; 2] {
        core::mem::take(&mut self.delivered)
    }

    /// Queues a message, at the price of the least wanted one.
    pub(super) fn push(&mut self, load: Load, payload: &[u8]) -> Result<(), TooLong> {
        if payload.len() > self.slot_bytes {
            return Err(TooLong);
        }
        let Some(slot) = self.room_for(load.class) else {
            self.shed.add(load.if_lost);
            return Ok(());
        };
        self.storage[slot as usize * self.slot_bytes..][..payload.len()].copy_from_slice(payload);
        self.messages += 1;
        let (id, bytes) = (self.messages, payload.len() as u32);
        let message = Message { id, slot, bytes, load, counted: [false; 2], weight_bytes: 0 };
        self.order.insert(self.place_for(load.class), message);
        Ok(())
    }

    /// A priority message goes before the bulk messages that are not sent yet: a flood of
    /// those must not delay it. Events are numbered, so a receiver can put them in order.
    fn place_for(&self, class: Class) -> usize {
        let end = self.order.len();
        match class {
            // What is sent again has bulk messages between.
            Class::Priority => match self.last_unsent_priority() {
                Some(last) => last + 1,
                None => self.first_unsent_bulk().unwrap_or(end),
            },
            Class::Bulk => end,
        }
    }

    /// The first of those that are not begun.
    fn first_movable(&self) -> usize {
        self.unconfirmed + usize::from(self.begun)
    }

    fn last_unsent_priority(&self) -> Option<usize> {
        let mut places = self.first_movable()..self.order.len();
        places.rfind(|&at| self.order[at].load.class == Class::Priority)
    }

    fn first_unsent_bulk(&self) -> Option<usize> {
        let mut places = self.first_movable()..self.order.len();
        places.find(|&at| self.order[at].load.class == Class::Bulk)
    }

    /// A free slot; else that of the oldest unconfirmed message, which is probably read;
    /// else of the oldest bulk message; else, for a priority message, of the oldest.
    /// A message that is on the wire in part stays, and so does one from the spool: it has been
    /// taken out of there.
    fn room_for(&mut self, class: Class) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.given_up < self.unconfirmed {
            return Some(self.give_up());
        }
        let mut movable = (self.first_movable()..self.order.len())
            .filter(|&at| self.order[at].load.spooled.is_none());
        let oldest = movable.clone().next();
        let bulk = movable.find(|&at| self.order[at].load.class == Class::Bulk);
        let at = match class {
            Class::Priority => bulk.or(oldest)?,
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
    fn give_up(&mut self) -> u32 {
        if self.given_up == self.slots
            && let Some(oldest) = self.order.pop_front()
        {
            let next = &mut self.order[0].load;
            let is_same = match (oldest.load.spooled, next.spooled) {
                (Some(_), Some(_)) => oldest.load.class == next.class,
                (of_oldest, of_next) => of_oldest.is_none() && of_next.is_none(),
            };
            match oldest.load.spooled {
                // Receivers read in order: what proves the next one read proves both.
                _ if is_same => next.if_lost.add(oldest.load.if_lost),
                // A later one of its class proves it.
                Some(_) => {}
                None => self.shed.add(oldest.load.if_lost),
            }
            self.unconfirmed -= 1;
            self.given_up -= 1;
        }
        let slot = self.order[self.given_up].slot;
        self.given_up += 1;
        slot
    }

    /// The first unsent message.
    pub(super) fn head(&self) -> Option<Head<'_>> {
        let Message { id, slot, bytes, load, .. } = self.order.get(self.unconfirmed)?;
        let payload = &self.storage[*slot as usize * self.slot_bytes..][..*bytes as usize];
        Some(Head { id: *id, load: *load, payload })
    }

    /// Whether the receiver has a part of the head.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// The receiver has a part of the head: it is to get the rest next.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// The head is sent: its events, if it is for the first time. With a weight it stays
    /// until [`Queue::confirm`], without one it is forgotten.
    pub(super) fn sent(&mut self, weight_bytes: Option<u64>) -> Option<u32> {
        self.begun = false;
        let is_new = self.count(Count::Sent);
        let message = self.order.get_mut(self.unconfirmed)?;
        let events = is_new.then_some(message.load.events);
        match weight_bytes {
            Some(weight_bytes) => {
                message.weight_bytes = weight_bytes;
                self.unconfirmed += 1;
            }
            None => self.remove_head(),
        }
        events
    }

    /// What is taken out of the spool again was counted before.
    fn is_counted(&self, at: usize, count: Count) -> bool {
        let message = &self.order[at];
        let end = self.counted[count as usize][message.load.class as usize];
        message.counted[count as usize] || message.load.spooled.is_some_and(|to| to <= end)
    }

    /// Whether the head is not counted as this yet.
    pub(super) fn is_uncounted(&self, count: Count) -> bool {
        self.backlog() > 0 && !self.is_counted(self.unconfirmed, count)
    }

    /// The same. From now on it is.
    pub(super) fn count(&mut self, count: Count) -> bool {
        if !self.is_uncounted(count) {
            return false;
        }
        let message = &mut self.order[self.unconfirmed];
        message.counted[count as usize] = true;
        if let Some(end) = message.load.spooled {
            self.counted[count as usize][message.load.class as usize] = end;
        }
        true
    }

    /// The head cannot be sent, and nothing is to be counted for it any more. One from the spool stays
    /// until those before it are confirmed: until then nothing behind them is delivered.
    pub(super) fn refuse(&mut self) {
        self.begun = false;
        let Some(message) = self.order.get_mut(self.unconfirmed) else { return };
        if self.unconfirmed > 0 && message.load.spooled.is_some() {
            message.load.if_lost = Lost { messages: 1, ..Lost::default() };
            message.weight_bytes = 0;
            self.unconfirmed += 1;
        } else {
            self.remove_head();
        }
    }

    fn remove_head(&mut self) {
        if let Some(message) = self.order.remove(self.unconfirmed) {
            self.free.push(message.slot);
            note_delivered(&mut self.delivered, &message.load);
        }
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
            note_delivered(&mut self.delivered, &message.load);
            self.unconfirmed -= 1;
            if self.given_up > 0 {
                self.given_up -= 1;
            } else {
                self.free.push(message.slot);
            }
        }
    }

    /// The connection ended: what was not confirmed is to be sent again, or, where it has
    /// given up its place, shed; what was sent in part starts over. What the spool still has, as
    /// `is_kept` says, is left to it.
    pub(super) fn rewind(&mut self, is_kept: impl Fn(&Load) -> bool) {
        for message in self.order.drain(..self.given_up) {
            if !is_kept(&message.load) {
                self.shed.add(message.load.if_lost);
            }
        }
        self.given_up = 0;
        self.unconfirmed = 0;
        self.begun = false;
        let free = &mut self.free;
        self.order.retain(|message| {
            let stays = !is_kept(&message.load);
            if !stays {
                free.push(message.slot);
            }
            stays
        });
    }
}

fn note_delivered(delivered: &mut [Option<Delivered>; 2], load: &Load) {
    if let Some(end) = load.spooled {
        let delivered = &mut delivered[load.class as usize];
        // With those that gave up their places to it.
        let messages = delivered.map_or(0, |before| before.messages) + load.if_lost.messages;
        *delivered = Some(Delivered { end, messages });
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
