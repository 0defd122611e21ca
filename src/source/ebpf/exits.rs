//! Where the kernel keeps the status of a process that several threads have made: measured,
//! since old kernels have no BTF.
//!
//! wait(2) reports `signal_struct.group_exit_code` if SIGNAL_GROUP_EXIT is among its flags,
//! else the `exit_code` of the process's first thread (`bpf/exit.c`).
//!
//! From `group_exit_code` to `flags` are six ints in a row from 2.6 to today (linux
//! `include/linux/sched/signal.h`): children end by exit_group(2) with a status that we
//! choose, and before we wait for them their signal_struct is searched for it.
//!
//! `task_struct.group_leader`, before `ptraced`, is looked for in our own task_struct: we have
//! one thread, so it is our own address, and an empty list follows it
//! (`include/linux/sched.h`).

use std::io;

use super::abi::record::*;
use super::child::{CHILDREN, end_as_a_whole};
use super::measure::{Candidates, is_kernel, row};
use super::object::Object;
use super::peek::{Kernel, Memory, word};

/// What was measured. `None`: not seen, or the place is not certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Of `signal_struct.group_exit_code`, in bytes.
    pub group_exit_code: Option<u32>,
    /// Of `task_struct.group_leader`.
    pub leader: Option<u32>,
}

const TASK_BYTES: usize = (MOTE_PROBE_CHUNKS * MOTE_PROBE_CHUNK_BYTES) as usize;
/// Of signal_struct: what is looked for lies within the first 400 on 3.10 to 6.18, and debugging
/// options make it more.
const SIGNAL_BYTES: usize = 1024;
const SIGNAL_GROUP_EXIT: i32 = 4;

/// Measures with `probe_exit` and `probe_memory` attached, from `task_struct.signal`, which
/// has to be known.
pub fn offsets(object: &Object, settings: &mote_settings) -> io::Result<Offsets> {
    let ours = mote_settings { probe_pid: std::process::id(), ..*settings };
    let signal_at = settings.task_signal_offset as usize;
    let mut codes = Candidates::default();
    for child in CHILDREN {
        let found = end_as_a_whole(object, settings, child, |copy| {
            object.set_settings(&ours).ok()?;
            let signal = word(&copy.task, signal_at).filter(|address| is_kernel(*address))?;
            Some(group_exit_codes(&Kernel::new(object).bytes(signal, SIGNAL_BYTES)?, child.status))
        })?;
        codes.narrow(found.flatten().unwrap_or_default());
    }
    object.set_settings(&ours)?;
    let leader = leader(&mut Kernel::new(object));
    object.set_settings(settings)?;
    Ok(Offsets { group_exit_code: codes.only(), leader })
}

/// Every offset at which `group_exit_code` may stand.
fn group_exit_codes(signal: &[u8], status: u8) -> Vec<u32> {
    // Then notify_count, group_exit_task (a pointer), group_stop_count and flags.
    let row = row([i32::from(status) << 8, 0, 0, 0, 0, SIGNAL_GROUP_EXIT]);
    let places = signal.windows(row.len()).enumerate().step_by(align_of::<i32>());
    places.filter(|(_, window)| *window == row).map(|(at, _)| at as u32).collect()
}

fn leader(kernel: &mut Kernel) -> Option<u32> {
    let task = kernel.task()?;
    // More than a task_struct has: behind it lies another task's, or what was one. Its
    // group_leader may even have been at our address. What comes first is ours.
    let bytes = kernel.bytes(task, TASK_BYTES)?;
    find_leader(&bytes, task)
}

/// The first place at which `group_leader` may stand.
fn find_leader(bytes: &[u8], task: u64) -> Option<u32> {
    let is_leader = |at: &usize| {
        let empty_list = Some(task + *at as u64 + 8);
        word(bytes, *at) == Some(task)
            && word(bytes, at + 8) == empty_list
            && word(bytes, at + 16) == empty_list
    };
    (0..bytes.len()).step_by(8).find(is_leader).map(|at| at as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn the_code_of_a_group_is_known_by_the_flag_behind_it() {
        let mut signal = vec![0; 256];
        signal[16..20].copy_from_slice(&(0xa7i32 << 8).to_ne_bytes());
        assert!(group_exit_codes(&signal, 0xa7).is_empty());
        signal[36..40].copy_from_slice(&SIGNAL_GROUP_EXIT.to_ne_bytes());
        assert_eq!(group_exit_codes(&signal, 0xa7), [16]);
        assert!(group_exit_codes(&signal, 0x5d).is_empty());
    }

    #[test]
    fn the_leader_is_known_by_the_empty_list_behind_it() {
        const TASK: u64 = 0xffff_8881_0000_0000;
        let task = [TASK, TASK, TASK + 16, 0, TASK, TASK + 40, TASK + 40, TASK];
        assert_eq!(find_leader(&bytes(&task), TASK), Some(32));
        assert_eq!(find_leader(&bytes(&task), TASK + 64), None);
    }

    #[test]
    fn the_leader_of_a_dead_thread_behind_us_is_not_ours() {
        const TASK: u64 = 0xffff_8881_0000_0000;
        let task = [TASK, TASK + 8, TASK + 8, 0, TASK, TASK + 40, TASK + 40];
        assert_eq!(find_leader(&bytes(&task), TASK), Some(0));
    }
}
