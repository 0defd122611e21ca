//! Where the kernel keeps a process's memory and the arguments in it: measured, since old
//! kernels have no BTF.
//!
//! `task_struct.mm` is one of two pointers that are the same in a process, `mm` and
//! `active_mm`. `mm_struct` has `arg_start`, `arg_end`, `env_start` and `env_end` in a row
//! (linux `include/linux/sched.h`, `mm_types.h`), and /proc tells ours.

use std::io;

use super::abi::record::*;
use super::measure::is_kernel;
use super::object::Object;
use super::peek::{Kernel, Memory, word};

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

const TASK_BYTES: usize = (MOTE_PROBE_CHUNKS * MOTE_PROBE_CHUNK_BYTES) as usize;
/// Of an `mm_struct`, where `arg_start` may be: at 336 on 5.10, 344 on 6.12. Debugging options
/// make it more.
const MM_BYTES: usize = 2048;

/// Measures with `probe_memory` attached to fchmod(2). `None`: not seen.
pub fn offsets(object: &Object, settings: &mote_settings) -> io::Result<Option<Offsets>> {
    let stat = std::fs::read("/proc/self/stat")?;
    let Some(own) = bounds(&stat) else { return Ok(None) };
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    let mut memory = Kernel::new(object);
    let found = memory.task().and_then(|task| find(&mut memory, task, own));
    object.set_settings(settings)?;
    Ok(found)
}

/// The fields 48 to 51 of /proc/PID/stat, proc_pid_stat(5).
pub(crate) fn bounds(stat: &[u8]) -> Option<Bounds> {
    // The second field is a name, in which anything may be.
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[behind_name..]).ok()?;
    let mut fields = fields.split_ascii_whitespace().skip(48 - 3);
    let mut bounds = [0; 4];
    for bound in &mut bounds {
        *bound = fields.next()?.parse().ok()?;
    }
    // Zeros: /proc does not say.
    (bounds[0] != 0).then_some(bounds)
}

/// The first place in a task_struct: behind it lies another task's.
fn find(memory: &mut impl Memory, task: u64, own: Bounds) -> Option<Offsets> {
    let bytes = memory.bytes(task, TASK_BYTES)?;
    // Some are stored with a value in their low bits.
    let pointer = |at| word(&bytes, at).filter(|value| is_kernel(*value) && value % 8 == 0);
    (0..bytes.len()).step_by(8).find_map(|task_mm| {
        let mm = pointer(task_mm).filter(|mm| pointer(task_mm + 8) == Some(*mm))?;
        let target = memory.bytes(mm, MM_BYTES)?;
        let is_own = |at: &usize| (0..4).all(|n| word(&target, at + 8 * n) == Some(own[n]));
        let mm_arg_start = (0..target.len()).step_by(8).find(is_own)?;
        Some(Offsets { task_mm: task_mm as u32, mm_arg_start: mm_arg_start as u32 })
    })
}

#[cfg(test)]
mod tests {
    use super::super::peek::PEEK_BYTES;
    use super::*;

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
        fn put(&mut self, at: usize, values: &[u64]) {
            for (n, value) in values.iter().enumerate() {
                let from = at + 8 * n;
                self.0[from..from + 8].copy_from_slice(&value.to_ne_bytes());
            }
        }
    }

    #[test]
    fn bounds_are_found_behind_any_name() {
        let fields: Vec<String> = (3..53).map(|n| n.to_string()).collect();
        let stat = format!("1 (a) 48 (b) {}\n", fields.join(" "));
        assert_eq!(bounds(stat.as_bytes()), Some([48, 49, 50, 51]));
        assert_eq!(bounds(b"1 (a) S 1"), None);
        assert_eq!(bounds(stat.replace(" 48 49 ", " 0 0 ").as_bytes()), None);
        assert_eq!(bounds(b""), None);
    }

    #[test]
    fn own_bounds_are_ours() {
        let [arg_start, arg_end, ..] = bounds(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        let bytes: usize = std::env::args_os().map(|arg| arg.len() + 1).sum();
        assert_eq!((arg_end - arg_start) as usize, bytes);
    }

    /// At every place, also where pieces of what is read meet.
    #[test]
    fn the_row_is_found_wherever_it_is() {
        const TASK_MM: usize = 904;
        // Behind the task.
        const MM: usize = TASK_BYTES + 4096;
        for mm_arg_start in (0..MM_BYTES - 32).step_by(8) {
            let mut memory = Made(vec![0; MM + 2 * 4096]);
            // Two that are the same, and no mm_struct; with a value in their low bits; not twice.
            let mm = START + MM as u64;
            memory.put(40, &[mm + 2048, mm + 2048, 0, mm + 1, mm + 1, 0, mm, 0]);
            memory.put(TASK_MM, &[mm, mm]);
            memory.put(MM + mm_arg_start, &OWN);
            let found = Offsets { task_mm: TASK_MM as u32, mm_arg_start: mm_arg_start as u32 };
            assert_eq!(find(&mut memory, START, OWN), Some(found));
            assert_eq!(find(&mut memory, START, OWN.map(|bound| bound + 1)), None);
        }
    }
}
