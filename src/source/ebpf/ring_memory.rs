//! A ring in memory of ours, which is written to as the kernel does. Unlike [files](super::super::ring_file)
//! it is fast, and miri sees every access to it.

use super::{Ordering, Ring};
use std::sync::atomic::AtomicU64;

impl Ring {
    /// An empty one. Nobody tells when it is written to.
    pub(crate) fn in_memory(data_bytes: usize) -> Ring {
        let (event, _) = std::io::pipe().unwrap();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        Ring::map_of(-1, flags, event.into(), data_bytes).unwrap()
    }

    /// Goes on at this place of an empty ring, or the next like it.
    pub(crate) fn skip_to(&mut self, place: u64) {
        assert_eq!(self.waiting_bytes(), 0);
        self.tail += place.wrapping_sub(self.tail) & (self.data_bytes as u64 - 1);
        self.set_head(self.tail);
    }

    /// Puts bytes where the kernel would, of which there is room for all, and moves its head behind them.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.data_bytes - self.waiting_bytes() as usize);
        let start = (self.head & (self.data_bytes as u64 - 1)) as usize;
        let (first, rest) = bytes.split_at(bytes.len().min(self.data_bytes - start));
        let data = self.data.as_ptr();
        // SAFETY: both lie within the mapping, and nothing borrows from the ring.
        unsafe {
            std::ptr::copy_nonoverlapping(first.as_ptr(), data.add(start), first.len());
            std::ptr::copy_nonoverlapping(rest.as_ptr(), data, rest.len());
        }
        self.set_head(self.head + bytes.len() as u64);
    }

    fn set_head(&mut self, head: u64) {
        // SAFETY: as in `refresh`; here we are the kernel.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.as_ptr()).data_head) }
            .store(head, Ordering::Release);
        self.refresh();
    }

    /// How far the space was given back.
    pub(crate) fn released(&self) -> u64 {
        // SAFETY: as in `release`.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.as_ptr()).data_tail) }
            .load(Ordering::Acquire)
    }
}
