//! More than a million damaged lines through the whole of `mote decode`: no panic, no line
//! that takes long, no memory that stays.

mod common;

use common::damage::damage;
use common::{batch_of, line_of, line_of_actions, seal};
use fastrand::Rng;
use mote::command::decode::decoder::{Counts, Decoder};
use mote::format::Format;
use mote::limits::{DECODE_RECENT, DECODE_STREAMS};
use std::time::{Duration, Instant};

const LINES: usize = 1_200_000;

/// One line of 8 KiB decodes in well under a millisecond; the rest is the scheduler.
const LONGEST: Duration = Duration::from_secs(2);

/// Peak resident memory may grow by this much, in KiB: buffers, what an allocator keeps of them, and
/// the batches that are remembered, of as many runs and classes as there can be.
const GROWTH_KIB: u64 =
    16 * 1024 + (DECODE_STREAMS * DECODE_RECENT * size_of::<u64>() / 1024) as u64;

/// VmHWM (proc(5)): the most memory that was resident at one time.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn run(seed: u64, lines: usize) -> Counts {
    let mut rng = Rng::with_seed(seed);
    // In a long line most damage is somewhere in an event.
    let valid: Vec<Vec<u8>> = (0..200).map(|_| line_of_actions(&mut rng, 12).to_vec()).collect();
    let batches: Vec<Vec<u8>> = valid.iter().map(|line| batch_of(line)).collect();
    let mut decoder = Decoder::new();
    let formats = [Format::Ocsf, Format::Cef, Format::Text, Format::Sysmon];
    let mut others = formats.map(Decoder::writing);
    let (mut reported, mut slowest) = (0u64, Duration::ZERO);
    for number in 0..lines {
        let (one, other) = (rng.usize(..valid.len()), rng.usize(..valid.len()));
        // Most damage to base64 ends at base64: more of it goes into the bytes below.
        let line = if number % 4 == 0 {
            let mut line = valid[one].clone();
            damage(&mut rng, &mut line, &valid[other]);
            line
        } else {
            let mut batch = batches[one].clone();
            damage(&mut rng, &mut batch, &batches[other]);
            // Else what is behind the checksum would never be damaged.
            if rng.bool() {
                seal(&mut batch);
            }
            line_of(&batch)
        };
        let start = Instant::now();
        let mut report =
            |error: mote::record::DecodeError| reported += error.to_string().len() as u64;
        decoder.line(&line, &mut std::io::sink(), &mut report).unwrap();
        slowest = slowest.max(start.elapsed());
        if number % 8 == 1 {
            let other = &mut others[number / 8 % formats.len()];
            other.line(&line, &mut std::io::sink(), &mut report).unwrap();
        }
        if number % 100 == 1 {
            // What a sender sends again is the same to the byte.
            decoder.line(&line, &mut std::io::sink(), &mut report).unwrap();
        }
    }
    assert!(slowest < LONGEST, "a line took {slowest:?}");
    for (other, format) in others.iter().zip(formats) {
        let counts = other.counts();
        assert!(counts.events + counts.without_form > lines as u64 / 100, "{format:?}: {counts:?}");
        assert!(counts.events > lines as u64 / 400, "{format:?}: {counts:?}");
    }
    *decoder.counts()
}

#[test]
fn a_million_damaged_lines() {
    run(0, 10_000);
    let before = peak_kib();
    let workers: Vec<_> =
        (1..=2).map(|seed| std::thread::spawn(move || run(seed, LINES / 2))).collect();
    for worker in workers {
        let counts = worker.join().expect("no panic");
        println!("{counts:?}");
        // Every outcome there is: mutations that never get past the front door prove nothing.
        let Counts {
            other_lines,
            events,
            bad,
            duplicates,
            unknown_versions,
            unknown_events,
            unknown_fields,
            without_form,
        } = counts;
        assert_eq!(without_form, 0, "JSON has every kind");
        for count in [other_lines, bad, unknown_versions, unknown_events, unknown_fields] {
            assert!(count > 500, "{counts:?}");
        }
        assert!(events > 100_000 && duplicates > 100, "{counts:?}");
    }
    let growth = peak_kib() - before;
    println!("peak memory grew by {growth} KiB");
    assert!(growth < GROWTH_KIB, "{growth} KiB");
}
