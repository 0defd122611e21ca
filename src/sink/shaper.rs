//! No more messages than a receiver takes: those beyond its limit it throws away, and tells nobody.

use super::target::Target;
use crate::limits::{JOURNAL_BURST, JOURNAL_RATE};
use core::time::Duration;
use std::path::Path;
use std::time::Instant;

/// The sockets that systemd's journal reads /dev/log's messages from (systemd
/// `units/systemd-journald-dev-log.socket`).
const JOURNAL_SOCKETS: &str = "/run/systemd/journal";

/// Lets messages go at a rate in the long run, and as many at once as were not sent before
/// (a leaky bucket: the generic cell rate algorithm of ITU-T I.371).
pub(super) struct Shaper {
    /// From one message to the next. Zero: no limit.
    interval: Duration,
    /// How far messages may be ahead of that.
    ahead: Duration,
    /// When the next one would be due at the rate.
    due: Instant,
    /// There was a limit.
    is_lifted: bool,
}

impl Shaper {
    /// For `rate` messages a second, in the long run; `None`: what the target wants.
    pub(super) fn new(rate: Option<u32>, target: &Target, now: Instant) -> Shaper {
        match rate {
            Some(rate) => Shaper::limited(rate, rate, now),
            None if is_journal(target) => Shaper::limited(JOURNAL_RATE, JOURNAL_BURST, now),
            None => Shaper::limited(0, 0, now),
        }
    }

    /// For so many messages a second, 0 for any number, and `burst` at once.
    fn limited(rate: u32, burst: u32, now: Instant) -> Shaper {
        let interval = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        Shaper { interval, ahead: interval * burst, due: now, is_lifted: false }
    }

    /// Whether a message may go now.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.due <= now + self.ahead
    }

    /// When half of what may go at once is there, for messages that can do without.
    pub(super) fn next_spare(&self) -> Instant {
        self.due.checked_sub(self.ahead / 2).unwrap_or(self.due)
    }

    /// One has gone.
    pub(super) fn count(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }

    /// Whether there is a limit.
    pub(super) fn is_limited(&self) -> bool {
        !self.interval.is_zero()
    }

    /// Whether there was a limit, and is none any more.
    pub(super) fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    /// There is no limit any more: not much is left to send.
    pub(super) fn lift(&mut self) {
        self.is_lifted |= self.is_limited();
        (self.interval, self.due) = (Duration::ZERO, self.next());
    }

    /// When the next one may go.
    pub(super) fn next(&self) -> Instant {
        self.due.checked_sub(self.ahead).unwrap_or(self.due)
    }
}

/// Whether systemd's journal listens there, whose limit is a thing of every message.
fn is_journal(target: &Target) -> bool {
    let Target::Unix(path) = target else { return false };
    std::fs::canonicalize(path).is_ok_and(|path| path.starts_with(Path::new(JOURNAL_SOCKETS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many go at once each second.
    fn sent(shaper: &mut Shaper, start: Instant, seconds: u64) -> Vec<u32> {
        let at = |second| start + Duration::from_secs(second);
        (0..seconds)
            .map(|second| {
                let mut count = 0;
                while shaper.allows(at(second)) && count < 100_000 {
                    shaper.count(at(second));
                    count += 1;
                }
                count
            })
            .collect()
    }

    /// journald takes 10,000 in 30 s of a service, and rsyslog's imjournal 20,000 in 600 s of all
    /// (`RateLimitBurst` of journald.conf(5); `Ratelimit.Burst` of imjournal).
    #[test]
    fn a_flood_stays_below_the_limits_of_journals() {
        let start = Instant::now();
        let mut shaper = Shaper::limited(JOURNAL_RATE, JOURNAL_BURST, start);
        let sent = sent(&mut shaper, start, 3600);
        for (window, limit) in [(30, 10_000), (600, 20_000)] {
            let most = sent.windows(window).map(|seconds| seconds.iter().sum::<u32>()).max();
            assert!(most.unwrap() < limit, "{most:?} in {window} s");
        }
        assert_eq!(sent[10], JOURNAL_RATE);
        assert_eq!(sent[0], JOURNAL_BURST + 1);
    }

    #[test]
    fn what_was_not_sent_can_be_later() {
        let start = Instant::now();
        let mut shaper = Shaper::new(Some(10), &Target::default(), start);
        assert_eq!(sent(&mut shaper, start, 3), [11, 10, 10]);
        let later = start + Duration::from_secs(100);
        assert_eq!(sent(&mut shaper, later, 1), [11]);
        assert_eq!(shaper.next(), later + Duration::from_millis(100));
    }

    #[test]
    fn there_is_no_limit_where_nobody_has_one() {
        for target in ["stdout", "udp:192.0.2.1:514", "unix:/nonexistent/log"] {
            let start = Instant::now();
            let mut shaper = Shaper::new(None, &target.parse().unwrap(), start);
            assert_eq!(sent(&mut shaper, start, 1), [100_000], "{target}");
        }
    }
}
