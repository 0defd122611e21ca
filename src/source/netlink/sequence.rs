//! What the numbers of the messages tell: how many are missing.

use heapless::Vec;

use crate::limits::{CONNECTOR_CPUS, CONNECTOR_GAPS};

/// How long a number that was passed over may still come. In 3.10 a message is numbered, and
/// others of its CPU may then run before it is sent (`proc_fork_connector` and others of linux
/// `drivers/connector/cn_proc.c`), thirty of them for more than 50 ms; by 4.15 they may not
/// (`send_msg`).
const LATE_NS: u64 = 1_000_000_000;

/// The number that each CPU's next message has to have.
///
/// The kernel numbers what it makes before it tries to send it, so that what found no memory
/// or no room in a socket leaves a gap. Nothing is numbered while nobody listens.
#[derive(Debug)]
pub struct Sequences {
    /// 0: none has come yet; else the number, and a bit above it. Zeros, so that pages of
    /// CPUs that the machine has not are never touched.
    next: Box<[u64]>,
    /// The oldest first.
    gaps: Vec<Gap, CONNECTOR_GAPS>,
}

const KNOWN: u64 = 1 << 32;

/// Numbers that were passed over.
#[derive(Clone, Copy, Debug)]
struct Gap {
    cpu: u32,
    first: u32,
    /// From `first` on, whether they came or not.
    numbers: u32,
    missing: u32,
    since_ns: u64,
}

impl Sequences {
    /// No message has come.
    pub fn new() -> Sequences {
        Sequences { next: vec![0; CONNECTOR_CPUS].into_boxed_slice(), gaps: Vec::new() }
    }

    /// A message came. How many are known to be missing now, if it is not too early to say.
    pub fn note(&mut self, cpu: u32, sequence: u32, time_ns: u64) -> u64 {
        let Some(next) = self.next.get_mut(cpu as usize) else { return 0 };
        let due = *next as u32;
        let ahead = sequence.wrapping_sub(due) as i32;
        if *next != 0 && ahead < 0 {
            self.fill(cpu, sequence);
            return 0;
        }
        let missing = if *next == 0 { 0 } else { ahead as u32 };
        *next = KNOWN | u64::from(sequence.wrapping_add(1));
        if missing == 0 {
            return 0;
        }
        // In a list that is full, the oldest are given up.
        let lost = if self.gaps.is_full() { u64::from(self.gaps.remove(0).missing) } else { 0 };
        let gap = Gap { cpu, first: due, numbers: missing, missing, since_ns: time_ns };
        let _ = self.gaps.push(gap);
        lost
    }

    /// A number that was passed over.
    fn fill(&mut self, cpu: u32, sequence: u32) {
        let is_in = |gap: &Gap| gap.cpu == cpu && sequence.wrapping_sub(gap.first) < gap.numbers;
        if let Some(at) = self.gaps.iter().position(is_in) {
            self.gaps[at].missing -= 1;
            if self.gaps[at].missing == 0 {
                self.gaps.remove(at);
            }
        }
    }

    /// How many messages can be given up at this time.
    pub fn give_up(&mut self, now_ns: u64) -> u64 {
        let mut lost = 0;
        self.gaps.retain(|gap| {
            let waits = now_ns.saturating_sub(gap.since_ns) < LATE_NS;
            if !waits {
                lost += u64::from(gap.missing);
            }
            waits
        });
        lost
    }

    /// Gives up all that is missing: nobody waits for it.
    pub fn give_up_all(&mut self) -> u64 {
        self.give_up(u64::MAX)
    }
}

impl Default for Sequences {
    fn default() -> Sequences {
        Sequences::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Notes messages of one moment, and gives up what is missing then.
    fn lost(messages: &[(u32, u32)]) -> u64 {
        let mut sequences = Sequences::new();
        let early: u64 = messages.iter().map(|(cpu, n)| sequences.note(*cpu, *n, MS)).sum();
        assert_eq!((early, sequences.give_up(2 * MS)), (0, 0), "it is too early to say");
        let lost = sequences.give_up(1_100 * MS);
        assert_eq!(sequences.give_up_all(), 0, "a loss is told once");
        lost
    }

    #[test]
    fn gaps_are_counted_for_each_cpu() {
        for (messages, expected) in [
            (&[(0, 7), (1, 100), (0, 8), (1, 101)][..], 0),
            (&[(0, 7), (0, 10)], 2),
            (&[(0, 7), (0, 9), (1, 7), (1, 10), (0, 11)], 1 + 2 + 1),
            (&[(2, u32::MAX - 1), (2, 1), (2, 2)], 2),
            // More than there are: their gaps are not seen.
            (&[(CONNECTOR_CPUS as u32, 3), (CONNECTOR_CPUS as u32, 9), (u32::MAX, 9)], 0),
        ] {
            assert_eq!(lost(messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn what_comes_late_is_not_missing() {
        for (messages, expected) in [
            (&[(0, 7), (0, 9), (0, 8), (0, 10)][..], 0),
            (&[(0, 7), (0, 10), (0, 9), (0, 8), (0, 11)], 0),
            (&[(0, 7), (0, 10), (0, 9)], 1),
            (&[(0, u32::MAX), (0, 1), (0, 0)], 0),
            // Of another CPU.
            (&[(1, 20), (0, 7), (0, 9), (1, 8)], 1),
        ] {
            assert_eq!(lost(messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn more_gaps_than_are_remembered_are_counted_too() {
        let mut sequences = Sequences::new();
        let gaps = 3 * CONNECTOR_GAPS as u32;
        let early: u64 = (0..=gaps).map(|n| sequences.note(0, 2 * n, MS)).sum();
        assert_eq!(early + sequences.give_up_all(), u64::from(gaps));
    }
}
