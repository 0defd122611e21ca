//! Memory that only a start needs goes back to the kernel.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::fs::read_to_string;
use std::ops::Range;
use std::slice;

/// Of the stack below a frame, what the calls from there may take.
const CALLS_BYTES: usize = 16 << 10;

/// What is resident and not needed any more: free memory of the heap, which glibc keeps for later; the stack
/// below this frame, in which a start builds what it moves to the heap; and the pages of this program's file.
/// Of 4 MiB of code and tables a start touches nearly all (libbpf, the kernel side's ELF), and the loop
/// a part, which comes back from the page cache as it is touched.
pub fn give_back() {
    // SAFETY: takes an integer.
    unsafe { libc::malloc_trim(0) };
    // SAFETY: the callback reads what it is given, and keeps nothing of it.
    unsafe { libc::dl_iterate_phdr(Some(drop_file_pages), std::ptr::null_mut()) };
    if let Some(unused) = unused_stack() {
        // SAFETY: of this thread's stack, and lower than what is called from here takes. No handler of a
        // signal is there either: it has ended before the call, or begins after it.
        unsafe { drop_pages(unused) };
    }
}

/// The main thread's stack, from its lowest address to [`CALLS_BYTES`] below this frame. Of other threads none:
/// what the kernel lists as one mapping may be more than the stack of one.
fn unused_stack() -> Option<Range<usize>> {
    let here = 0u8;
    let here = (&raw const here).addr();
    let maps = read_to_string("/proc/self/maps").ok()?;
    let mut stacks = maps.lines().filter(|line| line.ends_with(" [stack]")).filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
    });
    let stack = stacks.find(|stack| stack.contains(&here))?;
    Some(stack.start..here.saturating_sub(CALLS_BYTES))
}

/// Whole pages of it: what shares one with something else stays.
///
/// # Safety
///
/// Nobody needs what was written there: it is zero after this, or what the mapped file has.
unsafe fn drop_pages(range: Range<usize>) {
    // SAFETY: takes an integer.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let start = range.start.next_multiple_of(page_bytes);
    let bytes = (range.end / page_bytes * page_bytes).saturating_sub(start);
    // A kernel that refuses keeps them: nothing is lost by that.
    // SAFETY: of the caller.
    unsafe { libc::madvise(start as *mut c_void, bytes, libc::MADV_DONTNEED) };
}

/// Of the first object, which is the program itself: its segments that nobody writes. Those that are
/// written have relocations and variables, which are not in the file.
unsafe extern "C" fn drop_file_pages(
    info: *mut libc::dl_phdr_info,
    _bytes: usize,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: valid for the time of the call (dl_iterate_phdr(3)).
    let info = unsafe { &*info };
    // SAFETY: so many of them are there (dl_iterate_phdr(3)).
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let unwritten = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0);
    for header in unwritten {
        let start = (info.dlpi_addr + header.p_vaddr) as usize;
        // SAFETY: never written, but by a debugger: its breakpoints are gone.
        unsafe { drop_pages(start..start + header.p_memsz as usize) };
    }
    // No more objects.
    1
}
