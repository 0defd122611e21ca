//! Rings that files stand in for, read as one.

use fastrand::Rng;

use super::super::ring_file::*;
use super::*;

const DATA_BYTES: usize = 16 << 10;
const ANY_TIME: u64 = u64::MAX;
const ANY_NUMBER: usize = usize::MAX;

/// What left the rings.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    /// From this CPU, stamped so, with this number in it.
    Sample(u32, u64, u64),
    Lost(u32, u64),
    Malformed(u32),
}
use Left::{Lost, Malformed, Sample};

/// The rings of as many CPUs, and their files.
struct Rig {
    rings: Rings,
    files: Vec<RingFile>,
}

impl Rig {
    fn new(cpus: u32) -> Rig {
        let mut rings = Rings::new();
        let files: Vec<RingFile> = (0..cpus).map(|_| RingFile::new(DATA_BYTES, 0)).collect();
        for (file, cpu) in files.iter().zip(0..) {
            let class = if cpu % 2 == 0 { Class::Priority } else { Class::Bulk };
            rings.add(Ring::map(file.event(), DATA_BYTES).unwrap(), class, cpu);
        }
        Rig { rings, files }
    }

    fn write(&mut self, cpu: usize, bytes: &[u8]) {
        self.files[cpu].write(bytes);
    }

    /// A record of ours begins with its time.
    fn sample(&mut self, cpu: usize, time_ns: u64, number: u64) {
        let bytes = [time_ns.to_ne_bytes(), number.to_ne_bytes()].concat();
        self.write(cpu, &sample_of(&bytes));
    }

    fn drain(&mut self, horizon_ns: u64, budget: usize) -> Vec<Left> {
        let mut left = Vec::new();
        let word =
            |bytes: &[u8], at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        let taken = self.rings.drain(horizon_ns, budget, |Origin { class, cpu }, entry| {
            assert_eq!(class == Class::Priority, cpu % 2 == 0);
            left.push(match entry {
                Entry::Sample(bytes) => Sample(cpu, word(bytes, 0), word(bytes, 8)),
                Entry::Lost(count) => Lost(cpu, count),
                Entry::Malformed(_) => Malformed(cpu),
            });
        });
        assert_eq!(taken, left.len());
        left
    }

    fn refresh_and_drain(&mut self, horizon_ns: u64, budget: usize) -> Vec<Left> {
        self.rings.refresh();
        self.drain(horizon_ns, budget)
    }
}

#[test]
fn records_leave_by_time_whichever_ring_has_them() {
    let mut rng = Rng::with_seed(1);
    let mut number = 0;
    for cpus in [1, 2, 3, 8] {
        let mut rig = Rig::new(cpus);
        // More in all than a ring holds: every file wraps.
        for _ in 0..20 {
            let mut expected = Vec::new();
            for cpu in 0..cpus {
                let mut time_ns = rng.u64(1..50);
                for _ in 0..rng.usize(..100) {
                    rig.sample(cpu as usize, time_ns, number);
                    expected.push(Sample(cpu, time_ns, number));
                    // Often the same: the clock may be coarser than two records are apart.
                    time_ns += rng.u64(..4);
                    number += 1;
                }
            }
            let left = rig.refresh_and_drain(ANY_TIME, ANY_NUMBER);
            let times = |left: &[Left]| -> Vec<u64> {
                left.iter()
                    .map(|left| if let Sample(_, time_ns, _) = left { *time_ns } else { 0 })
                    .collect()
            };
            assert!(times(&left).is_sorted(), "{left:?}");
            for cpu in 0..cpus {
                let of_cpu = |all: &[Left]| -> Vec<Left> {
                    let of_it = |left: &&Left| matches!(left, Sample(of, ..) if *of == cpu);
                    all.iter().filter(of_it).cloned().collect()
                };
                assert_eq!(of_cpu(&left), of_cpu(&expected), "each ring's own order stays");
            }
            assert_eq!(left.len(), expected.len());
        }
    }
}

#[test]
fn nothing_beyond_the_horizon_leaves() {
    let mut rig = Rig::new(2);
    for (cpu, time_ns) in [(0, 10), (1, 20), (0, 30), (1, 31), (0, 40)] {
        rig.sample(cpu, time_ns, 0);
    }
    assert_eq!(rig.refresh_and_drain(9, ANY_NUMBER), []);
    assert_eq!(rig.drain(30, ANY_NUMBER), [Sample(0, 10, 0), Sample(1, 20, 0), Sample(0, 30, 0)]);
    // One that is late on its ring waits for nothing.
    rig.sample(1, 32, 1);
    assert_eq!(rig.refresh_and_drain(32, ANY_NUMBER), [Sample(1, 31, 0), Sample(1, 32, 1)]);
    assert_eq!(rig.drain(ANY_TIME, ANY_NUMBER), [Sample(0, 40, 0)]);
    assert_eq!(rig.drain(ANY_TIME, ANY_NUMBER), []);
}

/// No clock gets there, and no record must stay in front of all others.
#[test]
fn the_last_moment_there_is_leaves() {
    let mut rig = Rig::new(2);
    rig.sample(0, u64::MAX, 1);
    rig.sample(1, 5, 2);
    let expected = [Sample(1, 5, 2), Sample(0, u64::MAX, 1)];
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), expected);
}

#[test]
fn a_budget_is_kept_and_the_rest_comes_next() {
    let mut rig = Rig::new(3);
    for time_ns in 0..30 {
        rig.sample(time_ns as usize % 3, time_ns, 0);
    }
    // Runs of one ring end at the budget, too.
    for time_ns in 30..40 {
        rig.sample(0, time_ns, 0);
    }
    rig.rings.refresh();
    assert_eq!(rig.drain(ANY_TIME, 0), []);
    let mut left = Vec::new();
    for budget in [1, 2, 7, 25, 100] {
        let more = rig.drain(ANY_TIME, budget);
        assert_eq!(more.len(), budget.min(40 - left.len()));
        left.extend(more);
    }
    let expected: Vec<Left> =
        (0..40u64).map(|n| Sample(if n < 30 { n as u32 % 3 } else { 0 }, n, 0)).collect();
    assert_eq!(left, expected);
}

#[test]
fn a_drain_goes_no_further_than_the_last_refresh() {
    let mut rig = Rig::new(2);
    rig.sample(0, 1, 0);
    rig.rings.refresh();
    rig.sample(0, 2, 0);
    rig.sample(1, 1, 0);
    assert_eq!(rig.drain(ANY_TIME, ANY_NUMBER), [Sample(0, 1, 0)]);
    assert_eq!(rig.drain(ANY_TIME, ANY_NUMBER), []);
    let expected = [Sample(1, 1, 0), Sample(0, 2, 0)];
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), expected);
}

#[test]
fn the_space_of_what_left_is_given_back() {
    let mut rig = Rig::new(2);
    let bytes = sample_of(&[0; 16]).len() as u64;
    for time_ns in 0..4 {
        rig.sample(time_ns as usize % 2, time_ns, 0);
    }
    rig.refresh_and_drain(ANY_TIME, 3);
    assert_eq!(rig.files.iter().map(RingFile::tail).collect::<Vec<_>>(), [2 * bytes, bytes]);
    rig.drain(ANY_TIME, ANY_NUMBER);
    assert_eq!(rig.files.iter().map(RingFile::tail).collect::<Vec<_>>(), [2 * bytes; 2]);
}

/// They have no time: what they mean is true of everything that comes later.
#[test]
fn what_was_lost_or_malformed_leaves_when_it_is_in_front() {
    let mut rig = Rig::new(3);
    rig.write(0, &lost_of(7));
    rig.sample(0, 50, 0);
    rig.write(0, &lost_of(8));
    rig.sample(1, 10, 0);
    rig.write(1, &header(77, 8));
    rig.sample(1, 20, 0);
    rig.write(2, &header(LOST, 8));
    assert_eq!(rig.refresh_and_drain(0, ANY_NUMBER), [Lost(0, 7), Malformed(2)]);
    let expected = [Sample(1, 10, 0), Malformed(1), Sample(1, 20, 0)];
    assert_eq!(rig.drain(49, ANY_NUMBER), expected);
    assert_eq!(rig.drain(50, ANY_NUMBER), [Sample(0, 50, 0), Lost(0, 8)]);
}

/// What has no end that is known ends its ring up to the last refresh, and no other ring.
#[test]
fn a_ring_without_an_end_stops_no_other() {
    let mut rig = Rig::new(2);
    rig.write(0, &header(SAMPLE, 0));
    rig.sample(0, 1, 0);
    rig.sample(1, 2, 0);
    let expected = [Malformed(0), Sample(1, 2, 0)];
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), expected);
    rig.sample(0, 3, 0);
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), [Sample(0, 3, 0)]);
    // A head that is further than the ring is long.
    rig.files[0].set_head(u64::MAX / 2);
    rig.sample(1, 4, 0);
    let expected = [Malformed(0), Sample(1, 4, 0)];
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), expected);
}

#[test]
fn rings_of_a_cpu_come_and_go() {
    let mut rig = Rig::new(4);
    for cpu in 0..4 {
        rig.sample(cpu, 1, 0);
    }
    assert!(rig.rings.has(1, Class::Bulk) && !rig.rings.has(1, Class::Priority));
    rig.rings.retain(|cpu| cpu != 1);
    assert!(!rig.rings.has(1, Class::Bulk));
    assert_eq!(rig.rings.cpus().collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(rig.rings.fds().count(), 3);
    let expected = [Sample(0, 1, 0), Sample(2, 1, 0), Sample(3, 1, 0)];
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), expected);
    rig.rings.retain(|_| false);
    assert_eq!(rig.refresh_and_drain(ANY_TIME, ANY_NUMBER), []);
}
