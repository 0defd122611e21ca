//! From the queue to the receiver, and from the spool to the queue.

use super::account::Lost;
use super::link::Poll;
use super::queue::Count;
use super::repeats::Repeats;
use super::transport::{Outcome, Socket};
use super::{Errno, Sink};
use crate::event::Class;
use crate::limits::WRITES_PER_FLUSH;
use std::time::Instant;

impl Sink {
    /// Writes until nothing is to be sent, the receiver takes no more, or others are to have their turn:
    /// then [`Sink::deadline`] has passed.
    pub(super) fn flush(&mut self) {
        self.refill();
        for _ in 0..WRITES_PER_FLUSH {
            if !self.write() {
                break;
            }
            self.refill();
        }
        self.note_delivered();
    }

    /// Writes, blocking, until `is_done`, or no more is to go.
    pub(super) fn write_until(&mut self, until: Instant, is_done: impl Fn(&Sink) -> bool) {
        loop {
            let now = Instant::now();
            self.link.advance(Poll(None), now);
            self.flush();
            if is_done(self) || self.is_closed() || now >= until {
                break;
            }
            match (self.link.is_open(), self.shaper.allows(Instant::now())) {
                (true, true) => {}
                (true, false) => break,
                (false, _) => self.link.wait(until, now),
            }
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
        let Some(socket) = self.link.socket() else { return false };
        let now = Instant::now();
        let may_repeat = self.may_repeat(now);
        let repeats = self.repeats.as_mut().filter(|_| may_repeat);
        let repeat = repeats.and_then(|repeats| repeats.head(now));
        let is_repeat = repeat.is_some();
        let Some(head) = repeat.or_else(|| self.queue.head()) else { return false };
        self.outgoing.take_up(&head);
        let Some((bytes, progress)) = self.outgoing.current() else {
            if self.outgoing.is_whole() {
                self.finish(is_repeat, now);
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
                if !is_repeat {
                    self.queue.begin();
                }
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
                if !is_repeat {
                    self.queue.begin();
                }
                self.shaper.count(now);
                self.link.unblock();
                if self.outgoing.current().is_none() && self.outgoing.is_whole() {
                    self.finish(is_repeat, now);
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

    /// Whether a message that was sent before may go before those of the queue: where none waits there, and by
    /// turns with what waits on disk and has room there.
    fn may_repeat(&self, now: Instant) -> bool {
        let Some(repeats) = &self.repeats else { return false };
        if repeats.is_taken_up() {
            return true;
        }
        let can_wait = self.spool.as_ref().is_some_and(|spool| !spool.is_filling());
        let is_turn = can_wait && !self.queue.is_begun() && !repeats.was_last();
        (self.queue.backlog() == 0 || is_turn) && self.shaper.next_spare() <= now
    }

    /// All of the head is sent, or cannot be.
    fn finish(&mut self, is_repeat: bool, now: Instant) {
        if is_repeat {
            self.outgoing.reset();
            // Its events were counted with the first.
            return self.repeats.iter_mut().for_each(Repeats::finish);
        }
        let refused = self.outgoing.refused();
        if refused != Lost::default() && self.queue.count(Count::Refused) {
            self.refused.add(refused);
        }
        if let (Some(repeats), Some(head)) = (&mut self.repeats, self.queue.head()) {
            repeats.give_turn();
            let is_new = self.queue.is_uncounted(Count::Sent) && !self.outgoing.is_refused();
            if is_new && head.load.log.is_none() {
                repeats.keep(&head, now);
            }
        }
        if self.outgoing.is_refused() {
            self.queue.refuse();
        } else if let Some(events) = self.queue.sent(self.outgoing.weight_bytes()) {
            self.sent_messages += 1;
            self.sent_events += u64::from(events);
        }
        self.outgoing.reset();
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
