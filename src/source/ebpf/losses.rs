//! What the kernel side lost, each loss counted once.
//!
//! A full ring is told twice: by the ring itself, in a record that comes before the next
//! one that fits (perhaps never), and from 5.1 on by the output helper, whose program
//! counts it at once. Both count the same losses, so the larger one is true.

use std::io;

use super::abi::record::*;
use super::object::Object;
use crate::event::{Class, Loss, LossPlace};

#[derive(Clone, Copy, Debug, Default)]
struct RingLoss {
    told_by_ring: u64,
    told_by_program: u64,
    reported: u64,
}

impl RingLoss {
    fn unreported(&mut self) -> u64 {
        let lost = self.told_by_ring.max(self.told_by_program);
        let new = lost.saturating_sub(self.reported);
        self.reported += new;
        new
    }
}

/// Counts so far, per ring and program.
#[derive(Debug)]
pub struct Losses {
    /// By class, by CPU.
    full: [Vec<RingLoss>; 2],
    output: [Vec<u64>; 2],
    skipped: Vec<u64>,
    per_cpu: Vec<u64>,
}

const CLASSES: [(Class, u32, u32); 2] = [
    (Class::Priority, MOTE_LOSS_PRIORITY_FULL, MOTE_LOSS_PRIORITY_OUTPUT),
    (Class::Bulk, MOTE_LOSS_BULK_FULL, MOTE_LOSS_BULK_OUTPUT),
];

impl Losses {
    /// Nothing lost yet.
    pub fn new(possible_cpus: usize) -> Losses {
        Losses {
            full: [
                vec![RingLoss::default(); possible_cpus],
                vec![RingLoss::default(); possible_cpus],
            ],
            output: [vec![0; possible_cpus], vec![0; possible_cpus]],
            skipped: Vec::new(),
            per_cpu: vec![0; possible_cpus],
        }
    }

    /// A ring's own record of what it had no room for.
    pub fn note(&mut self, class: Class, cpu: u32, count: u64, mut each: impl FnMut(Loss)) {
        let Some(ring) = self.full[index(class)].get_mut(cpu as usize) else { return };
        ring.told_by_ring += count;
        report(LossPlace::RingFull, Some(class), Some(cpu), ring.unreported(), &mut each);
    }

    /// Reads the programs' counters.
    pub fn read(
        &mut self,
        object: &Object,
        programs: &[String],
        mut each: impl FnMut(Loss),
    ) -> io::Result<()> {
        for (class, full, output) in CLASSES {
            object.losses(full, &mut self.per_cpu)?;
            for (cpu, ring) in self.full[index(class)].iter_mut().enumerate() {
                ring.told_by_program = self.per_cpu[cpu];
                let new = ring.unreported();
                report(LossPlace::RingFull, Some(class), Some(cpu as u32), new, &mut each);
            }
            object.losses(output, &mut self.per_cpu)?;
            for (cpu, reported) in self.output[index(class)].iter_mut().enumerate() {
                let new = self.per_cpu[cpu].saturating_sub(*reported);
                *reported += new;
                report(LossPlace::RingOutput, Some(class), Some(cpu as u32), new, &mut each);
            }
        }
        self.skipped.resize(programs.len(), 0);
        let mut skipped = 0;
        for (program, reported) in programs.iter().zip(&mut self.skipped) {
            let new = object.recursion_misses(program)?.saturating_sub(*reported);
            *reported += new;
            skipped += new;
        }
        report(LossPlace::ProgramSkipped, None, None, skipped, &mut each);
        Ok(())
    }
}

fn index(class: Class) -> usize {
    match class {
        Class::Priority => 0,
        Class::Bulk => 1,
    }
}

fn report(
    place: LossPlace,
    class: Option<Class>,
    cpu: Option<u32>,
    count: u64,
    each: &mut impl FnMut(Loss),
) {
    if count != 0 {
        let cpu = cpu.and_then(|cpu| u16::try_from(cpu).ok());
        each(Loss { place, class, cpu, count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
