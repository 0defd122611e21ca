//! Processes whose calls the kernel part drops (`bpf/exclude.h`).
//!
//! An exclusion is for the program that a process executes: it ends by itself, before we
//! know of it, when the process executes another one, or ends and another begins in its
//! place.

use std::io;

use super::Ebpf;
use super::abi::record::{MOTE_EXCLUSION_SHIFT, MOTE_PROGRAM_SLOTS};
use super::object::Object;
use super::shared::Array;
use crate::limits;

const _: () = assert!(MOTE_PROGRAM_SLOTS as usize == limits::EXCLUDED_PLACES);

/// The word that excludes a process from a time on, as `bpf/exclude.h` computes it.
fn exclusion_of(pid: u32, since_ns: u64) -> u64 {
    !(since_ns ^ u64::from(pid / MOTE_PROGRAM_SLOTS) << MOTE_EXCLUSION_SHIFT)
}

/// Where a process is found in the maps.
fn place(pid: u32) -> usize {
    (pid % MOTE_PROGRAM_SLOTS) as usize
}

/// The maps, and what we wrote to them.
#[derive(Debug)]
pub struct Excluded {
    /// When something last happened to a process of each place; programs write it.
    programs: Array<1>,
    /// Which process is excluded there since when; we write it.
    words: Array<1>,
    /// Its id; 0: none.
    pids: Vec<u32>,
}

/// What became of an attempt to exclude a process.
#[derive(PartialEq, Eq)]
enum Outcome {
    Excluded,
    /// Something happened after what is known, to it or to another one in its place.
    Overtaken,
    /// Another one is excluded in its place, or it is none: 0 is no process.
    NoRoom,
}

impl Excluded {
    /// None is excluded.
    pub fn new(object: &Object) -> io::Result<Excluded> {
        Ok(Excluded {
            programs: object.array(c"programs", false)?,
            words: object.array(c"excluded", true)?,
            pids: vec![0; limits::EXCLUDED_PLACES],
        })
    }

    /// Excludes `pid`, if nothing happened in its place after `known_ns`, and no other process
    /// is excluded there.
    fn exclude(&mut self, pid: u32, known_ns: u64) -> io::Result<Outcome> {
        let place = place(pid);
        let [since_ns] = self.programs.read(place)?;
        if since_ns > known_ns {
            return Ok(Outcome::Overtaken);
        }
        if pid == 0 {
            return Ok(Outcome::NoRoom);
        }
        let holder = self.pids[place];
        if holder != 0 && holder != pid {
            let [word] = self.words.read(place)?;
            if word == exclusion_of(holder, since_ns) {
                return Ok(Outcome::NoRoom);
            }
        }
        // What happens from here on makes the word that of a time that is over.
        self.words.write(place, [exclusion_of(pid, since_ns)])?;
        self.pids[place] = pid;
        Ok(Outcome::Excluded)
    }

    fn include(&mut self, pid: u32) -> io::Result<()> {
        let place = place(pid);
        if pid != 0 && self.pids[place] == pid {
            self.words.write(place, [0])?;
            self.pids[place] = 0;
        }
        Ok(())
    }
}

impl Ebpf {
    /// Makes the kernel part drop the calls of `pid` that would be reported, until it executes
    /// another program or ends; they are counted ([`read_unsent`](Ebpf::read_unsent)). Never
    /// dropped are exec, fork, exit, and what changes its directory or root.
    ///
    /// `known_ns` (`CLOCK_MONOTONIC`) is when its program was known to be what it is: the time
    /// of the event of its exec or fork, or just before /proc was looked at. If something
    /// happened to the process after that, or if another one is excluded in its place, nothing
    /// is done, and the answer is `false`.
    pub fn exclude(&mut self, pid: u32, known_ns: u64) -> bool {
        matches!(self.excluded.exclude(pid, known_ns), Ok(Outcome::Excluded))
    }

    /// Excludes a process of which this is known, or ends that (`None`). Whether it is not done
    /// since something happened after `known_ns`, to it or to another one in its place.
    pub fn leave_out(&mut self, pid: u32, known_ns: Option<u64>) -> bool {
        let Some(known_ns) = known_ns else {
            self.include(pid);
            return false;
        };
        matches!(self.excluded.exclude(pid, known_ns), Ok(Outcome::Overtaken))
    }

    /// Ends the exclusion of a process, if it is excluded. To be called at its end too: what
    /// is left of an exclusion costs the next process in its place a second lookup.
    pub fn include(&mut self, pid: u32) {
        // bpf(2) cannot refuse it: the map is ours, and so is the place.
        let _ = self.excluded.include(pid);
    }

    /// Ends all exclusions: when the configuration has others, and when the kernel has skipped
    /// a program, which may have been one that ends an exclusion.
    pub fn include_all(&mut self) {
        for place in 0..self.excluded.pids.len() {
            self.include(self.excluded.pids[place]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_of_one_process_and_one_time() {
        // Of one place.
        const PIDS: [u32; 4] = [7, 7 + 4096, 7 + 8192, (1 << 22) - 4096 + 7];
        const TIMES_NS: [u64; 4] = [0, 1, 1 << 40, 1 << 53];
        let words = PIDS.map(|pid| TIMES_NS.map(|time_ns| exclusion_of(pid, time_ns)));
        let words = words.as_flattened();
        for (n, word) in words.iter().enumerate() {
            assert!(!words[..n].contains(word), "{n}");
            assert_ne!(*word, 0, "{n}: no process is excluded");
        }
    }

    /// What is left of a process id above its place fits above the time.
    #[test]
    fn every_process_id_fits() {
        const PID_MAX_LIMIT: u64 = 1 << 22;
        let highest = (PID_MAX_LIMIT - 1) / u64::from(MOTE_PROGRAM_SLOTS);
        assert_eq!(highest << MOTE_EXCLUSION_SHIFT >> MOTE_EXCLUSION_SHIFT, highest);
        assert!(MOTE_PROGRAM_SLOTS.is_power_of_two());
    }
}
