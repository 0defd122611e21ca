//! What the sensor counts, and the losses that are not reported yet.

pub mod floods;
pub mod heavy;

use heapless::index_map::FnvIndexMap;

use crate::event::{Class, Loss, LossPlace};
use crate::limits::LOSS_KEYS;
use floods::Floods;

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events taken from the rings.
    pub received: u64,
    /// Of these, excluded by a rule.
    pub excluded: u64,
    /// Lost, wherever it was, at most: once, or by each receiver that missed it. With what an earlier run
    /// had on disk.
    pub lost: u64,
    /// Of these, kept back by the flood guard.
    pub suppressed: u64,
    /// Of those lost, on the way to a receiver.
    pub shed: u64,
}

/// Where events were lost: place, ring, CPU and receiver.
type LossKey = (LossPlace, Option<Class>, Option<u16>, Option<u8>);

/// Counters of one run.
#[derive(Debug, Default)]
pub struct Stats {
    /// Totals since the start.
    pub totals: Totals,
    /// Those that the flood guard kept back.
    pub floods: Box<Floods>,
    unreported: FnvIndexMap<LossKey, u64, LOSS_KEYS>,
}

impl Stats {
    /// Counts a loss, to be reported with others of its place, ring and CPU.
    pub fn lose(&mut self, loss: Loss) {
        self.totals.lost = self.totals.lost.saturating_add(loss.events());
        self.report(loss);
    }

    /// Counts what did not reach a receiver. `new_events` of it are lost now: the others were when they
    /// were counted in a loss record, which is lost with its count.
    pub fn shed(&mut self, losses: impl Iterator<Item = Loss>, new_events: u64) {
        self.totals.lost = self.totals.lost.saturating_add(new_events);
        self.totals.shed = self.totals.shed.saturating_add(new_events);
        losses.for_each(|loss| self.report(loss));
    }

    fn report(&mut self, loss: Loss) {
        if loss.count == 0 {
            return;
        }
        let key = (loss.place, loss.class, loss.cpu, loss.receiver);
        match self.unreported.get_mut(&key) {
            Some(count) => *count = count.saturating_add(loss.count),
            None => {
                // There is a key for every CPU, ring and place.
                let _ = self.unreported.insert(key, loss.count);
            }
        }
    }

    /// Counts events of a process that the flood guard kept back, to be reported with others of it.
    pub fn suppress(&mut self, pid: Option<u32>, events: u64) {
        if events == 0 {
            return;
        }
        self.totals.lost = self.totals.lost.saturating_add(events);
        self.totals.suppressed = self.totals.suppressed.saturating_add(events);
        self.floods.add(pid, events);
    }

    /// The next loss to report. It stays until it is [`reported`](Stats::reported).
    pub fn unreported(&self) -> Option<Loss> {
        let (&(place, class, cpu, receiver), &count) = self.unreported.first()?;
        Some(Loss { place, class, cpu, receiver, count })
    }

    /// A loss from [`unreported`](Stats::unreported) was written to a record.
    pub fn reported(&mut self, loss: Loss) {
        let Loss { place, class, cpu, receiver, .. } = loss;
        self.unreported.swap_remove(&(place, class, cpu, receiver));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_one_place_add_up_and_leave_once() {
        let mut stats = Stats::default();
        let loss = |place, count| Loss {
            place,
            class: Some(Class::Bulk),
            cpu: Some(1),
            receiver: None,
            count,
        };
        stats.lose(loss(LossPlace::RingFull, 3));
        stats.lose(loss(LossPlace::RingFull, 4));
        stats.lose(loss(LossPlace::ProcessTable, 5));
        stats.lose(loss(LossPlace::Malformed, 0));
        assert_eq!(stats.totals.lost, 7);
        let mut seen = Vec::new();
        while let Some(loss) = stats.unreported() {
            stats.reported(loss);
            seen.push(loss);
        }
        assert_eq!(seen, [loss(LossPlace::RingFull, 7), loss(LossPlace::ProcessTable, 5)]);
    }

    #[test]
    fn a_loss_record_that_is_lost_is_told_again_and_not_counted_again() {
        let mut stats = Stats::default();
        let loss = |place, count| Loss { place, class: None, cpu: None, receiver: None, count };
        stats.lose(loss(LossPlace::RingFull, 100));
        for lost_records in 1..4 {
            let told = stats.unreported().unwrap();
            stats.reported(told);
            // The record itself, and what it counts.
            let count = told.count + 1;
            stats.shed([loss(LossPlace::SyslogQueue, count)].into_iter(), 1);
            assert_eq!(stats.unreported(), Some(loss(LossPlace::SyslogQueue, 100 + lost_records)));
            assert_eq!((stats.totals.lost, stats.totals.shed), (100 + lost_records, lost_records));
        }
    }

    #[test]
    fn a_count_ends_at_the_largest_number() {
        let mut stats = Stats::default();
        let loss = Loss {
            place: LossPlace::SyslogQueue,
            class: None,
            cpu: None,
            receiver: None,
            count: u64::MAX,
        };
        stats.lose(loss);
        stats.lose(loss);
        assert_eq!(stats.unreported(), Some(loss));
        assert_eq!(stats.totals.lost, u64::MAX);
    }
}
