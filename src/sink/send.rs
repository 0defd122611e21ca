//! From the queue to the receiver, and from the spool to the queue.

use super::account::{Kind, Lost};
use super::queue::{Count, Head};
use super::transport::{Outcome, Socket};
use super::{Errno, Sink};
use crate::event::Class;
use crate::limits::WRITES_PER_FLUSH;
use std::time::Instant;

impl Sink {
    /// Writes until the queue is empty, the receiver takes no more, or others are to have their turn:
    /// then [`Sink::deadline`] has passed.
    pub(super) fn flush(&mut self) {
        self.repeat();
        self.refill();
        for _ in 0..WRITES_PER_FLUSH {
            if !self.write() {
                break;
            }
            self.repeat();
            self.refill();
        }
        self.note_delivered();
    }

    /// Queues what is due to be sent a second time, while there is room, to a receiver that is there.
    /// Before the spool's: these would take all room, for as long as it has any.
    fn repeat(&mut self) {
        let Some(repeats) = &mut self.repeats else { return };
        if !self.link.is_open() {
            return;
        }
        let now = Instant::now();
        while self.queue.has_window(Class::Bulk)
            && let Some((load, payload)) = repeats.due(now)
        {
            // It has found room before.
            let _ = self.queue.push(load, payload);
        }
    }

    /// Takes messages out of the spool, while there is room.
    fn refill(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        if self.shaper.is_lifted() {
            return;
        }
        for class in Class::ALL {
            // An earlier run may have sent more to it.
            if self.receiver.class.is_some_and(|only| only != class) {
                continue;
            }
            while self.queue.has_window(class)
                && let Some((load, payload)) = spool.next(class)
            {
                if self.queue.push(load, payload).is_err() {
                    self.refused.add(load.if_lost);
                }
            }
        }
    }

    pub(super) fn note_delivered(&mut self) {
        let delivered = self.queue.take_delivered();
        if let Some(spool) = &mut self.spool
            && delivered != [None; 2]
        {
            spool.delivered(delivered, Instant::now());
        }
    }

    /// One message to the receiver. Whether another one may go.
    fn write(&mut self) -> bool {
        let (Some(socket), Some(head)) = (self.link.socket(), self.queue.head()) else {
            return false;
        };
        self.outgoing.take_up(&head);
        let now = Instant::now();
        let Some((bytes, progress)) = self.outgoing.current() else {
            if self.outgoing.is_whole() {
                self.finish(now);
            }
            return true;
        };
        if progress == 0 && !self.shaper.allows(now) {
            return false;
        }
        let unread = socket.unread_bytes();
        let begun_bytes = self.outgoing.begun_bytes();
        match socket.send(&bytes[progress..]) {
            Outcome::Sent(sent) if progress + sent < bytes.len() => {
                self.outgoing.advance(sent);
                self.queue.begin();
                self.link.unblock();
            }
            Outcome::Sent(sent) => {
                let weight = unread.map(|before| weight_bytes(socket, before, progress, sent));
                // The receiver lived when it took this, so `unread` was not zero just
                // because it had closed its socket.
                if let Some(unread) = unread {
                    self.queue.confirm(unread.saturating_sub(begun_bytes));
                }
                self.outgoing.sent(weight);
                self.queue.begin();
                self.shaper.count(now);
                self.link.unblock();
                if self.outgoing.current().is_none() && self.outgoing.is_whole() {
                    self.finish(now);
                }
            }
            Outcome::Blocked { wakes } => {
                self.link.block(wakes, None, now);
                return false;
            }
            Outcome::Failed(error) => {
                self.link.block(false, Some(error), now);
                return false;
            }
            Outcome::TooLarge => {
                self.outgoing.refuse();
            }
            Outcome::Lost(error) => {
                self.lose(error, now);
                return false;
            }
            Outcome::Closed => {
                self.link.close();
                return false;
            }
        }
        true
    }

    /// All of the head is sent, or cannot be.
    fn finish(&mut self, now: Instant) {
        let refused = self.outgoing.refused();
        if refused != Lost::default() && self.queue.count(Count::Refused) {
            self.refused.add(refused);
        }
        if self.outgoing.is_refused() {
            self.queue.refuse();
        } else {
            if self.queue.count(Count::Sent) {
                self.count_sent(now);
            }
            self.queue.sent(self.outgoing.weight_bytes());
        }
        self.outgoing.reset();
    }

    /// The head is sent for the first time.
    fn count_sent(&mut self, now: Instant) {
        let Some(Head { load, payload, .. }) = self.queue.head() else { return };
        match (load.kind, &mut self.repeats) {
            (Kind::Repeat, _) => return,
            (Kind::Record, Some(repeats)) => repeats.keep(&load, payload, now),
            (Kind::Record | Kind::Log(_), _) => {}
        }
        self.sent_messages += 1;
        self.sent_events += u64::from(load.events);
    }

    pub(super) fn lose(&mut self, error: Errno, now: Instant) {
        if let Some(socket) = self.link.socket()
            && socket.unread_outlives_connection()
            && let Some(unread) = socket.unread_bytes()
        {
            self.queue.confirm(unread.saturating_sub(self.outgoing.begun_bytes()));
        }
        self.note_delivered();
        self.outgoing.reset();
        match &mut self.spool {
            Some(spool) => {
                spool.rewind(now);
                self.queue.rewind(|load| spool.keeps(load));
            }
            None => self.queue.rewind(|_| false),
        }
        self.link.lose(error, now);
    }
}

/// A lower bound for what a message just sent adds to the unread bytes. Unix sockets
/// count their buffers, more than the payload: what the number grew by is closer, and
/// never too much, because reading only lowers it.
fn weight_bytes(socket: &Socket, unread_before: u64, progress: usize, sent: usize) -> u64 {
    let grown = socket.unread_bytes().map_or(0, |after| after.saturating_sub(unread_before));
    grown.max(sent as u64) + progress as u64
}
