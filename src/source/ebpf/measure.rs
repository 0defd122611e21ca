//! What the kernel does not tell where it is, found by looking for values that we choose.
//!
//! Where a `task_struct` keeps `exit_code` and `signal`: measured, since no tracepoint tells
//! the status of a process that ends, nor, before 6.18 or so, whether it was its last
//! thread, and old kernels have no BTF.
//!
//! `exit_code`, `exit_signal` and `pdeath_signal` are three ints in a row from 2.6 to
//! today (linux `include/linux/sched.h`). A child sets a death signal and ends with a
//! status that we choose; a program copies its task_struct when it ends; where the three
//! agreed values stand in a row is the offset.
//!
//! `signal` is the pointer whose target begins with `sigcnt`, `live` and `nr_threads`, and
//! behind it stands `sighand`, whose target has its `count` at the beginning
//! (`include/linux/sched/signal.h`): a child makes a number of threads that we choose, and
//! its first thread ends; all pairs of pointers in its task_struct are followed. One alone
//! would not do: 3.10 has an old copy of `signal` in the same task_struct.
//!
//! Two children with different values have to agree on exactly one place, else it is not
//! known.

#![allow(unsafe_code)]

use std::io;
use std::sync::LazyLock;

use super::abi::record::*;
use super::child::{CHILDREN, DEATH_SIGNAL, probe};
use super::object::Object;

/// What was measured. `None`: the children were not seen, or the place is not certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Of `task_struct.exit_code`, in bytes.
    pub exit_code: Option<u32>,
    /// Of `task_struct.signal`, in bytes.
    pub signal: Option<u32>,
}

/// Where the context of a system call has what programs need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallOffsets {
    /// The number of the call.
    pub number: u32,
    /// Its first argument, or its result.
    pub args: u32,
}

/// No descriptor, and no mode.
const TRIAL_ARGS: [u64; 2] = [0x7a11_5eed, 0x5a5a];

/// Measures with the program `probe_call` attached to fchmod(2), which fails at once.
/// `None`: it was not seen, or has another form.
pub fn call_offsets(object: &Object, settings: &mote_settings) -> io::Result<Option<CallOffsets>> {
    object.set_probe(&Object::empty_probe())?;
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    // SAFETY: takes integers, which name nothing.
    unsafe { libc::syscall(libc::SYS_fchmod, TRIAL_ARGS[0], TRIAL_ARGS[1]) };
    object.set_settings(settings)?;
    let probe = object.probe()?;
    Ok(if probe.done == 0 { None } else { find_call(&probe.context) })
}

/// The number stands somewhere before the arguments, behind the pointer that the context
/// begins with.
fn find_call(context: &[u8]) -> Option<CallOffsets> {
    let args: Vec<u8> = TRIAL_ARGS.iter().flat_map(|arg| arg.to_ne_bytes()).collect();
    let args_at = context.windows(args.len()).step_by(8).position(|bytes| bytes == args)? * 8;
    let behind_pointer = POINTER_BYTES as usize;
    let before = context.get(behind_pointer..args_at)?;
    let number = (libc::SYS_fchmod as u32).to_ne_bytes();
    let number_at = before.chunks_exact(4).position(|bytes| bytes == number)? * 4;
    Some(CallOffsets { number: (behind_pointer + number_at) as u32, args: args_at as u32 })
}

const TARGET_BYTES: usize = MOTE_PROBE_TARGET_BYTES as usize;
const POINTER_BYTES: u32 = 8;

/// Measures with the program `probe_exit` attached.
pub fn offsets(object: &Object, settings: &mote_settings) -> io::Result<Offsets> {
    let mut offsets = Offsets::default();
    let mut exit_codes = Candidates::default();
    let mut pairs = Vec::new();
    for child in CHILDREN {
        let Some(probe) = probe(object, settings, child, &[])? else { return Ok(offsets) };
        exit_codes.narrow(positions(&probe.task, child.status));
        pairs = pointer_pairs(&probe.task);
    }
    offsets.exit_code = exit_codes.only();
    let mut signals = Candidates::default();
    let mut task = Vec::new();
    for child in CHILDREN {
        let mut found = Vec::new();
        for chunk in signals.of(&pairs).chunks(MOTE_PROBE_POINTERS as usize / 2) {
            let pointers: Vec<u32> =
                chunk.iter().flat_map(|at| [*at, at + POINTER_BYTES]).collect();
            let Some(probe) = probe(object, settings, child, &pointers)? else {
                return Ok(offsets);
            };
            let targets = probe.targets.chunks_exact(2 * TARGET_BYTES).zip(chunk);
            found.extend(targets.filter(|(t, _)| is_signal(t, child.threads)).map(|(_, at)| *at));
            task = probe.task.to_vec();
        }
        signals.narrow(found);
    }
    signals.narrow(first_of_each_pointer(&task, &signals.of(&[])));
    offsets.signal = signals.only();
    Ok(offsets)
}

/// Offsets on which all children so far agree.
#[derive(Debug, Default)]
pub(super) struct Candidates(Option<Vec<u32>>);

impl Candidates {
    pub(super) fn narrow(&mut self, found: Vec<u32>) {
        self.0 = Some(match self.0.take() {
            None => found,
            Some(earlier) => earlier.into_iter().filter(|at| found.contains(at)).collect(),
        });
    }

    /// What is left of `all`.
    fn of<'a>(&'a self, all: &'a [u32]) -> Vec<u32> {
        self.0.as_deref().unwrap_or(all).to_vec()
    }

    pub(super) fn only(&self) -> Option<u32> {
        match self.0.as_deref() {
            Some([one]) => Some(*one),
            _ => None,
        }
    }
}

/// Every offset at which the three values stand in a row.
fn positions(task: &[u8], status: u8) -> Vec<u32> {
    let row = row([i32::from(status) << 8, libc::SIGCHLD, DEATH_SIGNAL]);
    let places = task.windows(row.len()).enumerate().step_by(align_of::<i32>());
    places.filter(|(_, window)| *window == row).map(|(at, _)| at as u32).collect()
}

/// Whether a signal_struct and a sighand_struct begin like this when the first of `threads`
/// + 1 threads ends: it is not alive any more, but not released either.
///
/// `count` is the first field of a sighand_struct, and from 5.3 on the second, behind an
/// unlocked spinlock.
fn is_signal(targets: &[u8], threads: u8) -> bool {
    let left = i32::from(threads);
    let (signal, sighand) = targets.split_at(TARGET_BYTES);
    signal.starts_with(&row([left + 1, left, left + 1]))
        && (sighand.starts_with(&row([left + 1])) || sighand.starts_with(&row([0, left + 1])))
}

/// Of several places with the same pointer, the first. What is copied may be longer than a
/// task_struct (2,768 bytes on 3.10), and what follows it another thread's of the process.
fn first_of_each_pointer(task: &[u8], places: &[u32]) -> Vec<u32> {
    let pointer = |at: u32| task.get(at as usize..at as usize + 8);
    let is_first =
        |at: &&u32| places.iter().find(|other| pointer(**other) == pointer(**at)) == Some(*at);
    places.iter().filter(is_first).copied().collect()
}

pub(super) fn row<const N: usize>(values: [i32; N]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// Every offset at which two pointers into the kernel may stand in a row.
fn pointer_pairs(task: &[u8]) -> Vec<u32> {
    let is_pointer = |word: &[u8]| {
        let value = word.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        is_kernel(value) && value % 8 == 0
    };
    let words: Vec<bool> = task.chunks_exact(8).map(is_pointer).collect();
    let pairs = words.windows(2).zip(0u32..).filter(|(pair, _)| *pair == [true, true]);
    pairs.map(|(_, n)| n * POINTER_BYTES).collect()
}

/// Whether it is an address in the kernel's part, and no error number.
///
/// With 4 levels of page tables x86-64 has addresses below that are of nobody: kernels of 4.20
/// to 5.7 warn if such a one is read.
pub(super) fn is_kernel(address: u64) -> bool {
    static LOWEST: LazyLock<u64> = LazyLock::new(|| {
        let five_levels = || {
            let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            cpus.split_ascii_whitespace().any(|flag| flag == "la57")
        };
        if cfg!(target_arch = "x86_64") && !five_levels() {
            0xffff_8000_0000_0000
        } else {
            0xff00_0000_0000_0000
        }
    });
    (*LOWEST..0xffff_ffff_ffff_f000).contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_finds_the_row_and_nothing_else() {
        let mut task = vec![0; 256];
        let row = row([0xa7 << 8, libc::SIGCHLD, DEATH_SIGNAL]);
        task[64..76].copy_from_slice(&row);
        // Not aligned: no field of a struct.
        task[130..142].copy_from_slice(&row);
        assert_eq!(positions(&task, 0xa7), [64]);
        assert!(positions(&task, 0x5d).is_empty());
        assert!(positions(&[], 0x5d).is_empty());
    }

    /// The contexts of 6.18, RHEL 9.4 and RHEL 9.3.
    #[test]
    fn a_call_is_found_in_every_known_context() {
        const NUMBER: u32 = libc::SYS_fchmod as u32;
        for (number, args) in [(8, 16), (12, 16), (16, 24)] {
            let mut context = vec![0xff; 64];
            context[number..number + 4].copy_from_slice(&NUMBER.to_ne_bytes());
            context[args..args + 8].copy_from_slice(&TRIAL_ARGS[0].to_ne_bytes());
            assert_eq!(find_call(&context), None);
            context[args + 8..args + 16].copy_from_slice(&TRIAL_ARGS[1].to_ne_bytes());
            let found = CallOffsets { number: number as u32, args: args as u32 };
            assert_eq!(find_call(&context), Some(found));
        }
        assert_eq!(find_call(&[]), None);
    }

    #[test]
    fn pairs_of_pointers_into_the_kernel_are_found_by_their_value() {
        let words: [u64; 9] = [
            0,
            0xffff_8881_0000_0040,
            0xffff_8881_0000_0048,
            0xffff_fe00_1234_5678,
            0xffff_8881_0000_0041,
            0xffff_8881_0000_0040,
            0x7fff_0000_0000_0000,
            0xffff_8881_0000_0040,
            u64::MAX - 7,
        ];
        let task: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(pointer_pairs(&task), [8, 16]);
    }

    #[test]
    fn a_signal_is_known_with_its_sighand() {
        let targets = |signal: [i32; 4], sighand: [i32; 4]| [row(signal), row(sighand)].concat();
        let signal = [12, 11, 12, 0];
        // 3.10, then 6.18.
        assert!(is_signal(&targets(signal, [12, 0, 5, 6]), 11));
        assert!(is_signal(&targets(signal, [0, 12, 5, 6]), 11));
        assert!(!is_signal(&targets(signal, [11, 0, 5, 6]), 11));
        assert!(!is_signal(&targets([12, 12, 12, 0], [12, 0, 5, 6]), 11));
        assert!(!is_signal(&targets(signal, [12, 0, 5, 6]), 7));
    }

    #[test]
    fn the_pointer_of_the_next_thread_is_not_ours() {
        let task: Vec<u8> = [5u64, 7, 5, 8].iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(first_of_each_pointer(&task, &[0, 8, 16, 24]), [0, 8, 24]);
        assert_eq!(first_of_each_pointer(&task, &[8, 16]), [8, 16]);
    }

    #[test]
    fn offsets_are_certain_if_all_agree_on_one() {
        let mut candidates = Candidates::default();
        assert_eq!((candidates.only(), candidates.of(&[1, 2])), (None, vec![1, 2]));
        candidates.narrow(vec![8, 16, 24]);
        assert_eq!(candidates.only(), None);
        candidates.narrow(vec![16, 32]);
        assert_eq!((candidates.only(), candidates.of(&[1, 2])), (Some(16), vec![16]));
        candidates.narrow(vec![]);
        assert_eq!(candidates.only(), None);
    }
}
