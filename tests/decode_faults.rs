//! Records that are damaged or of a later version: what a reader is told. Those of version 2 have
//! more in `decode_version_2`.

mod common;

use common::{decode_line, line_of};
use mote::command::decode::decoder::{Counts, Decoder};
use mote::limits::{DECODE_LINE_BYTES, DECODE_RECENT};
use mote::record::{DecodeError, Reason};

/// Everything in front of the strings.
const HEADER: &[u8] = b"\x01\x000123456789abcdef\x05\x3e\x01\x04gate\x80\x01\x29";

fn decode(parts: &[&[u8]]) -> (Vec<serde_json::Value>, Vec<DecodeError>, Counts) {
    decode_line(&line_of(&parts.concat()))
}

fn fault(parts: &[&[u8]]) -> (Reason, &'static str, usize) {
    let (_, errors, counts) = decode(parts);
    assert_eq!((errors.len(), counts.bad), (1, 1), "{errors:?}");
    (errors[0].reason, errors[0].what, errors[0].at)
}

#[test]
fn a_fault_is_named_and_placed() {
    let at = HEADER.len();
    let cases: &[(&[u8], Reason, &str, usize)] = &[
        (b"", Reason::End, "the count of strings", at),
        (b"\x01\x05abc", Reason::End, "a string", at + 2),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            Reason::Integer,
            "the count of strings",
            at + 10,
        ),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Reason::End, "a string", at + 10),
        (b"\x00\x01\x02\x01\x02", Reason::End, "an actor", at + 5),
        (b"\x00\x01\x05\x01\x00\x07\x01\x02", Reason::Value, "an actor", at + 6),
        (
            b"\x00\x01\x0a\x07\x00\x00\x01\x02\x01a\x00\x00\x01",
            Reason::End,
            "what follows an actor",
            at + 13,
        ),
        (
            b"\x00\x01\x0c\x07\x00\x00\x01\x02\x01a\x00\x00\x00\x05\x00",
            Reason::Index,
            "a lineage",
            at + 15,
        ),
        (
            b"\x01\x01x\x01\x0d\x07\x00\x00\x01\x02\x01a\x00\x00\x00\x01\x01y",
            Reason::Value,
            "a lineage",
            at + 18,
        ),
        (
            b"\x00\x01\x0d\x07\x00\x00\x01\x02\x01a\x00\x00\x00\x00\x01\x01",
            Reason::End,
            "a lineage",
            at + 16,
        ),
        (b"\x00\x00\x01\x00", Reason::End, "an event's head", at + 4),
        (b"\x00\x00\x00\x80", Reason::End, "the end of the batch", at + 4),
        (
            b"\x00\x00\x01\x08\x02\x00\x00\x05\x00\x00\x00\x00",
            Reason::Index,
            "an event's actor",
            at + 12,
        ),
        (
            b"\x00\x00\x01\x0b\x22\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            Reason::End,
            "a file event",
            at + 15,
        ),
        (
            b"\x00\x00\x01\x0c\x22\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00",
            Reason::Index,
            "the beginning of a path",
            at + 14,
        ),
        (
            b"\x00\x00\x01\x09\x40\x00\x00\x00\x00\x00\x00\x00\x09",
            Reason::Value,
            "a call on a socket",
            at + 13,
        ),
    ];
    for (tail, reason, what, place) in cases {
        let (got, named, at) = fault(&[HEADER, tail]);
        assert_eq!((got, named, at), (*reason, *what, *place), "{tail:02x?}");
    }
}

#[test]
fn a_cut_line_gives_the_events_in_front_of_the_cut() {
    let fork: &[u8] = b"\x08\x02\x02\x00\x00\x00\x00\x00\x00";
    let (documents, errors, counts) = decode(&[HEADER, b"\0\0\x03", fork, fork, &fork[..5]]);
    assert_eq!((documents.len(), errors.len(), counts.bad), (2, 1, 1));
    assert_eq!(documents[1]["event"]["sequence"], 42);
    assert_eq!(documents[1]["@timestamp"], "1970-01-01T00:00:00.000000130Z");
    assert_eq!(
        errors[0].to_string(),
        format!("an event is cut short at byte {}", HEADER.len() + 22)
    );
}

#[test]
fn a_bad_event_does_not_hide_the_next_one() {
    let fork: &[u8] = b"\x08\x02\x02\x00\x00\x00\x00\x00\x00";
    let bad: &[u8] = b"\x08\x02\x02\x00\x63\x00\x00\x00\x00";
    let (documents, errors, counts) = decode(&[HEADER, b"\0\0\x03", fork, bad, fork]);
    assert_eq!((documents.len(), errors.len(), counts.bad), (2, 1, 1));
    assert_eq!(documents[1]["event"]["sequence"], 43, "the deltas of the bad one count");
}

#[test]
fn what_a_later_version_adds_is_skipped_and_counted() {
    let fork: &[u8] = b"\x08\x02\x02\x00\x00\x00\x00\x00\x00";
    let unknown: &[u8] = b"\x07\xc8\x02\x01\x00\xff\xff\xff";
    let longer: &[u8] = b"\x0a\x02\x02\x00\x01\x00\x00\x00\x00\x01\x02";
    let place: &[u8] = b"\x0c\x60\x02\x00\x00\x00\x00\x00\x00\xee\x00\x00\x01";
    let actors: &[u8] = b"\x01\x0f\x07\x00\x00\x01\x02\x01a\x00\x00\x01\x05\x00\x00\xaa\xbb";
    let events = [b"\x04", fork, unknown, place, longer].concat();
    let (documents, errors, counts) = decode(&[HEADER, b"\0", actors, &events, b"more"]);
    assert_eq!(errors, []);
    assert_eq!(documents.len(), 2);
    // The unknown one has a gap of 1: numbers 41, 43, 44, 45.
    assert_eq!(documents[1]["event"]["sequence"], 45);
    assert_eq!(documents[1]["process"]["pid"], 7);
    assert_eq!((counts.events, counts.unknown_events, counts.unknown_fields), (2, 2, 3));
    assert_eq!(counts.bad, 0);

    let (documents, errors, counts) = decode(&[b"\x03anything"]);
    assert_eq!((documents.len(), errors.len(), counts.unknown_versions), (0, 0, 1));
}

#[test]
fn strings_beyond_capacity_are_cut_and_marked() {
    let long = [b'x'; 3000];
    // 0x82d: 11 bytes in front of path, path, call_flags and mode.
    let event = [&b"\x22\0\0\0\0\0\0\0\x01\x04"[..], b"tail", b"\0\0"].concat();
    let parts =
        [HEADER, b"\x01\xb8\x17", &long, b"\x00\x01", &[event.len() as u8], &event].concat();
    let (documents, errors, _) = decode(&[&parts]);
    assert_eq!(errors, []);
    assert_eq!(documents[0]["file"]["path"].as_str().unwrap().len(), 2048);
    assert_eq!(documents[0]["mote"]["truncated"], serde_json::json!(["file.path"]));
    let rename = b"\x21\0\0\0\0\0\0\0\0\0\x01\x04tail\0";
    let parts =
        [HEADER, b"\x01\xb8\x17", &long, b"\x00\x01", &[rename.len() as u8], rename].concat();
    let (documents, errors, _) = decode(&[&parts]);
    assert_eq!(errors, []);
    assert_eq!(documents[0]["mote"]["truncated"], serde_json::json!(["file.Ext.original.path"]));
    let host = [&HEADER[..21], b"\x41", &[b'h'; 65], b"\0\0\0\0\0"].concat();
    assert_eq!(fault(&[&host]).0, Reason::TooLong);
}

#[test]
fn text_that_is_no_base64_is_refused() {
    let (_, errors, _) = decode_line(b"m1:A");
    assert_eq!(errors[0].reason, Reason::Base64);
    let (_, errors, _) = decode_line(b"m1:AQB");
    assert_eq!(errors[0].reason, Reason::Base64, "bits that belong to no byte");
    let long = [b"m1:".to_vec(), vec![b'A'; DECODE_LINE_BYTES + 1]].concat();
    assert_eq!(decode_line(&long).1[0].reason, Reason::TooLong);
}

#[test]
fn a_recent_batch_is_written_once() {
    let mut rng = fastrand::Rng::with_seed(4);
    let line = common::line_of_all_actions(&mut rng);
    let mut decoder = Decoder::new();
    let mut feed = |line: &[u8]| {
        let mut out = Vec::new();
        decoder.line(line, &mut out, &mut |error| panic!("{error}")).unwrap();
        (!out.is_empty(), decoder.counts().duplicates)
    };
    assert_eq!([feed(&line), feed(&line)], [(true, 0), (false, 1)]);
    // Of another run of a sensor.
    let batch = |number: usize| {
        // A varint of two bytes.
        let sequence = [(number & 0x7f) as u8 | 0x80, (number >> 7) as u8];
        line_of(&[&HEADER[..HEADER.len() - 1], &sequence, b"\0\0\0"].concat())
    };
    for number in 0..=DECODE_RECENT {
        feed(&batch(number));
    }
    assert_eq!(feed(&batch(DECODE_RECENT)).1, 2);
    assert_eq!(feed(&batch(0)).1, 2, "forgotten, so read again");
    assert_eq!(feed(&line).1, 3, "another run has pushed out nothing");
}

/// A dictionary makes much of little: the longest line there is, all renames between two
/// long names that are not UTF-8. Its events are written one by one, not held.
#[test]
fn the_worst_line_is_written_to_its_end() {
    let string = [&b"\x80\x10"[..], &[0xff; 2048]].concat();
    let actor = b"\x01\x08\x01\x00\x00\x00\x00\x00\x01\x00";
    let event = b"\x0d\x21\x00\x00\x01\x00\x00\x00\x00\x01\x00\x01\x00\x00";
    let mut batch = [HEADER, b"\x01", &string, actor].concat();
    let room = DECODE_LINE_BYTES / 4 * 3 - batch.len() - 5;
    let count = room / event.len();
    batch.extend_from_slice(&[(count & 127) as u8 | 128, (count >> 7) as u8]);
    for _ in 0..count {
        batch.extend_from_slice(event);
    }
    let mut decoder = Decoder::new();
    decoder.line(&line_of(&batch), &mut std::io::sink(), &mut |e| panic!("{e}")).unwrap();
    assert_eq!(decoder.counts().events, count as u64);
}
