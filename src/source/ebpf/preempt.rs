//! What a program calls so that it is not preempted: put into its instructions before it is
//! loaded, since where that is possible differs from kernel to kernel.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

use super::abi::record::{MOTE_PREEMPT_DISABLE, MOTE_PREEMPT_ENABLE};
use super::btf;

/// The BTF numbers of the kernel's functions that programs call; 0: programs are never
/// preempted, or the kernel has no such functions. `complete` has no other way to know.
static DISABLE: AtomicU32 = AtomicU32::new(0);
static ENABLE: AtomicU32 = AtomicU32::new(0);

/// `BPF_JMP | BPF_CALL` and `BPF_ALU64 | BPF_MOV | BPF_K` (linux `include/uapi/linux/bpf.h`).
const CALL: u8 = 0x85;
const MOVE: u8 = 0xb7;
/// In a call's source register: the number is that of a function of the kernel.
const BPF_PSEUDO_KFUNC_CALL: u8 = 2;

/// Finds the kernel's functions for the programs that are loaded next, if they can be
/// preempted.
pub fn find(preemptible: bool) {
    let names = ["bpf_preempt_disable", "bpf_preempt_enable"];
    let btf = preemptible.then(|| std::fs::read("/sys/kernel/btf/vmlinux").ok()).flatten();
    let [disable, enable] = btf.and_then(|btf| btf::functions(&btf, names)).unwrap_or([0; 2]);
    DISABLE.store(disable, Ordering::Relaxed);
    ENABLE.store(enable, Ordering::Relaxed);
}

/// libbpf asks for the instructions of each run of a program: the calls of `bpf/kernel.h`
/// that stand for functions of the kernel become these, or nothing.
pub unsafe extern "C" fn complete(
    _program: *mut bpf_sys::bpf_program,
    _run: c_int,
    instructions: *mut bpf_sys::bpf_insn,
    count: c_int,
    result: *mut bpf_sys::bpf_prog_prep_result,
) -> c_int {
    // SAFETY: libbpf hands us its own `count` instructions to change.
    let all = unsafe { std::slice::from_raw_parts_mut(instructions, count as usize) };
    put_in(all, DISABLE.load(Ordering::Relaxed), ENABLE.load(Ordering::Relaxed));
    // SAFETY: libbpf hands us a result to fill.
    unsafe {
        (*result).new_insn_ptr = instructions;
        (*result).new_insn_cnt = count;
    }
    0
}

fn put_in(all: &mut [bpf_sys::bpf_insn], disable: u32, enable: u32) {
    for instruction in all.iter_mut().filter(|i| i.code == CALL && i.src_reg() == 0) {
        let function = match instruction.imm as u32 {
            MOTE_PREEMPT_DISABLE => disable,
            MOTE_PREEMPT_ENABLE => enable,
            _ => continue,
        };
        if function == 0 {
            // r0 = 0
            instruction.code = MOVE;
            instruction.imm = 0;
        } else {
            instruction.set_src_reg(BPF_PSEUDO_KFUNC_CALL);
            instruction.imm = function as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Instructions = Vec<bpf_sys::bpf_insn>;

    fn instructions(of: &[(u8, u8, i32)]) -> Instructions {
        let instruction = |(code, source, imm): &(u8, u8, i32)| bpf_sys::bpf_insn {
            code: *code,
            _bitfield_align_1: [],
            _bitfield_1: bpf_sys::bpf_insn::new_bitfield_1(0, *source),
            off: 0,
            imm: *imm,
        };
        of.iter().map(instruction).collect()
    }

    fn told(of: &Instructions) -> Vec<(u8, u8, i32)> {
        of.iter().map(|own| (own.code, own.src_reg(), own.imm)).collect()
    }

    #[test]
    fn calls_of_the_kernels_functions_are_put_in_and_others_stay() {
        let (disable, enable) = (MOTE_PREEMPT_DISABLE as i32, MOTE_PREEMPT_ENABLE as i32);
        let others = [(CALL, 0, 6), (CALL, 1, disable), (MOVE, 0, enable)];
        let all = [&[(CALL, 0, disable), (CALL, 0, enable)], &others[..]].concat();
        let kernels = [(CALL, BPF_PSEUDO_KFUNC_CALL, 70), (CALL, BPF_PSEUDO_KFUNC_CALL, 71)];
        for (numbers, expected) in [([0, 0], [(MOVE, 0, 0); 2]), ([70, 71], kernels)] {
            let mut given = instructions(&all);
            put_in(&mut given, numbers[0], numbers[1]);
            assert_eq!(told(&given), [&expected, &others[..]].concat());
        }
    }

    #[test]
    fn libbpf_gets_its_own_instructions_back() {
        let mut given = instructions(&[(CALL, 0, 6), (MOVE, 0, 1)]);
        let (none, no_fd) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut result =
            bpf_sys::bpf_prog_prep_result { new_insn_ptr: none, new_insn_cnt: 0, pfd: no_fd };
        let (at, count) = (given.as_mut_ptr(), given.len() as c_int);
        // SAFETY: as libbpf calls it: so many instructions, and a result.
        let error = unsafe { complete(std::ptr::null_mut(), 0, at, count, &raw mut result) };
        assert_eq!((error, result.new_insn_ptr, result.new_insn_cnt), (0, at, count));
        assert_eq!(told(&given), [(CALL, 0, 6), (MOVE, 0, 1)]);
    }
}
