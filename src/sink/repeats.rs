//! Messages that are sent a second time, some seconds behind the first: what a network or a receiver
//! lost of one time it has of the other. `mote decode` leaves out the second of what it has seen.

use super::account::Load;
use super::queue::Head;
use crate::limits::{LINE_BYTES, REPEATED_BYTES, REPEATED_MESSAGES};
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

struct Waiting {
    sent: Instant,
    load: Load,
    bytes: usize,
}

/// Those that were sent once, the oldest first. Their room is taken at the start, of pages that are
/// not resident before they are used.
pub(super) struct Repeats {
    delay: Duration,
    waiting: VecDeque<Waiting>,
    /// Their payloads, one behind the other.
    payloads: VecDeque<u8>,
    /// The one that is being sent, and its payload.
    current: Option<Waiting>,
    payload: Vec<u8>,
    count: u64,
    /// What was sent last was one of them.
    was_last: bool,
}

impl Repeats {
    pub(super) fn new(delay: Duration) -> Repeats {
        Repeats {
            delay,
            waiting: VecDeque::with_capacity(REPEATED_MESSAGES),
            payloads: VecDeque::with_capacity(REPEATED_BYTES),
            current: None,
            payload: Vec::with_capacity(LINE_BYTES),
            count: 0,
            was_last: false,
        }
    }

    /// Keeps a message that was just sent, where there is no room in place of the oldest ones.
    pub(super) fn keep(&mut self, head: &Head, now: Instant) {
        let bytes = head.payload.len();
        while !self.has_room(bytes)
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.payloads.drain(..oldest.bytes);
        }
        if self.has_room(bytes) {
            self.payloads.extend(head.payload);
            self.waiting.push_back(Waiting { sent: now, load: head.load, bytes });
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < REPEATED_MESSAGES && self.payloads.len() + bytes <= REPEATED_BYTES
    }

    /// When the next one is due: where another message would find no room, it has been so since it was
    /// sent. `None`: none waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next = self.current.as_ref().or(self.waiting.front())?;
        let is_late = self.current.is_some() || !self.has_room(LINE_BYTES);
        Some(if is_late { next.sent } else { next.sent + self.delay })
    }

    /// The one that is being sent, or the next one that is due.
    pub(super) fn head(&mut self, now: Instant) -> Option<Head<'_>> {
        if self.current.is_none() && self.deadline()? <= now {
            let next = self.waiting.pop_front()?;
            self.payload.clear();
            self.payload.extend(self.payloads.drain(..next.bytes));
            self.current = Some(next);
            self.count += 1;
        }
        // The queue counts from the other end.
        let id = u64::MAX - self.count;
        Some(Head { id, load: self.current.as_ref()?.load, payload: &self.payload })
    }

    /// It is sent, or cannot be.
    pub(super) fn finish(&mut self) {
        self.current = None;
        self.was_last = true;
    }

    /// Whether one is being sent, or is to be next.
    pub(super) fn is_taken_up(&self) -> bool {
        self.current.is_some()
    }

    /// One of the others was sent.
    pub(super) fn give_turn(&mut self) {
        self.was_last = false;
    }

    /// Whether what was sent last was one of them.
    pub(super) fn was_last(&self) -> bool {
        self.was_last
    }

    /// All are due, and what is yet to be sent is so at once: there is little time left.
    pub(super) fn hurry(&mut self) {
        self.delay = Duration::ZERO;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.current.is_none() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Class;

    const DELAY: Duration = Duration::from_secs(10);

    fn keep(repeats: &mut Repeats, payload: &[u8], now: Instant) -> Load {
        let load = Load::new(Class::Priority, 3, 5);
        repeats.keep(&Head { id: 1, load, payload }, now);
        load
    }

    fn due(repeats: &mut Repeats, now: Instant) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| {
            let payload = repeats.head(now)?.payload.to_vec();
            repeats.finish();
            Some(payload)
        })
        .collect()
    }

    #[test]
    fn each_is_due_once_after_the_delay_in_its_order() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        keep(&mut repeats, b"a", start);
        keep(&mut repeats, b"", start + DELAY / 2);
        keep(&mut repeats, b"bc", start + DELAY / 2);
        assert_eq!(repeats.deadline(), Some(start + DELAY));
        assert!(due(&mut repeats, start + DELAY - Duration::from_nanos(1)).is_empty());
        assert_eq!(due(&mut repeats, start + DELAY), [b"a"]);
        assert_eq!(due(&mut repeats, start + 2 * DELAY), [&b""[..], b"bc"]);
        assert!(repeats.is_empty() && repeats.deadline().is_none());
    }

    #[test]
    fn it_is_the_same_message_until_it_is_sent() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        let first = keep(&mut repeats, b"a", start);
        keep(&mut repeats, b"b", start);
        let head = repeats.head(start + DELAY).unwrap();
        assert_eq!((head.payload, head.load.offered_ns), (&b"a"[..], first.offered_ns));
        let id = head.id;
        assert!(repeats.is_taken_up() && repeats.deadline() == Some(start));
        assert_eq!(repeats.head(start).unwrap().id, id);
        repeats.finish();
        let next = repeats.head(start + DELAY).unwrap();
        assert!(next.id != id && next.payload == b"b");
    }

    #[test]
    fn at_the_end_all_are_due_and_what_is_sent_then() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        keep(&mut repeats, b"a", start);
        repeats.hurry();
        keep(&mut repeats, b"b", start);
        assert_eq!(due(&mut repeats, start), [b"a", b"b"]);
    }

    #[test]
    fn without_room_for_another_the_oldest_is_due_at_once_or_gives_way() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        let payload = |number: usize| vec![number as u8; LINE_BYTES];
        let most = REPEATED_BYTES / LINE_BYTES;
        for number in 0..most {
            keep(&mut repeats, &payload(number), start);
        }
        assert_eq!(due(&mut repeats, start), [payload(0)]);
        // Nobody takes them.
        for number in most..most + 3 {
            keep(&mut repeats, &payload(number), start);
        }
        let kept: Vec<_> = (3..most + 3).map(payload).collect();
        assert_eq!(due(&mut repeats, start + DELAY), kept);

        for number in 0..REPEATED_MESSAGES + 3 {
            keep(&mut repeats, &number.to_le_bytes(), start);
        }
        assert_eq!(due(&mut repeats, start + DELAY).len(), REPEATED_MESSAGES);
        assert!(repeats.payloads.is_empty());
    }
}
