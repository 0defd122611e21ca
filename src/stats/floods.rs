//! What the flood guard did not let pass, by process.

use heapless::Vec;
use heapless::index_map::FnvIndexMap;

use crate::event::{Bytes, append};
use crate::limits::{FLOODS, PATH_BYTES, SUPPRESSED_PROCESSES};

/// No process has this id: the processes that nothing is known of.
pub const NOBODY: u32 = 0;

/// A process that had more events than its budget.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Its id, or [`NOBODY`].
    pub pid: u32,
    /// What it executed; empty: not known.
    pub executable: Bytes<PATH_BYTES>,
    /// Its events that were suppressed.
    pub events: u64,
    /// When the last of them was reported, in `CLOCK_MONOTONIC`.
    pub at_ns: u64,
}

/// What is not reported yet, and the last ones that were.
#[derive(Debug, Default)]
pub struct Floods {
    /// Events by process.
    unreported: FnvIndexMap<u32, u64, SUPPRESSED_PROCESSES>,
    /// For whoever asks how the sensor is. The oldest gives its place.
    last: Vec<Flood, FLOODS>,
}

impl Floods {
    /// Counts events of a process, to be reported with others of its own.
    pub fn add(&mut self, pid: Option<u32>, events: u64) {
        let pid = pid.unwrap_or(NOBODY);
        // The last room is for those that find none.
        let is_room = pid == NOBODY || self.unreported.len() < SUPPRESSED_PROCESSES - 1;
        let pid = if is_room || self.unreported.contains_key(&pid) { pid } else { NOBODY };
        match self.unreported.get_mut(&pid) {
            Some(sum) => *sum = sum.saturating_add(events),
            None => {
                let _ = self.unreported.insert(pid, events);
            }
        }
    }

    /// The next process to report, with how many events of it.
    pub fn take_next(&mut self) -> Option<(u32, u64)> {
        let (&pid, _) = self.unreported.first()?;
        Some((pid, self.take(pid)?))
    }

    /// The events of one process.
    pub fn take(&mut self, pid: u32) -> Option<u64> {
        self.unreported.swap_remove(&pid)
    }

    /// Whether all is reported.
    pub fn is_empty(&self) -> bool {
        self.unreported.is_empty()
    }

    /// Remembers what was reported.
    pub fn note(&mut self, pid: u32, executable: &[u8], events: u64, at_ns: u64) {
        let is_its = |flood: &&mut Flood| flood.pid == pid && *flood.executable == *executable;
        if let Some(flood) = self.last.iter_mut().find(is_its) {
            flood.events = flood.events.saturating_add(events);
            flood.at_ns = at_ns;
            return;
        }
        if self.last.is_full()
            && let Some((oldest, _)) = self.last.iter().enumerate().min_by_key(|(_, f)| f.at_ns)
        {
            self.last.swap_remove(oldest);
        }
        let mut flood = Flood { pid, executable: Bytes::new(), events, at_ns };
        append(&mut flood.executable, executable);
        let _ = self.last.push(flood);
    }

    /// The last processes that were reported.
    pub fn last(&self) -> &[Flood] {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_process_add_up_and_leave_once() {
        let mut floods = Floods::default();
        floods.add(Some(7), 3);
        floods.add(None, 1);
        floods.add(Some(7), 4);
        floods.add(Some(8), 2);
        assert_eq!(floods.take(8), Some(2));
        assert_eq!(floods.take(8), None);
        let mut rest: [_; 2] = std::array::from_fn(|_| floods.take_next().unwrap());
        rest.sort();
        assert_eq!(rest, [(NOBODY, 1), (7, 7)]);
        assert!(floods.is_empty() && floods.take_next().is_none());
    }

    #[test]
    fn what_finds_no_room_is_counted_as_nobodys() {
        let mut floods = Floods::default();
        let processes = SUPPRESSED_PROCESSES as u32 + 10;
        (1..=processes).for_each(|pid| floods.add(Some(pid), 1));
        (1..=processes).for_each(|pid| floods.add(Some(pid), 1));
        let (mut events, mut of_nobody) = (0, 0);
        while let Some((pid, count)) = floods.take_next() {
            events += count;
            of_nobody += if pid == NOBODY { count } else { 0 };
        }
        assert_eq!(events, 2 * u64::from(processes));
        assert_eq!(of_nobody, 2 * 11);
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let mut floods = Floods::default();
        for n in 0..FLOODS as u32 + 1 {
            floods.note(n + 1, b"/bin/x", 5, n.into());
        }
        floods.note(3, b"/bin/x", 6, 100);
        // Another program in the same process.
        floods.note(3, b"/bin/y", 1, 101);
        let mut last: std::vec::Vec<_> =
            floods.last().iter().map(|flood| (flood.pid, flood.events, flood.at_ns)).collect();
        last.sort();
        assert_eq!(last.len(), FLOODS);
        assert_eq!(last[..2], [(3, 1, 101), (3, 11, 100)], "1 and 2 were the oldest");
    }
}
