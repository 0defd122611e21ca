//! The reader on a ring that a file stands in for: what a kernel never writes can be
//! written here.

use std::mem::offset_of;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::pwrite;

use super::*;

const DATA_BYTES: usize = 4096;
const SAMPLE: u32 = PERF_RECORD_SAMPLE;
const LOST: u32 = PERF_RECORD_LOST;

/// A ring whose reader and writer stand at `start`, and its file.
fn ring_at(start: u64) -> (Ring, OwnedFd) {
    let file = memfd_create("ring", MemfdFlags::empty()).unwrap();
    ftruncate(&file, (rustix::param::page_size() + DATA_BYTES) as u64).unwrap();
    let mut ring = Ring::map(file.try_clone().unwrap(), DATA_BYTES).unwrap();
    (ring.tail, ring.head) = (start, start);
    (ring, file)
}

fn header(kind: u32, size: u16) -> Vec<u8> {
    [&kind.to_ne_bytes()[..], &[0, 0], &size.to_ne_bytes()].concat()
}

/// A sample of `bytes`, padded as the kernel does.
fn sample_of(bytes: &[u8]) -> Vec<u8> {
    let padded = (HEADER_BYTES + RAW_SIZE_BYTES + bytes.len()).next_multiple_of(8);
    let raw_bytes = (padded - HEADER_BYTES - RAW_SIZE_BYTES) as u32;
    let mut record = header(SAMPLE, padded as u16);
    record.extend_from_slice(&raw_bytes.to_ne_bytes());
    record.extend_from_slice(bytes);
    record.resize(padded, 0);
    record
}

/// Puts bytes where the kernel would, and moves its head behind them.
fn write(ring: &mut Ring, file: &OwnedFd, bytes: &[u8]) {
    let page_bytes = rustix::param::page_size();
    for (n, byte) in bytes.iter().enumerate() {
        let at = (ring.head as usize + n) % DATA_BYTES;
        pwrite(file, &[*byte], (page_bytes + at) as u64).unwrap();
    }
    let head = ring.head + bytes.len() as u64;
    set(file, offset_of!(perf_event_mmap_page, data_head), head);
    ring.refresh();
    assert_eq!(ring.head, head);
}

fn set(file: &OwnedFd, offset: usize, value: u64) {
    pwrite(file, &value.to_ne_bytes(), offset as u64).unwrap();
}

fn tail(file: &OwnedFd) -> u64 {
    let mut bytes = [0; 8];
    let offset = offset_of!(perf_event_mmap_page, data_tail) as u64;
    rustix::io::pread(file, &mut bytes, offset).unwrap();
    u64::from_ne_bytes(bytes)
}

#[test]
fn records_are_read_wherever_they_wrap() {
    let bytes: Vec<u8> = (0..100).collect();
    let record = sample_of(&bytes);
    let mut scratch = [0; RECORD_BYTES];
    // From 4 GiB on, at every place of the ring where a record can begin.
    for start in ((1u64 << 32)..(1 << 32) + DATA_BYTES as u64).step_by(8) {
        let (mut ring, file) = ring_at(start);
        assert_eq!(ring.front(&mut scratch), None);
        write(&mut ring, &file, &record);
        let (entry, size) = ring.front(&mut scratch).unwrap();
        let Entry::Sample(read) = entry else { panic!("{entry:?}") };
        assert_eq!((&read[..bytes.len()], size), (&bytes[..], record.len() as u64));
        ring.advance(size);
        assert_eq!(ring.front(&mut scratch), None);
        assert_eq!(tail(&file), 0, "the space is not given back yet");
        ring.release();
        assert_eq!(tail(&file), start + size);
    }
}

#[test]
fn a_lost_record_gives_its_count() {
    let (mut ring, file) = ring_at(0);
    let mut record = header(LOST, 24);
    record.extend_from_slice(&[1u64.to_ne_bytes(), 42u64.to_ne_bytes()].concat());
    write(&mut ring, &file, &record);
    assert_eq!(ring.front(&mut [0; RECORD_BYTES]), Some((Entry::Lost(42), 24)));
}

#[test]
fn what_no_kernel_writes_is_malformed_and_never_stops_the_reader() {
    let whole = sample_of(b"next");
    for (record, skipped) in [
        // Its end is not known: everything that waits is given up.
        (header(SAMPLE, 0), None),
        (header(SAMPLE, 7), None),
        (header(SAMPLE, 4000), None),
        // No known kind, or too little in it.
        (header(77, 8), Some(8)),
        (header(SAMPLE, 8), Some(8)),
        (header(LOST, 8), Some(8)),
        // A raw size beyond its record.
        ([header(SAMPLE, 16), vec![0xff; 8]].concat(), Some(16)),
    ] {
        let (mut ring, file) = ring_at(DATA_BYTES as u64 - 8);
        write(&mut ring, &file, &[&record[..], &whole].concat());
        let waiting = ring.waiting_bytes();
        let mut scratch = [0; RECORD_BYTES];
        let (entry, size) = ring.front(&mut scratch).unwrap();
        assert!(matches!(entry, Entry::Malformed(_)), "{record:?}: {entry:?}");
        assert_eq!(size, skipped.unwrap_or(waiting), "{record:?}");
    }
    let (mut ring, file) = ring_at(0);
    set(&file, offset_of!(perf_event_mmap_page, data_head), u64::MAX);
    ring.refresh();
    let (entry, size) =
        ring.front(&mut [0; RECORD_BYTES]).map(|(e, s)| (format!("{e:?}"), s)).unwrap();
    assert!(entry.starts_with("Malformed"));
    ring.advance(size);
    assert_eq!(ring.front(&mut [0; RECORD_BYTES]), None);
}
