//! Rings → pipeline, on rings that files stand in for.

use crate::allocator::without_heap;
use crate::records::{Lines, at, exec, pipeline, rename};
use crate::ring_file::{RingFile, header, lost_of, sample_of};
use mote::event::Class;
use mote::source::ebpf::ring::{Entry, Ring};
use mote::source::ebpf::rings::Rings;

const DATA_BYTES: usize = 16 << 10;
const CPUS: u32 = 2;

#[test]
fn reading_the_rings_touches_no_heap() {
    const ROUNDS: u64 = 50;
    const RECORDS_PER_ROUND: u64 = 4;
    let pid = std::process::id();
    let mut rings = Rings::new();
    let mut files = Vec::new();
    for cpu in 0..CPUS {
        for class in Class::ALL {
            let file = RingFile::new(DATA_BYTES, 0);
            rings.add(Ring::map(file.event(), DATA_BYTES).unwrap(), class, cpu);
            files.push(file);
        }
    }
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    let (mut samples, mut lost, mut malformed) = (0, 0, 0);
    for round in 0..ROUNDS {
        for (file, n) in files.iter_mut().zip(0..) {
            // They wrap, at another place in every round.
            file.write(&sample_of(&at(round * 10 + n, exec(pid, "/bin/tool"))));
            file.write(&sample_of(&at(round * 10 + n + 1, rename(pid))));
            file.write(&lost_of(3));
            file.write(&header(77, 8));
        }
        without_heap(|| {
            rings.refresh();
            let all = files.len() as u64 * RECORDS_PER_ROUND;
            let taken = rings.drain(u64::MAX, usize::MAX, |from, entry| match entry {
                Entry::Sample(bytes) => {
                    samples += 1;
                    pipeline.record(from.class, from.cpu, bytes, &mut lines);
                }
                Entry::Lost(count) => lost += count,
                Entry::Malformed(_) => malformed += 1,
            });
            assert_eq!(taken as u64, all);
        });
    }
    let rounds = ROUNDS * files.len() as u64;
    assert_eq!((samples, lost, malformed), (2 * rounds, 3 * rounds, rounds));
    assert_eq!(pipeline.totals().received, samples);
}
