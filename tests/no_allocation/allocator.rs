//! The system's allocator, counting on the thread that allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What happened on a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub freed_bytes: u64,
}

thread_local! {
    static HEAP: Cell<Heap> = const { Cell::new(Heap { allocations: 0, allocated_bytes: 0, freed_bytes: 0 }) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut heap = HEAP.get();
        heap.allocations += 1;
        heap.allocated_bytes += layout.size() as u64;
        HEAP.set(heap);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let mut heap = HEAP.get();
        heap.freed_bytes += layout.size() as u64;
        HEAP.set(heap);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `act` does to the heap.
pub fn heap_of(act: impl FnOnce()) -> Heap {
    let before = HEAP.get();
    act();
    let after = HEAP.get();
    Heap {
        allocations: after.allocations - before.allocations,
        allocated_bytes: after.allocated_bytes - before.allocated_bytes,
        freed_bytes: after.freed_bytes - before.freed_bytes,
    }
}

/// Does `act`, which must not touch the heap.
pub fn without_heap(act: impl FnOnce()) {
    assert_eq!(heap_of(act), Heap::default());
}

#[test]
fn what_is_allocated_is_counted() {
    let heap = heap_of(|| drop(std::hint::black_box(vec![0u8; 100])));
    assert_eq!(heap, Heap { allocations: 1, allocated_bytes: 100, freed_bytes: 100 });
}
