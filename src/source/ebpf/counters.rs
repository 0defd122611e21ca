//! The programs' loss counters, read where the kernel keeps them.
//!
//! Reading a map by bpf(2) keeps every program off the CPU for that long
//! (`bpf_disable_instrumentation`, linux `include/linux/bpf.h`). A preemptible kernel may
//! take the CPU away from the reader in between: what others then do there is not seen.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::abi::record::{MOTE_LOSS_COUNT, mote_losses};

/// The mapped map `losses`.
#[derive(Debug)]
pub struct Counters {
    losses: NonNull<mote_losses>,
    cpus: usize,
}

impl Counters {
    /// Maps the array of `cpus` elements.
    pub fn map(map: BorrowedFd<'_>, cpus: usize) -> io::Result<Counters> {
        // SAFETY: a new mapping at an address of the kernel's choice; it refuses one that
        // is longer than the array.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                cpus * size_of::<mote_losses>(),
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let losses = NonNull::new(address.cast())
            .ok_or_else(|| io::Error::other("the counters were mapped at address 0"))?;
        Ok(Counters { losses, cpus })
    }

    /// The counters of one CPU.
    pub fn read(&self, cpu: usize) -> mote_losses {
        let mut losses = mote_losses::default();
        if cpu < self.cpus {
            for which in 0..MOTE_LOSS_COUNT as usize {
                // SAFETY: an aligned u64 of the mapping; the kernel only writes to it whole.
                let counter = unsafe {
                    AtomicU64::from_ptr(&raw mut (*self.losses.as_ptr().add(cpu)).counts[which])
                };
                // Relaxed is what read-only memory allows.
                losses.counts[which] = counter.load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire);
        }
        losses
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this size.
        unsafe {
            libc::munmap(self.losses.as_ptr().cast(), self.cpus * size_of::<mote_losses>());
        }
    }
}
