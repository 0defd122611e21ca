//! While one provider takes over from another both run, and tell the same events: each is
//! reported once.

use heapless::Deque;
use heapless::index_map::FnvIndexMap;

use crate::event::{Action, Event};
use crate::record::Provider;

/// Both providers tell of an event from the same task in the kernel, microseconds apart unless the
/// task is preempted in between: of an exec and an exit eBPF first, of a fork the process connector
/// (linux `fs/exec.c`, `kernel/exit.c`, `kernel/fork.c`). What is further apart are two events.
pub const APART_NS: u64 = 100_000_000;

/// Processes that begin, execute or end while providers change: for a second or more, of which
/// one provider tells before the other is asked.
const KEYS: usize = 4096;

/// What was told so long ago the other provider has told too, or never will.
const KEPT_NS: u64 = 2_000_000_000;

/// Events of one process that one provider has told and the other one has not. More are
/// reported twice.
const TOLD: usize = 8;

/// The events of a process that one provider has told and the other one has not, oldest first.
#[derive(Debug, Default)]
struct Told {
    by_ebpf: Deque<u64, TOLD>,
    by_netlink: Deque<u64, TOLD>,
}

impl Told {
    /// When the last of them was.
    fn last_ns(&self) -> u64 {
        let last = |times_ns: &Deque<u64, TOLD>| times_ns.back().copied().unwrap_or(0);
        last(&self.by_ebpf).max(last(&self.by_netlink))
    }

    /// Takes out the event that is this one, told by the other provider. A process begins and
    /// ends once. It executes one program after the other: what the process connector tells is
    /// the last that eBPF told before, never one behind.
    fn take(&mut self, by: Provider, action: Action, time_ns: u64) -> bool {
        let is_near = |ebpf_ns: u64, netlink_ns: u64| match action {
            Action::Exec => netlink_ns.checked_sub(ebpf_ns).is_some_and(|ns| ns <= APART_NS),
            _ => ebpf_ns.abs_diff(netlink_ns) <= APART_NS,
        };
        let (times_ns, found) = match by {
            Provider::Netlink => {
                let found = self.by_ebpf.iter().rposition(|told_ns| is_near(*told_ns, time_ns));
                (&mut self.by_ebpf, found)
            }
            Provider::Ebpf => {
                let found = self.by_netlink.iter().position(|told_ns| is_near(time_ns, *told_ns));
                (&mut self.by_netlink, found)
            }
        };
        let Some(found) = found else { return false };
        for at in 0..times_ns.len() {
            let Some(told_ns) = times_ns.pop_front() else { break };
            if at != found {
                let _ = times_ns.push_back(told_ns);
            }
        }
        true
    }
}

/// What was told since both run.
#[derive(Debug)]
pub struct Overlap {
    told: Box<FnvIndexMap<(Action, u32), Told, KEYS>>,
}

impl Overlap {
    /// Nothing yet.
    pub fn new() -> Overlap {
        Overlap { told: Box::new(FnvIndexMap::new()) }
    }

    /// Whether the other provider has told this event already. If not, it is remembered that
    /// this one has. In doubt it has not: told twice is better than not at all.
    pub fn is_repeated(&mut self, by: Provider, event: &Event) -> bool {
        let told_by_both = match event.action {
            Action::Exec => event.ret == Some(0),
            Action::Fork | Action::Exit => true,
            _ => false,
        };
        if !told_by_both {
            return false;
        }
        let key = (event.action, event.pid);
        if let Some(told) = self.told.get_mut(&key)
            && told.take(by, event.action, event.time_ns)
        {
            // There is place for what is still to be told.
            if told.by_ebpf.is_empty() && told.by_netlink.is_empty() {
                self.told.swap_remove(&key);
            }
            return true;
        }
        if !self.told.contains_key(&key) {
            if self.told.is_full() {
                self.told.retain(|_, told| told.last_ns() + KEPT_NS >= event.time_ns);
            }
            let _ = self.told.insert(key, Told::default());
        }
        if let Some(told) = self.told.get_mut(&key) {
            let times_ns = match by {
                Provider::Ebpf => &mut told.by_ebpf,
                Provider::Netlink => &mut told.by_netlink,
            };
            if times_ns.is_full() {
                times_ns.pop_front();
            }
            let _ = times_ns.push_back(event.time_ns);
        }
        false
    }
}

impl Default for Overlap {
    fn default() -> Overlap {
        Overlap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Provider::{Ebpf, Netlink};
    use super::*;

    const MS: u64 = 1_000_000;

    fn event(action: Action, pid: u32, ms: u64) -> Event {
        let mut event = Event::new();
        (event.action, event.pid, event.time_ns, event.ret) =
            (action, pid, 5_000 * MS + ms * MS, Some(0));
        event
    }

    /// What is reported of these.
    fn reported(events: &[(Provider, Action, u32, u64)]) -> Vec<usize> {
        let mut overlap = Overlap::new();
        let is_new = |(n, &(by, action, pid, ms))| {
            (!overlap.is_repeated(by, &event(action, pid, ms))).then_some(n)
        };
        events.iter().enumerate().filter_map(is_new).collect()
    }

    #[test]
    fn what_both_tell_is_reported_once() {
        use Action::{Exec, Exit, Fork};
        let both = [(Ebpf, Exec, 7, 1), (Ebpf, Exit, 7, 2), (Netlink, Exec, 7, 1)];
        assert_eq!(reported(&both), [0, 1]);
        assert_eq!(reported(&[(Netlink, Fork, 7, 2), (Ebpf, Fork, 7, 1)]), [0]);
        assert_eq!(reported(&[(Ebpf, Fork, 7, 1), (Netlink, Fork, 7, 2)]), [0]);
        assert_eq!(reported(&[(Ebpf, Fork, 7, 2), (Netlink, Fork, 7, 1)]), [0]);
        // Three programs in a row, told by one after the other.
        let row = [1, 2, 3].map(|ms| (Ebpf, Exec, 7, ms));
        let again = [1, 2, 3].map(|ms| (Netlink, Exec, 7, ms));
        assert_eq!(reported(&[row, again].concat()), [0, 1, 2]);
        assert_eq!(reported(&[again, row].concat()), [0, 1, 2]);
    }

    /// eBPF begins or ends between two programs that a process executes in a row: none of them
    /// is taken for the other.
    #[test]
    fn a_program_is_not_taken_for_the_next_one() {
        use Action::Exec;
        let (first, second) = (1, 20);
        for order in [
            vec![(Ebpf, Exec, 7, second), (Netlink, Exec, 7, first), (Netlink, Exec, 7, second)],
            vec![(Netlink, Exec, 7, first), (Ebpf, Exec, 7, second), (Netlink, Exec, 7, second)],
            vec![(Netlink, Exec, 7, first), (Netlink, Exec, 7, second), (Ebpf, Exec, 7, second)],
        ] {
            let told: Vec<u64> = reported(&order).into_iter().map(|n| order[n].3).collect();
            assert!(told.len() == 2 && told.contains(&first) && told.contains(&second), "{told:?}");
        }
    }

    #[test]
    fn what_only_one_saw_is_reported() {
        use Action::{Exec, Open};
        // Another process, another time, another provider's only.
        assert_eq!(reported(&[(Ebpf, Exec, 7, 1), (Netlink, Exec, 8, 1)]), [0, 1]);
        assert_eq!(reported(&[(Ebpf, Exec, 7, 1), (Netlink, Exec, 7, 150)]), [0, 1]);
        assert_eq!(reported(&[(Ebpf, Exec, 7, 150), (Netlink, Exec, 7, 1)]), [0, 1]);
        assert_eq!(reported(&[(Netlink, Exec, 7, 1), (Netlink, Exec, 7, 2)]), [0, 1]);
        assert_eq!(reported(&[(Ebpf, Open, 7, 1), (Netlink, Open, 7, 1)]), [0, 1]);
    }

    #[test]
    fn an_attempt_is_no_exec() {
        let mut overlap = Overlap::new();
        let mut attempt = event(Action::Exec, 7, 1);
        attempt.ret = Some(-2);
        assert!(!overlap.is_repeated(Ebpf, &attempt));
        assert!(!overlap.is_repeated(Netlink, &event(Action::Exec, 7, 1)));
    }

    #[test]
    fn a_full_table_reports_twice_rather_than_never() {
        let mut overlap = Overlap::new();
        let last = 2 * KEYS as u32 - 1;
        for pid in 0..=last {
            assert!(!overlap.is_repeated(Ebpf, &event(Action::Exec, pid, 1)));
        }
        assert!(overlap.is_repeated(Netlink, &event(Action::Exec, 0, 1)));
        assert!(!overlap.is_repeated(Netlink, &event(Action::Exec, last, 1)));
        // As does a process with more than is kept.
        for _ in 0..=TOLD {
            overlap.is_repeated(Ebpf, &event(Action::Exec, 1, 2));
        }
        let repeated =
            (0..=TOLD).filter(|_| overlap.is_repeated(Netlink, &event(Action::Exec, 1, 2)));
        assert_eq!(repeated.count(), TOLD);
    }

    #[test]
    fn what_both_have_told_takes_no_place() {
        let mut overlap = Overlap::new();
        for pid in 0..2 * KEYS as u32 {
            assert!(!overlap.is_repeated(Ebpf, &event(Action::Fork, pid, 1)));
            assert!(overlap.is_repeated(Netlink, &event(Action::Fork, pid, 1)));
        }
    }

    #[test]
    fn a_full_table_forgets_what_is_long_ago() {
        let mut overlap = Overlap::new();
        for pid in 0..KEYS as u32 {
            overlap.is_repeated(Ebpf, &event(Action::Exec, pid, 1));
        }
        let later_ms = 2 + KEPT_NS / MS;
        assert!(!overlap.is_repeated(Ebpf, &event(Action::Exec, KEYS as u32, later_ms)));
        assert!(overlap.is_repeated(Netlink, &event(Action::Exec, KEYS as u32, later_ms)));
    }
}
