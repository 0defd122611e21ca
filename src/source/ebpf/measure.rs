//! Where a `task_struct` keeps `exit_code`: measured, since no tracepoint tells the status
//! of a process that ends and old kernels have no BTF.
//!
//! `exit_code`, `exit_signal` and `pdeath_signal` are three ints in a row from 2.6 to
//! today (linux `include/linux/sched.h`). A child sets a death signal and ends with a
//! status that we choose; a program copies its task_struct when it ends; where the three
//! agreed values stand in a row is the offset. Two children with different statuses have
//! to agree on exactly one place, else the status is reported as unknown.

#![allow(unsafe_code)]

use std::io;

use super::abi::record::mote_settings;
use super::object::Object;

/// Statuses with no small or round number in them.
const STATUSES: [u8; 2] = [0xa7, 0x5d];
/// A real-time signal: nothing else sets it as a death signal.
const DEATH_SIGNAL: i32 = 43;

/// Measures the offset with the program that copies a `task_struct` attached. `Ok(None)`:
/// the children were seen, but the place is not certain.
pub fn exit_code_offset(object: &Object, settings: &mote_settings) -> io::Result<Option<u32>> {
    let mut candidates: Option<Vec<u32>> = None;
    for status in STATUSES {
        object.clear_probe()?;
        end_child(status, |pid| {
            object.set_settings(&mote_settings { probe_pid: pid, ..*settings })
        })?;
        let probe = object.probe()?;
        if probe.done == 0 {
            return Ok(None);
        }
        let found = positions(&probe.task, status);
        candidates = Some(match candidates {
            None => found,
            Some(earlier) => earlier.into_iter().filter(|at| found.contains(at)).collect(),
        });
    }
    Ok(match candidates.as_deref() {
        Some([one]) => Some(*one),
        _ => None,
    })
}

/// Every offset at which the three values stand in a row.
fn positions(task: &[u8], status: u8) -> Vec<u32> {
    let mut row = [0; 12];
    row[..4].copy_from_slice(&(i32::from(status) << 8).to_ne_bytes());
    row[4..8].copy_from_slice(&libc::SIGCHLD.to_ne_bytes());
    row[8..].copy_from_slice(&DEATH_SIGNAL.to_ne_bytes());
    let places = task.windows(row.len()).enumerate().step_by(align_of::<i32>());
    places.filter(|(_, window)| *window == row).map(|(at, _)| at as u32).collect()
}

/// Forks a child that waits until `prepare` has been told its pid, then ends.
fn end_child(status: u8, prepare: impl FnOnce(u32) -> io::Result<()>) -> io::Result<()> {
    let (read, write) = io::pipe()?;
    // SAFETY: there is one thread, and the child makes system calls only.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(write);
            let mut byte = [0];
            let _ = io::Read::read(&mut &read, &mut byte);
            // SAFETY: takes integers; ends this process without running destructors.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, DEATH_SIGNAL);
                libc::_exit(status.into())
            }
        }
        pid => {
            let prepared = prepare(pid as u32);
            drop(write);
            // SAFETY: our own child, which ends now that its pipe is closed.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
            prepared
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_finds_the_row_and_nothing_else() {
        let mut task = vec![0; 256];
        let row: Vec<u8> =
            [0xa7 << 8, libc::SIGCHLD, DEATH_SIGNAL].iter().flat_map(|v| v.to_ne_bytes()).collect();
        task[64..76].copy_from_slice(&row);
        // Not aligned: no field of a struct.
        task[130..142].copy_from_slice(&row);
        assert_eq!(positions(&task, 0xa7), [64]);
        assert!(positions(&task, 0x5d).is_empty());
        assert!(positions(&[], 0x5d).is_empty());
    }
}
