//! The reader on a ring that a file stands in for.

use std::mem::offset_of;

use super::super::ring_file::*;
use super::*;

const DATA_BYTES: usize = 4096;

/// A ring whose reader and writer stand at `start`, and its file.
fn ring_at(start: u64) -> (Ring, RingFile) {
    let file = RingFile::new(DATA_BYTES, start);
    let mut ring = Ring::map(file.event(), DATA_BYTES).unwrap();
    (ring.tail, ring.head) = (start, start);
    (ring, file)
}

fn write(ring: &mut Ring, file: &mut RingFile, bytes: &[u8]) {
    let head = ring.head + bytes.len() as u64;
    file.write(bytes);
    ring.refresh();
    assert_eq!(ring.head, head);
}

#[test]
fn the_file_is_laid_out_as_the_kernel_has_it() {
    assert_eq!((SAMPLE, LOST), (PERF_RECORD_SAMPLE, PERF_RECORD_LOST));
    assert_eq!(offset_of!(perf_event_mmap_page, data_head) as u64, DATA_HEAD_OFFSET);
    assert_eq!(offset_of!(perf_event_mmap_page, data_tail) as u64, DATA_TAIL_OFFSET);
}

#[test]
fn records_are_read_wherever_they_wrap() {
    let bytes: Vec<u8> = (0..100).collect();
    let record = sample_of(&bytes);
    let mut scratch = [0; RECORD_BYTES];
    // From 4 GiB on, at every place of the ring where a record can begin.
    for start in ((1u64 << 32)..(1 << 32) + DATA_BYTES as u64).step_by(8) {
        let (mut ring, mut file) = ring_at(start);
        assert_eq!(ring.front(&mut scratch), None);
        write(&mut ring, &mut file, &record);
        let (entry, size) = ring.front(&mut scratch).unwrap();
        let Entry::Sample(read) = entry else { panic!("{entry:?}") };
        assert_eq!((&read[..bytes.len()], size), (&bytes[..], record.len() as u64));
        ring.advance(size);
        assert_eq!(ring.front(&mut scratch), None);
        assert_eq!(file.tail(), 0, "the space is not given back yet");
        ring.release();
        assert_eq!(file.tail(), start + size);
    }
}

#[test]
fn a_lost_record_gives_its_count() {
    let (mut ring, mut file) = ring_at(0);
    write(&mut ring, &mut file, &lost_of(42));
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
        let (mut ring, mut file) = ring_at(DATA_BYTES as u64 - 8);
        write(&mut ring, &mut file, &[&record[..], &whole].concat());
        let waiting = ring.waiting_bytes();
        let mut scratch = [0; RECORD_BYTES];
        let (entry, size) = ring.front(&mut scratch).unwrap();
        assert!(matches!(entry, Entry::Malformed(_)), "{record:?}: {entry:?}");
        assert_eq!(size, skipped.unwrap_or(waiting), "{record:?}");
    }
    let (mut ring, mut file) = ring_at(0);
    file.set_head(u64::MAX);
    ring.refresh();
    let (entry, size) =
        ring.front(&mut [0; RECORD_BYTES]).map(|(e, s)| (format!("{e:?}"), s)).unwrap();
    assert!(entry.starts_with("Malformed"));
    ring.advance(size);
    assert_eq!(ring.front(&mut [0; RECORD_BYTES]), None);
}
