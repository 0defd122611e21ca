//! What causes events, for as long as somebody watches.

use crate::control::{Counted, CountedCall, Statistics};
use crate::event::{Action, Event};
use crate::limits::{STATISTICS_INITIATORS, STATISTICS_PATHS, STATISTICS_SYSCALLS};
use crate::stats::heavy::Heavy;
use crate::syscalls::{Arch, by_number};

/// Of whom nothing is known.
const UNKNOWN: &[u8] = b"(unknown)";

/// Counters of one watch. Nothing is allocated while it lasts.
pub struct Watch {
    paths: Heavy,
    initiators: Heavy,
    calls: Box<[u64; STATISTICS_SYSCALLS]>,
    events: u64,
    excluded: u64,
    without_path: u64,
}

impl Watch {
    /// Nothing seen.
    pub fn new() -> Watch {
        Watch {
            paths: Heavy::new(STATISTICS_PATHS),
            initiators: Heavy::new(STATISTICS_INITIATORS),
            calls: Box::new([0; STATISTICS_SYSCALLS]),
            events: 0,
            excluded: 0,
            without_path: 0,
        }
    }

    /// An event that came to user space.
    pub fn note(&mut self, event: &Event) {
        self.events += 1;
        self.initiators.add(or_unknown(&event.executable), 1);
        if let Some(number) = event.syscall {
            self.note_calls(number, 1);
        }
        if event.action.is_on_file() && !event.path.is_empty() {
            self.paths.add(&event.path, 1);
        }
        if matches!(event.action, Action::Rename | Action::Link) && !event.from.is_empty() {
            self.paths.add(&event.from, 1);
        }
    }

    /// It was excluded.
    pub fn note_excluded(&mut self) {
        self.excluded += 1;
    }

    /// Events of a program that did not come; `lost`: those that were kept back included.
    pub fn note_unsent(&mut self, executable: Option<&[u8]>, excluded: u64, lost: u64) {
        self.events += excluded + lost;
        self.excluded += excluded;
        self.without_path += excluded + lost;
        self.initiators.add(or_unknown(executable.unwrap_or_default()), excluded + lost);
    }

    /// Calls of a number.
    pub fn note_calls(&mut self, number: u32, count: u64) {
        if let Some(calls) = self.calls.get_mut(number as usize) {
            *calls += count;
        }
    }

    /// The `top` of each.
    pub fn statistics(&self, seconds: u32, top: usize) -> Statistics {
        let (file_paths, file_paths_error) = most(&self.paths, top);
        let (initiator_paths, initiator_paths_error) = most(&self.initiators, top);
        let called = self.calls.iter().zip(0..).filter(|(count, _)| **count > 0);
        let mut syscall_ids: Vec<CountedCall> = called
            .map(|(count, id)| CountedCall {
                id,
                name: by_number(Arch::HOST, id).map(|call| call.name.to_owned()),
                count: *count,
            })
            .collect();
        syscall_ids.sort_by_key(|call| std::cmp::Reverse(call.count));
        syscall_ids.truncate(top);
        Statistics {
            // Who ran is not known here.
            subsystems: Vec::new(),
            seconds,
            file_paths,
            file_paths_error,
            initiator_paths,
            initiator_paths_error,
            syscall_ids,
            events: self.events,
            events_excluded: self.excluded,
            events_without_path: self.without_path,
        }
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new()
    }
}

fn or_unknown(path: &[u8]) -> &[u8] {
    if path.is_empty() { UNKNOWN } else { path }
}

/// The most frequent, and the most that one of these counts is too high.
fn most(heavy: &Heavy, top: usize) -> (Vec<Counted>, u64) {
    let hitters = heavy.top(top);
    let error = hitters.iter().map(|hitter| hitter.error_at_most).max().unwrap_or(0);
    let counted =
        |path: &[u8], count| Counted { path: String::from_utf8_lossy(path).into_owned(), count };
    (hitters.iter().map(|hitter| counted(hitter.key, hitter.count)).collect(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r15_what_did_not_come_is_counted_too() {
        let mut watch = Watch::new();
        let mut event = Event::new();
        (event.action, event.syscall) = (Action::Rename, Some(82));
        event.executable.extend_from_slice(b"/usr/bin/mv").unwrap();
        event.path.extend_from_slice(b"/tmp/b").unwrap();
        event.from.extend_from_slice(b"/tmp/a").unwrap();
        watch.note(&event);
        watch.note_excluded();
        watch.note_unsent(Some(b"/usr/bin/make"), 5, 1);
        watch.note_unsent(None, 0, 2);
        watch.note_calls(87, 6);
        watch.note_calls(u32::MAX, 1);
        let statistics = watch.statistics(20, 10);
        let counts = |list: &[Counted]| {
            list.iter().map(|one| (one.path.clone(), one.count)).collect::<Vec<_>>()
        };
        let mut paths = counts(&statistics.file_paths);
        paths.sort();
        assert_eq!(paths, [("/tmp/a".into(), 1), ("/tmp/b".into(), 1)]);
        let initiators = counts(&statistics.initiator_paths);
        let expected = [("/usr/bin/make", 6), ("(unknown)", 2), ("/usr/bin/mv", 1)];
        assert_eq!(initiators, expected.map(|(path, count)| (path.to_owned(), count)));
        let calls: Vec<_> = statistics.syscall_ids.iter().map(|one| (one.id, one.count)).collect();
        assert_eq!(calls, [(87, 6), (82, 1)]);
        assert_eq!(statistics.events, 9);
        assert_eq!(statistics.events_excluded, 6);
        assert_eq!(statistics.events_without_path, 8);
        assert_eq!(watch.statistics(20, 1).initiator_paths.len(), 1);
    }
}
