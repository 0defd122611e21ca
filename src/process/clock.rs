//! Times of events → times since the host booted, in the unit in which /proc has the start of a
//! process.

use rustix::time::{ClockId, clock_gettime};

/// A `USER_HZ` is a hundredth of a second on every architecture we run on (linux
/// `include/asm-generic/param.h`).
const HUNDREDTH_NS: u64 = 10_000_000;

/// The clocks are compared again when an event is so much younger than the last time: the host
/// may have been suspended in between, which takes far longer by `CLOCK_MONOTONIC` itself.
const COMPARED_NS: u64 = 10_000_000;

/// Clocks that are read one after the other differ by less, and a suspended host sleeps longer.
const SAME_NS: u64 = 1_000_000;

/// A fork is told that much later than the kernel notes the start of the child, unless it is
/// preempted in between.
const TOLD_NS: u64 = 50_000;

/// When a process began, in hundredths of a second since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    At(u64),
    /// Or in the one before.
    Near(u64),
    /// The host was suspended around then.
    Unknown,
}

/// `CLOCK_MONOTONIC`, `CLOCK_BOOTTIME` and `CLOCK_MONOTONIC`, read in this order.
pub type Readings = [u64; 3];

/// `CLOCK_BOOTTIME`, which goes on while the host is suspended, less `CLOCK_MONOTONIC`, which
/// does not.
#[derive(Debug)]
pub struct BootClock {
    read: fn() -> Readings,
    offset_ns: u64,
    /// From when on it is so.
    since_ns: u64,
    /// When it was read last.
    read_ns: u64,
    /// What it was before, and the last time at which it was so.
    before: Option<(u64, u64)>,
}

impl BootClock {
    /// Reads the clocks.
    pub fn new(read: fn() -> Readings) -> BootClock {
        let mut clock = BootClock { read, offset_ns: 0, since_ns: 0, read_ns: 0, before: None };
        clock.compare();
        // What was before it began does not matter.
        (clock.since_ns, clock.before) = (0, None);
        clock
    }

    /// When a process began whose fork was told at `time_ns`, in `CLOCK_MONOTONIC`.
    pub fn start(&mut self, time_ns: u64) -> Start {
        if time_ns.saturating_sub(self.read_ns) > COMPARED_NS {
            self.compare();
        }
        let offset_ns = match self.before {
            _ if time_ns >= self.since_ns => self.offset_ns,
            Some((offset_ns, until_ns)) if time_ns <= until_ns => offset_ns,
            _ => return Start::Unknown,
        };
        let boot_ns = time_ns.saturating_add(offset_ns);
        let hundredths = boot_ns / HUNDREDTH_NS;
        if boot_ns % HUNDREDTH_NS < TOLD_NS {
            Start::Near(hundredths)
        } else {
            Start::At(hundredths)
        }
    }

    fn compare(&mut self) {
        let [before_ns, boot_ns, after_ns] = (self.read)();
        let least_ns = boot_ns.saturating_sub(after_ns);
        let most_ns = boot_ns.saturating_sub(before_ns);
        let is_same = self.offset_ns + SAME_NS >= least_ns && self.offset_ns <= most_ns + SAME_NS;
        if !is_same {
            self.before = Some((self.offset_ns, self.read_ns));
            self.offset_ns = least_ns.midpoint(most_ns);
            self.since_ns = before_ns;
        }
        self.read_ns = before_ns;
    }
}

/// Reads the clocks of this host.
pub fn readings() -> Readings {
    [ClockId::Monotonic, ClockId::Boottime, ClockId::Monotonic].map(|clock| {
        let time = clock_gettime(clock);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    const S: u64 = 1_000_000_000;

    thread_local! {
        static READINGS: Cell<Readings> = const { Cell::new([0; 3]) };
    }

    fn set(monotonic_ns: u64, boot_ns: u64) {
        READINGS.set([monotonic_ns, boot_ns, monotonic_ns + 100]);
    }

    #[test]
    fn a_start_is_in_hundredths_since_boot() {
        set(50 * S, 50 * S + 60);
        let mut clock = BootClock::new(|| READINGS.get());
        assert_eq!(clock.offset_ns, 0, "the difference of two readings is none of two clocks");
        for (time_ns, start) in [
            (49 * S + 9_999_999, Start::At(4_900)),
            (49 * S + 10_000_000, Start::Near(4_901)),
            (49 * S + 10_049_999, Start::Near(4_901)),
            (49 * S + 10_050_000, Start::At(4_901)),
        ] {
            assert_eq!(clock.start(time_ns), start, "{time_ns}");
        }
    }

    #[test]
    fn a_host_that_was_suspended_has_another_offset_from_then_on() {
        set(50 * S, 1_050 * S);
        let mut clock = BootClock::new(|| READINGS.get());
        assert_eq!(clock.start(49 * S + 5_000_000), Start::At(104_900));
        set(51 * S, 2_051 * S);
        // What comes soon after the last look asks for none.
        assert_eq!(clock.start(50 * S + 5_000_000), Start::At(105_000));
        assert_eq!(clock.start(51 * S + 5_000_000), Start::At(205_100));
        // From before it was suspended, told late; and from in between.
        assert_eq!(clock.start(49 * S + 5_000_000), Start::At(104_900));
        assert_eq!(clock.start(50 * S + 5_000_000), Start::Unknown);
        // Nothing changes by itself.
        set(52 * S, 2_052 * S + 900);
        assert_eq!(clock.start(52 * S + 5_000_000), Start::At(205_200));
        assert_eq!(clock.start(51 * S + 5_000_000), Start::At(205_100));
    }

    #[test]
    fn the_clocks_of_this_host_are_read() {
        let [before_ns, boot_ns, after_ns] = readings();
        assert!(before_ns <= after_ns && before_ns <= boot_ns);
    }
}
