//! A perf ring that a file stands in for: what a kernel never writes can be written here.
//! For tests, those outside of the crate too, so it knows the layout by itself (linux
//! `include/uapi/linux/perf_event.h`).

#![allow(missing_docs, dead_code)]

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use std::os::fd::OwnedFd;

/// `PERF_RECORD_SAMPLE`, `PERF_RECORD_LOST`.
pub const SAMPLE: u32 = 9;
pub const LOST: u32 = 2;

/// In `struct perf_event_mmap_page`.
pub const DATA_HEAD_OFFSET: u64 = 1024;
pub const DATA_TAIL_OFFSET: u64 = 1032;

/// The kernel's side of a ring.
pub struct RingFile {
    file: OwnedFd,
    data_bytes: usize,
    head: u64,
}

impl RingFile {
    /// A ring of `data_bytes` in which everything before `start` was written and read.
    pub fn new(data_bytes: usize, start: u64) -> RingFile {
        let file = memfd_create("ring", MemfdFlags::empty()).unwrap();
        ftruncate(&file, (rustix::param::page_size() + data_bytes) as u64).unwrap();
        RingFile { file, data_bytes, head: start }
    }

    /// A descriptor to map.
    pub fn event(&self) -> OwnedFd {
        self.file.try_clone().unwrap()
    }

    /// Puts bytes where the kernel would, and moves its head behind them.
    pub fn write(&mut self, bytes: &[u8]) {
        let start = (self.head % self.data_bytes as u64) as usize;
        let (first, rest) = bytes.split_at(bytes.len().min(self.data_bytes - start));
        let data = rustix::param::page_size();
        pwrite(&self.file, first, (data + start) as u64).unwrap();
        pwrite(&self.file, rest, data as u64).unwrap();
        self.set_head(self.head + bytes.len() as u64);
    }

    pub fn set_head(&mut self, head: u64) {
        self.head = head;
        pwrite(&self.file, &head.to_ne_bytes(), DATA_HEAD_OFFSET).unwrap();
    }

    /// How far the reader gave the space back.
    pub fn tail(&self) -> u64 {
        let mut bytes = [0; 8];
        pread(&self.file, &mut bytes, DATA_TAIL_OFFSET).unwrap();
        u64::from_ne_bytes(bytes)
    }
}

/// `struct perf_event_header`.
pub fn header(kind: u32, size: u16) -> Vec<u8> {
    [&kind.to_ne_bytes()[..], &[0, 0], &size.to_ne_bytes()].concat()
}

/// A sample of `bytes`, padded as the kernel does.
pub fn sample_of(bytes: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 8;
    const RAW_SIZE_BYTES: usize = 4;
    let padded = (HEADER_BYTES + RAW_SIZE_BYTES + bytes.len()).next_multiple_of(8);
    let raw_bytes = (padded - HEADER_BYTES - RAW_SIZE_BYTES) as u32;
    let mut record = header(SAMPLE, padded as u16);
    record.extend_from_slice(&raw_bytes.to_ne_bytes());
    record.extend_from_slice(bytes);
    record.resize(padded, 0);
    record
}

/// A record of `count` that found no room.
pub fn lost_of(count: u64) -> Vec<u8> {
    const ID: u64 = 1;
    [&header(LOST, 24)[..], &ID.to_ne_bytes(), &count.to_ne_bytes()].concat()
}
