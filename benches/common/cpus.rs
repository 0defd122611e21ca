//! Who runs where.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A CPU for the loops and another one for the sensor, the same where there is but one.
pub fn two() -> (usize, usize) {
    let allowed = sched_getaffinity(None).unwrap();
    let mut list = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let first = list.next().unwrap();
    (list.next().unwrap_or(first), first)
}

/// Keeps a process, or this thread, on a CPU.
pub fn pin(pid: Option<Pid>, cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(pid, &set).unwrap();
}
