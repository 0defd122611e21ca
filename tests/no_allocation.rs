//! After the start no event touches the heap: ring record → event → known process → filter
//! → record → line, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::mem::offset_of;

use mote::event::{Bytes, Class, Loss, LossPlace};
use mote::filter::Filter;
use mote::record::{Context, Provider};
use mote::sensor::pipeline::{Output, Pipeline};
use mote::source::ebpf::abi::record::*;
use mote::syscalls::Arch;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting on the thread that allocates.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Default)]
struct Lines {
    lines: u64,
    events: u64,
}

impl Output for Lines {
    fn offer(&mut self, _: Class, events: u32, _: u64, _: &[u8]) {
        self.lines += 1;
        self.events += u64::from(events);
    }
}

fn record(kind: u32, syscall: i64, pid: u32) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<mote_exec>()];
    put(&mut bytes, offset_of!(mote_header, kind), &(kind as u16).to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, syscall), &(syscall as i32).to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, pid), &pid.to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, tid), &pid.to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, comm), b"sh");
    bytes
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

/// One process from its fork to its exit, with a rename by relative names, which asks the
/// process table, and /proc where that does not know.
fn life(pid: u32) -> [(Class, Vec<u8>); 5] {
    let mut fork = record(MOTE_KIND_FORK, -1, std::process::id());
    put(&mut fork, offset_of!(mote_fork, child_pid), &pid.to_ne_bytes());
    let mut exec = record(MOTE_KIND_EXEC, libc::SYS_execve, pid);
    let path = format!("/usr/bin/tool-{pid}\0");
    put(&mut exec, offset_of!(mote_exec, args_bytes), &5u16.to_ne_bytes());
    put(&mut exec, offset_of!(mote_exec, path_bytes), &(path.len() as u16).to_ne_bytes());
    put(&mut exec, offset_of!(mote_exec, data), format!("tool\0{path}").as_bytes());
    let mut rename = record(MOTE_KIND_RENAME, libc::SYS_renameat2, pid);
    put(&mut rename, offset_of!(mote_call, dirfd), &(-100i32).to_ne_bytes());
    put(&mut rename, offset_of!(mote_call, from_dirfd), &3i32.to_ne_bytes());
    put(&mut rename, offset_of!(mote_call, from_bytes), &4u16.to_ne_bytes());
    put(&mut rename, offset_of!(mote_call, path_bytes), &4u16.to_ne_bytes());
    put(&mut rename, offset_of!(mote_call, data), b"old\0new\0");
    [
        (Class::Priority, fork),
        (Class::Priority, exec),
        (Class::Bulk, rename),
        (Class::Priority, record(MOTE_KIND_EXIT, -1, pid)),
        (Class::Bulk, record(99, 0, pid)),
    ]
}

#[test]
fn no_event_touches_the_heap() {
    const PROCESSES: u32 = 2_000;
    // Built before counting begins. The pids are larger than the kernel gives.
    let lives: Vec<_> = (0..PROCESSES).map(|n| life(5_000_000 + n)).collect();
    let context = Context {
        boot_id: [7; 16],
        start_ns: 1,
        hostname: Bytes::from_slice(b"host").unwrap(),
        arch: Arch::HOST,
        provider: Provider::Ebpf,
    };
    let mut pipeline = Pipeline::new(context, Filter::new()).unwrap();
    pipeline.scan_processes();
    let mut lines = Lines::default();

    let before = ALLOCATIONS.with(Cell::get);
    for life in &lives {
        for (class, bytes) in life {
            pipeline.record(*class, 0, bytes, &mut lines);
        }
    }
    let place = LossPlace::RingFull;
    pipeline.lose(Loss { place, class: Some(Class::Bulk), cpu: Some(1), count: 2 });
    // The process table starts anew.
    pipeline.lose(Loss { place, class: Some(Class::Priority), cpu: Some(1), count: 1 });
    pipeline.flush(&mut lines);
    let allocations = ALLOCATIONS.with(Cell::get) - before;

    // Four events of every process, and three loss records: two rings' and the malformed.
    assert_eq!(lines.events, u64::from(4 * PROCESSES + 3));
    assert_eq!(pipeline.totals().received, u64::from(4 * PROCESSES));
    assert_eq!(pipeline.totals().lost, u64::from(PROCESSES + 3));
    assert!(lines.lines > 10, "batches were finished in between");
    assert_eq!(allocations, 0);
}
