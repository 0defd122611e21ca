//! One perf ring: memory shared with the kernel, read by the contract of `struct
//! perf_event_mmap_page` (linux `include/uapi/linux/perf_event.h`): acquire `data_head`,
//! read what lies before it, then release the space through `data_tail`.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::abi::perf::{
    PERF_RECORD_LOST, PERF_RECORD_SAMPLE, perf_event_header, perf_event_mmap_page,
};
use super::abi::record::mote_exec;
use super::perf;

/// The largest record that is copied out when it wraps: the largest sample of ours fits.
pub const RECORD_BYTES: usize = 4096;

const HEADER_BYTES: usize = size_of::<perf_event_header>();
/// A raw sample says its size before its bytes.
const RAW_SIZE_BYTES: usize = 4;
const _: () = assert!(HEADER_BYTES + RAW_SIZE_BYTES + size_of::<mote_exec>() <= RECORD_BYTES);

/// What a ring holds next.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// What a program wrote, with up to 7 bytes of padding.
    Sample(&'a [u8]),
    /// The kernel had no room for this many records.
    Lost(u64),
    /// A record of no known kind or impossible size. `u64`: how many bytes.
    Malformed(u64),
}

/// A mapped ring of one CPU.
#[derive(Debug)]
pub struct Ring {
    event: OwnedFd,
    control: NonNull<perf_event_mmap_page>,
    mapped_bytes: usize,
    data: NonNull<u8>,
    data_bytes: usize,
    /// Where reading goes on, and how far the kernel had written when we last looked.
    /// Both only grow; positions in `data` are their low bits.
    tail: u64,
    head: u64,
}

impl Ring {
    /// Opens and maps a ring. `data_bytes` is a power of two of pages.
    pub fn open(cpu: i32, data_bytes: usize, watermark_bytes: u32) -> io::Result<Ring> {
        Ring::map(perf::open_ring(cpu, watermark_bytes)?, data_bytes)
    }

    /// Maps the ring of an event.
    pub fn map(event: OwnedFd, data_bytes: usize) -> io::Result<Ring> {
        let fd = event.as_raw_fd();
        Ring::map_of(fd, libc::MAP_SHARED, event, data_bytes)
    }

    /// Maps what `fd` and `flags` say, of which `event` tells when there is something to read.
    fn map_of(fd: RawFd, flags: c_int, event: OwnedFd, data_bytes: usize) -> io::Result<Ring> {
        let page_bytes = rustix::param::page_size();
        let mapped_bytes = page_bytes + data_bytes;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                fd,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let control = NonNull::new(address.cast::<perf_event_mmap_page>())
            .ok_or_else(|| io::Error::other("the ring was mapped at address 0"))?;
        // SAFETY: the mapping is `page_bytes + data_bytes` long.
        let data = unsafe { control.cast::<u8>().add(page_bytes) };
        Ok(Ring { event, control, mapped_bytes, data, data_bytes, tail: 0, head: 0 })
    }

    /// Looks how far the kernel has written.
    pub fn refresh(&mut self) {
        // SAFETY: `data_head` is an aligned u64 of the mapped page; the kernel stores it
        // when the records before it are whole (`perf_output_put_handle`).
        let head = unsafe { AtomicU64::from_ptr(&raw mut (*self.control.as_ptr()).data_head) };
        self.head = head.load(Ordering::Acquire);
    }

    /// Bytes that wait to be read, as of the last [`refresh`](Ring::refresh).
    pub fn waiting_bytes(&self) -> u64 {
        self.head.wrapping_sub(self.tail)
    }

    /// The next record, and the bytes to [`advance`](Ring::advance) by when it is done
    /// with. `scratch` holds a record that wraps.
    pub fn front<'a>(&'a self, scratch: &'a mut [u8; RECORD_BYTES]) -> Option<(Entry<'a>, u64)> {
        let waiting = self.waiting_bytes();
        if waiting == 0 {
            return None;
        }
        if waiting < HEADER_BYTES as u64 || waiting > self.data_bytes as u64 {
            return Some((Entry::Malformed(waiting), waiting));
        }
        // Records are multiples of 8 bytes, as is the ring: a header never wraps.
        let header = self.bytes(HEADER_BYTES, scratch);
        let kind = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        let size = usize::from(u16::from_ne_bytes([header[6], header[7]]));
        if size < HEADER_BYTES || size as u64 > waiting {
            // Where the next record begins is not known any more.
            return Some((Entry::Malformed(waiting), waiting));
        }
        if size > RECORD_BYTES {
            return Some((Entry::Malformed(size as u64), size as u64));
        }
        let body = &self.bytes(size, scratch)[HEADER_BYTES..];
        let entry = match kind {
            PERF_RECORD_SAMPLE => match sample(body) {
                Some(bytes) => Entry::Sample(bytes),
                None => Entry::Malformed(size as u64),
            },
            // u64 id, u64 lost.
            PERF_RECORD_LOST => match body.get(8..16).and_then(|lost| lost.try_into().ok()) {
                Some(lost) => Entry::Lost(u64::from_ne_bytes(lost)),
                None => Entry::Malformed(size as u64),
            },
            _ => Entry::Malformed(size as u64),
        };
        Some((entry, size as u64))
    }

    /// The next `bytes` bytes, which the caller has checked to be there.
    fn bytes<'a>(&'a self, bytes: usize, scratch: &'a mut [u8; RECORD_BYTES]) -> &'a [u8] {
        let start = (self.tail & (self.data_bytes as u64 - 1)) as usize;
        let first = bytes.min(self.data_bytes - start);
        // SAFETY: `start + first` lies within the mapping, and the kernel writes nothing
        // between `tail` and `head` until the tail is released.
        let piece = unsafe { std::slice::from_raw_parts(self.data.as_ptr().add(start), first) };
        if first == bytes {
            return piece;
        }
        // SAFETY: as above; the rest begins at the start of the ring.
        let rest = unsafe { std::slice::from_raw_parts(self.data.as_ptr(), bytes - first) };
        scratch[..first].copy_from_slice(piece);
        scratch[first..bytes].copy_from_slice(rest);
        &scratch[..bytes]
    }

    /// Goes on behind a record. Its space is the kernel's again after
    /// [`release`](Ring::release).
    pub fn advance(&mut self, bytes: u64) {
        self.tail = self.tail.wrapping_add(bytes);
    }

    /// Gives everything that was read back to the kernel.
    pub fn release(&self) {
        // SAFETY: `data_tail` is an aligned u64 of the mapped page that only we write.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.control.as_ptr()).data_tail) }
            .store(self.tail, Ordering::Release);
    }
}

/// The bytes of a raw sample: u32 size, then that many bytes.
fn sample(body: &[u8]) -> Option<&[u8]> {
    let (size, bytes) = body.split_at_checked(RAW_SIZE_BYTES)?;
    let size = u32::from_ne_bytes(size.try_into().ok()?);
    bytes.get(..usize::try_from(size).ok()?)
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `open` with this size; nothing borrows from it any more.
        unsafe { libc::munmap(self.control.as_ptr().cast(), self.mapped_bytes) };
    }
}

#[cfg(any(test, fuzzing))]
#[path = "ring_memory.rs"]
mod memory;

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
