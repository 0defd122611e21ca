//! The processes that ended last.

use crate::limits::PROCESSES_ENDED;

/// No process has this id: it is the idle task's.
const NOBODY: u32 = 0;

/// A ring of process ids.
#[derive(Debug)]
pub struct Ended {
    pids: [u32; PROCESSES_ENDED],
    next: usize,
}

impl Ended {
    pub fn contains(&self, pid: u32) -> bool {
        self.pids.contains(&pid)
    }

    /// The oldest gives its place.
    pub fn insert(&mut self, pid: u32) {
        self.pids[self.next] = pid;
        self.next = (self.next + 1) % PROCESSES_ENDED;
    }

    /// The id is another process's now.
    pub fn remove(&mut self, pid: u32) {
        self.pids.iter_mut().filter(|own| **own == pid).for_each(|own| *own = NOBODY);
    }
}

impl Default for Ended {
    fn default() -> Ended {
        Ended { pids: [NOBODY; PROCESSES_ENDED], next: 0 }
    }
}
