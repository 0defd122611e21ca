//! A set of sequence numbers, most of which follow each other.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Numbers as ranges, first to last, that neither overlap nor touch.
#[derive(Debug, Default)]
pub struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    /// Adds the numbers of a range. How many of them were not there.
    pub fn add(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (mut first, mut last) = (*range.start(), *range.end());
        if first > last {
            return 0;
        }
        // The next of a range that is the last one: as most are.
        if let Some(mut end) = self.0.last_entry()
            && end.get().checked_add(1) == Some(first)
        {
            end.insert(last);
            return (last - first).saturating_add(1);
        }
        let mut new = (last - first).saturating_add(1);
        // From the range that holds or touches the first number on.
        let touched: Vec<(u64, u64)> = self
            .0
            .range(..=last.saturating_add(1))
            .rev()
            .take_while(|(_, end)| end.saturating_add(1) >= first)
            .map(|(start, end)| (*start, *end))
            .collect();
        for (start, end) in touched {
            let common = end.min(*range.end()).checked_sub(start.max(*range.start()));
            new -= common.map_or(0, |less_one| less_one.saturating_add(1));
            (first, last) = (first.min(start), last.max(end));
            self.0.remove(&start);
        }
        self.0.insert(first, last);
        new
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|(first, _)| *first)
    }

    /// The highest number.
    pub fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// The ranges that are not there, from `from` to the highest number.
    pub fn gaps(&self, from: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
        let mut next = Some(from);
        self.0.iter().filter_map(move |(first, last)| {
            let begin = next?;
            next = last.checked_add(1);
            // `from` may be behind the lowest number.
            (begin < *first).then(|| begin..=first - 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_grow_together() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.add(5..=9), 5);
        assert_eq!(numbers.add(20..=20), 1);
        assert_eq!(numbers.add(8..=11), 2, "8 and 9 were there");
        assert_eq!(numbers.add(12..=19), 8);
        assert_eq!(numbers.0.len(), 1);
        assert_eq!((numbers.first(), numbers.last()), (Some(5), Some(20)));
        assert_eq!(numbers.gaps(1).collect::<Vec<_>>(), [1..=4]);
        assert_eq!(numbers.gaps(5).count(), 0);
    }

    #[test]
    fn the_highest_numbers_are_no_overflow() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.add(u64::MAX..=u64::MAX), 1);
        assert_eq!(numbers.add(0..=0), 1);
        assert_eq!(numbers.gaps(0).collect::<Vec<_>>(), [1..=u64::MAX - 1]);
        assert_eq!(numbers.add(0..=u64::MAX), u64::MAX - 2, "of which none is counted twice");
        assert_eq!(numbers.gaps(0).count(), 0);
    }

    #[test]
    fn it_is_a_set() {
        let mut rng = Rng::with_seed(5);
        for _ in 0..300 {
            let (mut numbers, mut set) = (Numbers::default(), BTreeSet::new());
            for _ in 0..rng.usize(1..40) {
                let first = rng.u64(1..200);
                let range = first..=first + rng.u64(..12);
                let new = range.clone().filter(|number| set.insert(*number)).count();
                assert_eq!(numbers.add(range), new as u64);
            }
            let from = rng.u64(..3);
            let missing: Vec<u64> =
                (from..=*set.last().unwrap()).filter(|number| !set.contains(number)).collect();
            assert_eq!(numbers.gaps(from).flatten().collect::<Vec<_>>(), missing);
        }
    }
}
