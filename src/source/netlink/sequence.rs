//! What the numbers of the messages tell: how many are missing.

use crate::limits::CONNECTOR_CPUS;

/// The number that each CPU's next message has to have.
///
/// The kernel numbers what it makes before it tries to send it (`send_msg` of linux
/// `drivers/connector/cn_proc.c`), so that what found no memory or no room in a socket leaves
/// a gap. Nothing is numbered while nobody listens.
#[derive(Debug)]
pub struct Sequences {
    /// 0: none has come yet; else the number, and a bit above it. Zeros, so that pages of
    /// CPUs that the machine has not are never touched.
    next: Box<[u64]>,
}

const KNOWN: u64 = 1 << 32;

impl Sequences {
    /// No message has come.
    pub fn new() -> Sequences {
        Sequences { next: vec![0; CONNECTOR_CPUS].into_boxed_slice() }
    }

    /// How many messages are missing before this one.
    pub fn missing(&mut self, cpu: u32, sequence: u32) -> u32 {
        let Some(next) = self.next.get_mut(cpu as usize) else { return 0 };
        let due = *next as u32;
        let ahead = sequence.wrapping_sub(due) as i32;
        // One that was counted as missing and comes late: 3.10 numbers a message, and may
        // be interrupted by another before it sends it.
        if *next != 0 && ahead < 0 {
            return 0;
        }
        let missing = if *next == 0 { 0 } else { ahead as u32 };
        *next = KNOWN | u64::from(sequence.wrapping_add(1));
        missing
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

    #[test]
    fn gaps_are_counted_for_each_cpu() {
        let mut sequences = Sequences::new();
        for (cpu, sequence, missing) in [
            (0, 7, 0),
            (1, 100, 0),
            (0, 8, 0),
            (0, 11, 2),
            // Counted already.
            (0, 9, 0),
            (0, 12, 0),
            (1, 101, 0),
            (2, u32::MAX - 1, 0),
            (2, 1, 2),
            (2, 2, 0),
            // More than there are: its gaps are not seen.
            (CONNECTOR_CPUS as u32, 3, 0),
            (CONNECTOR_CPUS as u32, 9, 0),
            (u32::MAX, 9, 0),
        ] {
            assert_eq!(sequences.missing(cpu, sequence), missing, "{cpu} {sequence}");
        }
    }
}
