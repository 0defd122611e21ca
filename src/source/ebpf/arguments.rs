//! Where the kernel keeps the arguments of the program that a process runs: measured, since old
//! kernels have no BTF.
//!
//! `task_struct.mm` is one of two pointers that are the same in a process, `mm` and `active_mm`,
//! some words before `exit_code`; behind it are, in some kernels, what was found of it last and
//! its counters. `mm_struct` has `arg_start`, `arg_end`, `env_start` and `env_end` in a row
//! (linux `include/linux/sched.h`, `mm_types.h`), and /proc tells ours.

use std::io;

use super::abi::record::mote_settings;
use super::files::{Kernel, Memory, PEEK_BYTES, word};
use super::object::Object;

/// What was measured, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Of `task_struct.mm`.
    pub task_mm: u32,
    /// Of `mm_struct.arg_start`.
    pub mm_arg_start: u32,
}

/// `arg_start`, `arg_end`, `env_start`, `env_end`.
type Bounds = [u64; 4];

/// Between `mm` and `exit_code`: 88 on 5.10, 16 on 6.12.
const BEFORE_EXIT_CODE_BYTES: u32 = 256;
/// Of an `mm_struct`, where `arg_start` may be: at 336 on 5.10, 344 on 6.12.
const MM_BYTES: u32 = 2048;

/// Measures with the program `probe_memory` attached to fchmod(2), from
/// `task_struct.exit_code`, which has to be known. `None`: not seen.
pub fn arguments(object: &Object, settings: &mote_settings) -> io::Result<Option<Offsets>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let Some(own) = bounds(&stat) else { return Ok(None) };
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    let mut memory = Kernel(object);
    let found =
        memory.task().and_then(|task| find(&mut memory, task, settings.task_exit_code_offset, own));
    object.set_settings(settings)?;
    Ok(found)
}

/// The fields 48 to 51 of /proc/PID/stat, proc_pid_stat(5).
fn bounds(stat: &str) -> Option<Bounds> {
    // The second field is a name, in which anything may be.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(48 - 3);
    let mut bounds = [0; 4];
    for bound in &mut bounds {
        *bound = fields.next()?.parse().ok()?;
    }
    // Zeros: /proc does not say.
    (bounds[0] != 0).then_some(bounds)
}

fn find(memory: &mut impl Memory, task: u64, exit_code: u32, own: Bounds) -> Option<Offsets> {
    let places = (8..BEFORE_EXIT_CODE_BYTES).step_by(8);
    for task_mm in places.filter_map(|before| (exit_code & !7).checked_sub(before)) {
        let Some([mm, active]) = memory.pointers(task + u64::from(task_mm)) else { continue };
        if mm != active {
            continue;
        }
        // So that a row of four is whole in one of the pieces.
        for at in (0..MM_BYTES).step_by(PEEK_BYTES - size_of::<Bounds>() + 8) {
            let bytes = memory.read(mm + u64::from(at))?;
            let is_own = |from: &usize| (0..4).all(|n| word(&bytes, from + 8 * n) == Some(own[n]));
            if let Some(from) = (0..PEEK_BYTES).step_by(8).find(is_own) {
                return Some(Offsets { task_mm, mm_arg_start: at + from as u32 });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the kernel on every architecture.
    const START: u64 = 0xffff_8881_0000_0000;
    const OWN: Bounds = [0x7fe0, 0x7ff0, 0x7ff0, 0x7fff];

    struct Made(Vec<u8>);

    impl Memory for Made {
        fn read(&mut self, address: u64) -> Option<[u8; PEEK_BYTES]> {
            let from = address.checked_sub(START)? as usize;
            self.0.get(from..from + PEEK_BYTES)?.try_into().ok()
        }
    }

    impl Made {
        fn put(&mut self, at: u32, values: &[u64]) {
            for (n, value) in values.iter().enumerate() {
                let from = at as usize + 8 * n;
                self.0[from..from + 8].copy_from_slice(&value.to_ne_bytes());
            }
        }
    }

    #[test]
    fn bounds_are_found_behind_any_name() {
        let fields: Vec<String> = (3..53).map(|n| n.to_string()).collect();
        let stat = format!("1 (a) 48 (b) {}\n", fields.join(" "));
        assert_eq!(bounds(&stat), Some([48, 49, 50, 51]));
        assert_eq!(bounds("1 (a) S 1"), None);
        assert_eq!(bounds(&stat.replace(" 48 49 ", " 0 0 ")), None);
        assert_eq!(bounds(""), None);
    }

    #[test]
    fn own_bounds_are_ours() {
        let [arg_start, arg_end, ..] =
            bounds(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        let bytes: usize = std::env::args_os().map(|arg| arg.len() + 1).sum();
        assert_eq!((arg_end - arg_start) as usize, bytes);
    }

    /// At every place, also where pieces of what is read meet.
    #[test]
    fn the_row_is_found_wherever_it_is() {
        const EXIT_CODE: u32 = 1004;
        const TASK_MM: u32 = 904;
        const MM: u32 = 4096;
        for mm_arg_start in (0..MM_BYTES - 32).step_by(8) {
            let mut memory = Made(vec![0; 3 * 4096]);
            // Two that are the same, and no mm_struct.
            let same = START + 8 * 1024;
            memory.put(TASK_MM + 40, &[same, same]);
            let mm = START + u64::from(MM);
            memory.put(TASK_MM, &[mm, mm]);
            memory.put(MM + mm_arg_start, &OWN);
            let found = Offsets { task_mm: TASK_MM, mm_arg_start };
            assert_eq!(find(&mut memory, START, EXIT_CODE, OWN), Some(found));
            assert_eq!(find(&mut memory, START, EXIT_CODE, OWN.map(|bound| bound + 1)), None);
        }
    }
}
