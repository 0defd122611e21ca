//! What the kernel side lost, each loss counted once.
//!
//! A full ring is told twice: by the ring itself, in a record that comes before the next
//! one that fits (perhaps never), and from 5.1 on by the output helper, whose program
//! counts it at once. Both count the same losses, so the larger one is true.

use core::mem::offset_of;
use std::io;

use super::abi::record::*;
use super::object::Object;
use super::shared::Array;
use crate::event::{Class, Loss, LossPlace};

/// What the programs count, an element a CPU: a `mote_losses`, whose `counts` come first.
pub type Counters = Array<{ size_of::<mote_losses>() / size_of::<u64>() }>;
const _: () = assert!(offset_of!(mote_losses, counts) == 0);

#[derive(Clone, Copy, Debug, Default)]
struct RingLoss {
    told_by_ring: u64,
    told_by_program: u64,
    reported: u64,
    output: u64,
    busy: u64,
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
    /// By CPU, by class.
    rings: Vec<[RingLoss; 2]>,
    /// Programs whose skipped runs are lost events, and how many of these are reported.
    skipped: Vec<(String, u64)>,
    /// Which of them is asked next.
    next_skipped: usize,
}

/// To ask for all of some ninety programs each second would be half as much again as all else that
/// an idle sensor does.
const SKIPPED_PARTS: usize = 10;

/// The counters of a class: full, other output errors, no scratch slot.
const CLASSES: [(Class, [u32; 3]); 2] = [
    (
        Class::Priority,
        [MOTE_LOSS_PRIORITY_FULL, MOTE_LOSS_PRIORITY_OUTPUT, MOTE_LOSS_PRIORITY_BUSY],
    ),
    (Class::Bulk, [MOTE_LOSS_BULK_FULL, MOTE_LOSS_BULK_OUTPUT, MOTE_LOSS_BULK_BUSY]),
];

impl Losses {
    /// Nothing lost yet.
    pub fn new(possible_cpus: usize, object: &Object) -> Losses {
        Losses {
            rings: vec![Default::default(); possible_cpus],
            skipped: object.names().map(|name| (name.to_owned(), 0)).collect(),
            next_skipped: 0,
        }
    }

    /// A ring's own record of what it had no room for.
    pub fn note(&mut self, class: Class, cpu: u32, count: u64, each: impl FnMut(Loss)) {
        let Some(rings) = self.rings.get_mut(cpu as usize) else { return };
        let ring = &mut rings[class as usize];
        ring.told_by_ring = ring.told_by_ring.saturating_add(count);
        report(LossPlace::RingFull, Some(class), Some(cpu), ring.unreported(), each);
    }

    /// Reads what the programs could not put into a ring.
    pub fn read_rings(
        &mut self,
        counters: &Counters,
        mut each: impl FnMut(Loss),
    ) -> io::Result<()> {
        for cpu in 0..self.rings.len() {
            let words = counters.read(cpu)?;
            let mut losses = mote_losses::default();
            losses.counts.copy_from_slice(&words[..MOTE_LOSS_ROOM as usize]);
            self.count(cpu, &losses, &mut each);
        }
        Ok(())
    }

    /// What the programs have counted on a CPU until now.
    fn count(&mut self, cpu: usize, losses: &mote_losses, mut each: impl FnMut(Loss)) {
        for (class, which) in CLASSES {
            let ring = &mut self.rings[cpu][class as usize];
            let [full, output, busy] = which.map(|which| losses.counts[which as usize]);
            let cpu = Some(cpu as u32);
            ring.told_by_program = full;
            report(LossPlace::RingFull, Some(class), cpu, ring.unreported(), &mut each);
            let new = grown(&mut ring.output, output);
            report(LossPlace::RingOutput, Some(class), cpu, new, &mut each);
            let new = grown(&mut ring.busy, busy);
            report(LossPlace::ProgramSkipped, Some(class), cpu, new, &mut each);
        }
    }

    /// Reads how often the kernel skipped a program.
    pub fn read_skipped(&mut self, object: &Object, each: impl FnMut(Loss)) -> io::Result<()> {
        self.count_skipped(self.skipped.len(), |program| object.skipped_runs(program), each)
    }

    /// The same of the next few programs: of all with [`SKIPPED_PARTS`] calls.
    pub fn read_next_skipped(&mut self, object: &Object, each: impl FnMut(Loss)) -> io::Result<()> {
        let count = self.skipped.len().div_ceil(SKIPPED_PARTS);
        self.count_skipped(count, |program| object.skipped_runs(program), each)
    }

    /// `misses`: how often a program was skipped until now. Where one does not tell, the
    /// others still do.
    fn count_skipped(
        &mut self,
        count: usize,
        misses: impl Fn(&str) -> io::Result<u64>,
        each: impl FnMut(Loss),
    ) -> io::Result<()> {
        let mut skipped = 0;
        let mut result = Ok(());
        for _ in 0..count {
            let programs = self.skipped.len();
            let Some((program, reported)) = self.skipped.get_mut(self.next_skipped) else { break };
            self.next_skipped = (self.next_skipped + 1) % programs;
            match misses(program) {
                Ok(misses) => skipped += grown(reported, misses),
                Err(error) => result = Err(error),
            }
        }
        report(LossPlace::ProgramSkipped, None, None, skipped, each);
        result
    }
}

/// How much a counter, which only grows, has grown.
pub fn grown(before: &mut u64, now: u64) -> u64 {
    let new = now.saturating_sub(*before);
    *before += new;
    new
}

fn report(
    place: LossPlace,
    class: Option<Class>,
    cpu: Option<u32>,
    count: u64,
    mut each: impl FnMut(Loss),
) {
    if count != 0 {
        let cpu = cpu.and_then(|cpu| u16::try_from(cpu).ok());
        each(Loss { place, class, cpu, receiver: None, count });
    }
}

#[cfg(test)]
#[path = "losses_tests.rs"]
mod tests;
