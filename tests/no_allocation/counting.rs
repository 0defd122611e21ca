//! What is looked up and counted with every event: exclusions and frequent keys.

use crate::allocator::without_heap;
use crate::common::bytes;
use mote::event::{Action, Event};
use mote::filter::{DEFAULTS, Filter, Origin, Rule, RuleKind};
use mote::limits::{EXCLUSIONS, STATISTICS_PATHS};
use mote::stats::heavy::Heavy;

#[test]
fn a_full_table_of_exclusions_touches_no_heap() {
    let mut filter = Filter::new();
    for n in 0..EXCLUSIONS - DEFAULTS.len() {
        let kind = RuleKind::ALL[n % RuleKind::ALL.len()];
        let path = format!("/srv/{n}");
        filter.add(Rule::new(kind, &path, Origin::Local, false).unwrap()).unwrap();
    }
    let event = |path: String| {
        let mut event = Event::new();
        (event.action, event.path) = (Action::Open, bytes(path.as_bytes()));
        event.executable = event.path.clone();
        event
    };
    let events: Vec<_> = (0..EXCLUSIONS + 100).map(|n| event(format!("/srv/{n}"))).collect();
    without_heap(|| {
        let hits = events.iter().filter(|event| filter.excluded_by(event).is_some()).count();
        assert_eq!(hits, EXCLUSIONS - DEFAULTS.len());
    });
}

#[test]
fn a_flood_of_keys_touches_no_heap() {
    let keys: Vec<_> = (0..STATISTICS_PATHS * 10).map(|n| format!("/tmp/{n}")).collect();
    let mut heavy = Heavy::new(STATISTICS_PATHS);
    without_heap(|| {
        for key in keys.iter().chain(&keys) {
            heavy.add(key.as_bytes(), 1);
        }
    });
    let counted = heavy.top(usize::MAX).iter().map(|hitter| hitter.count).sum::<u64>();
    assert_eq!(counted, 2 * keys.len() as u64);
}
