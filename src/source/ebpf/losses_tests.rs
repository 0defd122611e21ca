//! Counting, on counters as the programs would leave them.

use super::*;

fn losses(cpus: usize, programs: &[&str]) -> Losses {
    Losses {
        rings: vec![Default::default(); cpus],
        skipped: programs.iter().map(|name| (name.to_string(), 0)).collect(),
        next_skipped: 0,
    }
}

fn counters(
    priority_full: u64,
    priority_output: u64,
    bulk_full: u64,
    bulk_output: u64,
) -> mote_losses {
    let mut losses = mote_losses::default();
    losses.counts[MOTE_LOSS_PRIORITY_FULL as usize] = priority_full;
    losses.counts[MOTE_LOSS_PRIORITY_OUTPUT as usize] = priority_output;
    losses.counts[MOTE_LOSS_BULK_FULL as usize] = bulk_full;
    losses.counts[MOTE_LOSS_BULK_OUTPUT as usize] = bulk_output;
    losses
}

fn loss(place: LossPlace, class: Class, cpu: u16, count: u64) -> Loss {
    Loss { place, class: Some(class), cpu: Some(cpu), receiver: None, count }
}

fn skipped(count: u64) -> Loss {
    Loss { place: LossPlace::ProgramSkipped, class: None, cpu: None, receiver: None, count }
}

/// What one call reports.
fn reported(act: impl FnOnce(&mut dyn FnMut(Loss))) -> Vec<Loss> {
    let mut reported = Vec::new();
    act(&mut |loss| reported.push(loss));
    reported
}

#[test]
fn a_loss_told_by_ring_and_program_is_reported_once() {
    let mut ring = RingLoss { told_by_program: 10, ..Default::default() };
    assert_eq!(ring.unreported(), 10);
    ring.told_by_ring = 10;
    assert_eq!(ring.unreported(), 0);
    ring.told_by_ring = 12;
    assert_eq!(ring.unreported(), 2);
    ring.told_by_program = 12;
    assert_eq!(ring.unreported(), 0);
}

#[test]
fn each_counter_is_reported_under_its_own_name() {
    use Class::{Bulk, Priority};
    use LossPlace::{RingFull, RingOutput};
    let mut losses = losses(3, &[]);
    assert_eq!(reported(|each| losses.count(2, &counters(0, 0, 0, 0), each)), []);
    assert_eq!(
        reported(|each| losses.count(2, &counters(1, 20, 300, 4000), each)),
        [
            loss(RingFull, Priority, 2, 1),
            loss(RingOutput, Priority, 2, 20),
            loss(RingFull, Bulk, 2, 300),
            loss(RingOutput, Bulk, 2, 4000),
        ]
    );
    // Of another CPU nothing was reported yet.
    assert_eq!(
        reported(|each| losses.count(0, &counters(1, 0, 0, 0), each)),
        [loss(RingFull, Priority, 0, 1)]
    );
}

#[test]
fn only_what_came_since_the_last_look_is_reported() {
    use Class::{Bulk, Priority};
    use LossPlace::{RingFull, RingOutput};
    let mut losses = losses(1, &[]);
    reported(|each| losses.count(0, &counters(5, 6, 7, 8), each));
    assert_eq!(reported(|each| losses.count(0, &counters(5, 6, 7, 8), each)), []);
    assert_eq!(
        reported(|each| losses.count(0, &counters(6, 6, 7, 10), each)),
        [loss(RingFull, Priority, 0, 1), loss(RingOutput, Bulk, 0, 2)]
    );
}

/// The ring tells of it later than the program, if it tells at all.
#[test]
fn what_the_ring_tells_too_is_not_reported_again() {
    use Class::{Bulk, Priority};
    use LossPlace::{RingFull, RingOutput};
    let mut losses = losses(2, &[]);
    reported(|each| losses.count(1, &counters(0, 0, 9, 3), each));
    assert_eq!(reported(|each| losses.note(Bulk, 1, 4, each)), []);
    assert_eq!(reported(|each| losses.note(Bulk, 1, 5, each)), []);
    assert_eq!(reported(|each| losses.note(Bulk, 1, 2, each)), [loss(RingFull, Bulk, 1, 2)]);
    // The other ring, the other CPU and the other place know nothing of that.
    assert_eq!(
        reported(|each| losses.note(Priority, 1, 1, each)),
        [loss(RingFull, Priority, 1, 1)]
    );
    assert_eq!(reported(|each| losses.note(Bulk, 0, 6, each)), [loss(RingFull, Bulk, 0, 6)]);
    assert_eq!(
        reported(|each| losses.count(1, &counters(1, 0, 12, 4), each)),
        [loss(RingFull, Bulk, 1, 1), loss(RingOutput, Bulk, 1, 1)]
    );
}

/// Kernels before 5.1 do not tell the program why.
#[test]
fn what_only_the_ring_tells_is_reported() {
    let mut losses = losses(1, &[]);
    for count in [3, 4] {
        let expected = [loss(LossPlace::RingFull, Class::Priority, 0, count)];
        assert_eq!(reported(|each| losses.note(Class::Priority, 0, count, each)), expected);
        assert_eq!(reported(|each| losses.count(0, &counters(0, 0, 0, 0), each)), []);
    }
    // A CPU that cannot be.
    assert_eq!(reported(|each| losses.note(Class::Bulk, 1, 1, each)), []);
}

#[test]
fn skipped_programs_are_counted_together() {
    let mut losses = losses(1, &["a", "b"]);
    let mut look = |a: u64, b: u64| {
        reported(|each| {
            let misses = |program: &str| Ok(if program == "a" { a } else { b });
            losses.count_skipped(2, misses, each).unwrap();
        })
    };
    assert_eq!(look(0, 0), []);
    assert_eq!(look(2, 3), [skipped(5)]);
    assert_eq!(look(2, 3), []);
    assert_eq!(look(2, 4), [skipped(1)]);
}

#[test]
fn programs_are_asked_in_turn() {
    let mut losses = losses(1, &["a", "b", "c"]);
    let mut asked = Vec::new();
    for _ in 0..2 {
        let names = core::cell::RefCell::new(&mut asked);
        let misses = |program: &str| {
            names.borrow_mut().push(program.to_owned());
            Ok(0)
        };
        losses.count_skipped(2, misses, |_| {}).unwrap();
    }
    assert_eq!(asked, ["a", "b", "c", "a"]);
}

#[test]
fn a_program_that_cannot_be_asked_hides_no_other() {
    let mut losses = losses(1, &["a", "broken", "c"]);
    let misses = |program: &str| match program {
        "broken" => Err(io::ErrorKind::NotFound.into()),
        _ => Ok(2),
    };
    let mut result = Ok(());
    let first = reported(|each| result = losses.count_skipped(3, misses, each));
    assert_eq!(first, [skipped(4)]);
    assert!(result.is_err());
    let all = |_: &str| Ok(3);
    assert_eq!(reported(|each| losses.count_skipped(3, all, each).unwrap()), [skipped(5)]);
}

/// Programs count on, rings tell late, in part or not at all, and looks come at any time: in the end the
/// larger of the two accounts of a full ring is reported, and all of the rest, whoever asks when.
#[test]
fn what_is_reported_adds_up_to_what_was_lost() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..500 {
        let mut losses = losses(2, &[]);
        let mut counts = [[0u64; 4]; 2];
        let mut told = [[0u64; 2]; 2];
        let mut sums = std::collections::BTreeMap::new();
        let mut add = |loss: Loss| {
            *sums
                .entry((loss.place as u8, loss.class.unwrap() as u8, loss.cpu.unwrap()))
                .or_insert(0) += loss.count;
        };
        for step in 0..40 {
            let cpu = rng.usize(..2);
            match rng.u8(..3) {
                0 => counts[cpu][rng.usize(..4)] += rng.u64(1..9),
                1 => {
                    let class = Class::ALL[rng.usize(..2)];
                    let count = rng.u64(1..9);
                    told[cpu][class as usize] += count;
                    losses.note(class, cpu as u32, count, &mut add);
                }
                _ => {}
            }
            if rng.bool() || step == 39 {
                for (cpu, [a, b, c, d]) in counts.into_iter().enumerate() {
                    losses.count(cpu, &counters(a, b, c, d), &mut add);
                }
            }
        }
        for (cpu, counts) in counts.into_iter().enumerate() {
            for (class, full, output) in [(Class::Priority, 0, 1), (Class::Bulk, 2, 3)] {
                let sum = |place: LossPlace| {
                    sums.get(&(place as u8, class as u8, cpu as u16)).copied().unwrap_or(0)
                };
                let larger = counts[full].max(told[cpu][class as usize]);
                assert_eq!(sum(LossPlace::RingFull), larger);
                assert_eq!(sum(LossPlace::RingOutput), counts[output]);
            }
        }
    }
}

/// No kernel counts that far.
#[test]
fn a_count_that_cannot_be_is_no_end_of_counting() {
    let mut losses = losses(1, &[]);
    for expected in [u64::MAX, 0] {
        let all = reported(|each| losses.note(Class::Bulk, 0, u64::MAX, each));
        assert_eq!(all.iter().map(|loss| loss.count).sum::<u64>(), expected);
    }
}
