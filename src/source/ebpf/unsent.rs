//! Events that never come to user space, since their process is excluded or has had its budget,
//! or since they were lost: by process and by system call (`bpf/send.h`).
//!
//! Before 5.1 a program is not told that a ring was full: such losses are known by CPU only
//! (`losses`).

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::Ebpf;
use super::abi::record::{
    MOTE_FLOOD_PLACES, MOTE_UNSENT_CALLS, MOTE_UNSENT_NO_CALL, MOTE_UNSENT_SLOTS, mote_unsent,
};
use super::losses::grown;
use super::object::Object;
use super::shared::Array;
use crate::limits;

/// What was not sent of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Whose events; `None`: of processes that found no slot to be counted in.
    pub pid: Option<u32>,
    /// Calls that were dropped, since the process is excluded.
    pub excluded: u64,
    /// Events that were lost: a ring was full, for one.
    pub lost: u64,
    /// Events beyond the budget of the process.
    pub suppressed: u64,
}

/// `mote_unsent` in words.
const WORDS: usize = size_of::<mote_unsent>() / size_of::<u64>();
type Slots = Array<WORDS>;
const HOLDERS: usize = 0;
const OWNER: usize = 1;
const EXCLUDED: usize = 2;
const LOST: usize = 3;
const SUPPRESSED: usize = 4;
/// The counts, in a row.
const COUNTS: Range<usize> = EXCLUDED..SUPPRESSED + 1;
const _: () = assert!(
    MOTE_UNSENT_SLOTS as usize == limits::UNSENT_PROCESSES
        && MOTE_FLOOD_PLACES as usize == limits::BUDGET_PLACES
        && MOTE_UNSENT_NO_CALL as usize == limits::STATISTICS_SYSCALLS
        && MOTE_UNSENT_NO_CALL < MOTE_UNSENT_CALLS
        && std::mem::offset_of!(mote_unsent, owner) == 8 * OWNER
        && std::mem::offset_of!(mote_unsent, excluded) == 8 * EXCLUDED
        && std::mem::offset_of!(mote_unsent, lost) == 8 * LOST
        && std::mem::offset_of!(mote_unsent, suppressed) == 8 * SUPPRESSED
);

/// The maps, and how much of them was told.
#[derive(Debug)]
pub struct Counts {
    slots: Slots,
    /// In the order of [`COUNTS`].
    told: Vec<[u64; COUNTS.end - COUNTS.start]>,
    /// What looked stuck when it was read last.
    stuck: Vec<bool>,
    calls: Array<1>,
    told_calls: Vec<u64>,
    /// Of all calls, when it was looked whether there are more.
    seen_calls: u64,
}

impl Counts {
    /// Nothing told yet.
    pub fn new(object: &Object) -> io::Result<Counts> {
        let slots: Slots = object.array(c"unsent", true)?;
        let calls: Array<1> = object.array(c"unsent_calls", false)?;
        let (told, stuck) =
            (vec![Default::default(); slots.elements()], vec![false; slots.elements()]);
        let told_calls = vec![0; limits::STATISTICS_SYSCALLS];
        Ok(Counts { slots, told, stuck, calls, told_calls, seen_calls: 0 })
    }

    /// Whether anything was counted since the last call, by a sixteenth of what is read of all slots.
    /// arm64 may show the count of a call before that of its process.
    fn have_grown(&mut self) -> bool {
        let counts = (0..self.calls.elements()).map(|number| Ok(self.calls.read(number)?[0]));
        let sum = counts.reduce(|sum, count: io::Result<u64>| Ok(sum?.wrapping_add(count?)));
        match sum {
            Some(Ok(sum)) => std::mem::replace(&mut self.seen_calls, sum) != sum,
            _ => true,
        }
    }

    fn read(&mut self, mut each: impl FnMut(Unsent)) -> io::Result<()> {
        for slot in 0..self.told.len() {
            let words = self.slots.read(slot)?;
            let owner = Some(words[OWNER]).filter(|_| slot < limits::UNSENT_PROCESSES);
            let is_gone = owner.is_some_and(is_gone);
            let looks_stuck = owner == Some(0) && self.looks_stuck(&words);
            let is_stuck = std::mem::replace(&mut self.stuck[slot], looks_stuck) && looks_stuck;
            // What is gone counts no more.
            let words = if is_gone { self.slots.read(slot)? } else { words };
            let [excluded, lost, suppressed] = &mut self.told[slot];
            let unsent = Unsent {
                pid: owner.and_then(|owner| u32::try_from(owner).ok()).filter(|pid| *pid != 0),
                excluded: grown(excluded, words[EXCLUDED]),
                lost: grown(lost, words[LOST]),
                suppressed: grown(suppressed, words[SUPPRESSED]),
            };
            if unsent.excluded != 0 || unsent.lost != 0 || unsent.suppressed != 0 {
                each(unsent);
            }
            if is_gone || is_stuck {
                self.free(slot, words)?;
            }
        }
        Ok(())
    }

    /// Whether it may be that a free slot cannot be claimed: where the map is not mapped, a claim
    /// that comes while the slot is given back leaves it so. One that is under way looks the
    /// same: only what is found so twice in turn is given back.
    fn looks_stuck(&self, words: &[u64; WORDS]) -> bool {
        !self.slots.is_mapped() && words[OWNER] == 0 && words[HOLDERS] != 0
    }

    /// Gives back the slot of a process that is gone. Others may be trying to get it.
    fn free(&self, slot: usize, words: [u64; WORDS]) -> io::Result<()> {
        let Some(shared) = self.slots.changed(slot) else {
            let mut free = [0; WORDS];
            free[COUNTS].copy_from_slice(&words[COUNTS]);
            return self.slots.write(slot, free);
        };
        // As `release` in bpf/kernel.h.
        shared[OWNER].fetch_sub(words[OWNER], Ordering::Release);
        shared[HOLDERS].fetch_sub(1, Ordering::Release);
        Ok(())
    }

    fn read_calls(&mut self, mut each: impl FnMut(u32, u64)) -> io::Result<()> {
        for (number, told) in self.told_calls.iter_mut().enumerate() {
            let [count] = self.calls.read(number)?;
            let new = grown(told, count);
            if new != 0 {
                each(number as u32, new);
            }
        }
        Ok(())
    }
}

/// Whether the owner of a slot is a process that was, and is no more. One that has ended, and
/// has not been waited for, still is.
fn is_gone(owner: u64) -> bool {
    let pid = i32::try_from(owner).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

impl Ebpf {
    /// What was not sent since the last call, by process. Slots of processes that are gone are
    /// free again after that.
    pub fn read_unsent(&mut self, each: impl FnMut(Unsent)) {
        // Counters only grow: what is not read now is read the next time.
        let _ = self.unsent.read(each);
    }

    /// The same, if there is anything new and that asks nothing of the kernel: by bpf(2) it is a
    /// thousand calls.
    pub fn read_new_unsent(&mut self, each: impl FnMut(Unsent)) {
        let Counts { slots, calls, .. } = &self.unsent;
        let is_mapped = slots.is_mapped() && calls.is_mapped();
        if is_mapped && (cfg!(target_arch = "aarch64") || self.unsent.have_grown()) {
            self.read_unsent(each);
        }
    }

    /// The same by system call: its number, and how many more of it there are. What is no
    /// system call, a fork for one, is not among them.
    pub fn read_unsent_calls(&mut self, each: impl FnMut(u32, u64)) {
        // As above.
        let _ = self.unsent.read_calls(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_was_is_gone() {
        assert!(!is_gone(0), "a free slot");
        assert!(!is_gone(std::process::id().into()));
        assert!(!is_gone(u64::MAX), "a slot that is being taken");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(is_gone(child.id().into()));
    }
}
