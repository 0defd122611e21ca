//! What the kernel tells of a program (`BPF_OBJ_GET_INFO_BY_FD`, since 4.13).

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How often it was skipped because another program was running on that CPU. Kernels that do
/// not count that say 0.
pub fn recursion_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    read(program).map(|info| info.recursion_misses)
}

/// The number by which tools as bpftool know it.
pub fn id(program: BorrowedFd<'_>) -> io::Result<u32> {
    read(program).map(|info| info.id)
}

fn read(program: BorrowedFd<'_>) -> io::Result<bpf_sys::bpf_prog_info> {
    // SAFETY: a C struct of integers and arrays.
    let mut info: bpf_sys::bpf_prog_info = unsafe { std::mem::zeroed() };
    let mut bytes = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `bytes` to `info`.
    let error = unsafe {
        bpf_sys::bpf_obj_get_info_by_fd(program.as_raw_fd(), (&raw mut info).cast(), &mut bytes)
    };
    if error != 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}
