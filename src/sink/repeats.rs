//! Messages that are sent a second time, some seconds behind the first: what a network or a receiver
//! lost of one time it has of the other. `mote decode` leaves out the second of what it has seen.

use super::account::Load;
use crate::limits::{LINE_BYTES, REPEATED_BYTES, REPEATED_MESSAGES};
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

struct Waiting {
    due: Instant,
    offered_ns: i64,
    bytes: usize,
}

/// Those that were sent once, the oldest first. Their room is taken at the start, of pages that are
/// not resident before they are used.
pub(super) struct Repeats {
    delay: Duration,
    waiting: VecDeque<Waiting>,
    /// Their payloads, one behind the other.
    payloads: VecDeque<u8>,
    /// The payload of the one taken last.
    taken: Vec<u8>,
}

impl Repeats {
    pub(super) fn new(delay: Duration) -> Repeats {
        Repeats {
            delay,
            waiting: VecDeque::with_capacity(REPEATED_MESSAGES),
            payloads: VecDeque::with_capacity(REPEATED_BYTES),
            taken: Vec::with_capacity(LINE_BYTES),
        }
    }

    /// Keeps a message that was just sent. One that finds no room, although the oldest ones were not waited
    /// for ([`Repeats::deadline`]), takes theirs: they were sent once.
    pub(super) fn keep(&mut self, load: &Load, payload: &[u8], now: Instant) {
        while !self.waiting.is_empty() && !self.has_room(payload.len()) {
            self.take();
        }
        if self.has_room(payload.len()) {
            self.payloads.extend(payload);
            let (due, offered_ns, bytes) = (now + self.delay, load.offered_ns, payload.len());
            self.waiting.push_back(Waiting { due, offered_ns, bytes });
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < REPEATED_MESSAGES && self.payloads.len() + bytes <= REPEATED_BYTES
    }

    /// When the next one is due: at once where another message would find no room. `None`: none waits.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let due = self.waiting.front()?.due;
        Some(if self.has_room(LINE_BYTES) { due } else { due.min(now) })
    }

    /// The next one, if it is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Load, &[u8])> {
        if self.deadline(now)? > now {
            return None;
        }
        let offered_ns = self.take()?;
        Some((Load::of_repeat(offered_ns), &self.taken))
    }

    fn take(&mut self) -> Option<i64> {
        let first = self.waiting.pop_front()?;
        self.taken.clear();
        self.taken.extend(self.payloads.drain(..first.bytes));
        Some(first.offered_ns)
    }

    /// All are due: there is little time left.
    pub(super) fn hurry(&mut self, now: Instant) {
        for waiting in &mut self.waiting {
            waiting.due = waiting.due.min(now);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Class;

    const DELAY: Duration = Duration::from_secs(10);

    fn load() -> Load {
        Load::new(Class::Priority, 3, 5)
    }

    fn due(repeats: &mut Repeats, now: Instant) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| repeats.due(now).map(|(_, payload)| payload.to_vec())).collect()
    }

    #[test]
    fn each_is_due_once_after_the_delay_in_its_order() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        repeats.keep(&load(), b"a", start);
        repeats.keep(&load(), b"bc", start + DELAY / 2);
        assert_eq!(repeats.deadline(start), Some(start + DELAY));
        assert!(due(&mut repeats, start + DELAY - Duration::from_nanos(1)).is_empty());
        assert_eq!(due(&mut repeats, start + DELAY), [b"a"]);
        assert_eq!(due(&mut repeats, start + 2 * DELAY), [b"bc"]);
        assert!(repeats.is_empty() && repeats.deadline(start).is_none());
    }

    #[test]
    fn it_counts_nothing_a_second_time_and_keeps_its_time() {
        let (start, mut repeats, first) = (Instant::now(), Repeats::new(DELAY), load());
        repeats.keep(&first, b"a", start);
        let (second, _) = repeats.due(start + DELAY).unwrap();
        assert_eq!((second.events, second.if_lost), (0, super::super::Lost::default()));
        assert_eq!(second.offered_ns, first.offered_ns);
    }

    #[test]
    fn at_the_end_all_are_due() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        repeats.keep(&load(), b"a", start);
        repeats.keep(&load(), b"b", start);
        repeats.hurry(start);
        assert_eq!(due(&mut repeats, start), [b"a", b"b"]);
    }

    #[test]
    fn without_room_for_another_the_oldest_is_due_at_once_or_gives_way() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(DELAY));
        let payload = |number: usize| vec![number as u8; LINE_BYTES];
        let most = REPEATED_BYTES / LINE_BYTES;
        for number in 0..most {
            repeats.keep(&load(), &payload(number), start);
        }
        assert_eq!(due(&mut repeats, start), [payload(0)]);
        // Nobody takes them.
        for number in most..most + 3 {
            repeats.keep(&load(), &payload(number), start);
        }
        let kept: Vec<_> = (3..most + 3).map(payload).collect();
        assert_eq!(due(&mut repeats, start + DELAY), kept);

        for number in 0..REPEATED_MESSAGES + 3 {
            repeats.keep(&load(), &number.to_le_bytes(), start);
        }
        assert_eq!(due(&mut repeats, start + DELAY).len(), REPEATED_MESSAGES);
        assert!(repeats.payloads.is_empty());
    }
}
