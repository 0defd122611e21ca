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
    for instruction in all.iter_mut().filter(|i| i.code == CALL && i.src_reg() == 0) {
        let function = match instruction.imm as u32 {
            MOTE_PREEMPT_DISABLE => DISABLE.load(Ordering::Relaxed),
            MOTE_PREEMPT_ENABLE => ENABLE.load(Ordering::Relaxed),
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
    // SAFETY: libbpf hands us a result to fill.
    unsafe {
        (*result).new_insn_ptr = instructions;
        (*result).new_insn_cnt = count;
    }
    0
}
