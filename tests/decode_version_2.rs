//! Records of version 2 that are damaged, made to do harm, or of a later sensor.

mod common;

use common::{HEADER, decode_line, line_of, line_of_all_actions, seal};
use fastrand::Rng;
use mote::command::decode::decoder::{Counts, Decoder};
use mote::limits::{ANSWER_BYTES, BATCH_EVENTS, DECODE_EVENTS, DECODE_LINE_BYTES};
use mote::record::{DecodeError, Encoder, PREFIX, Reason, Scratch, origin_of_refused};
use serde_json::Value;

fn decode(parts: &[&[u8]]) -> (Vec<Value>, Vec<DecodeError>, Counts) {
    let mut batch = parts.concat();
    seal(&mut batch);
    decode_line(&line_of(&batch))
}

fn error(reason: Reason, what: &'static str, at: usize) -> DecodeError {
    DecodeError { reason, what, at }
}

/// A batch without dictionaries, of these events.
fn events(events: &[&[u8]]) -> Vec<u8> {
    let mut batch = [HEADER, b"\0\0", &[events.len() as u8]].concat();
    for event in events {
        batch.push(event.len() as u8);
        batch.extend_from_slice(event);
    }
    batch
}

#[test]
fn a_fault_is_named_and_placed() {
    let at = HEADER.len();
    let cases: &[(&[u8], Reason, &str, usize)] = &[
        (b"", Reason::End, "the count of strings", at),
        (b"\0\0\x81\x20", Reason::TooLong, "the list of events", at + 4),
        (b"\0\0\x01", Reason::End, "an event", at + 3),
        (b"\0\0\x01\x00", Reason::End, "an event's head", at + 4),
        (b"\0\0\x01\x05\xff\xff\xff\xff\x1f", Reason::Integer, "an event's head", at + 9),
        (b"\0\0\x01\x02\x01\x02", Reason::End, "an event's head", at + 6),
        (b"\0\0\x01\x04\x09\x02\x00\x02", Reason::Value, "an event", at + 8),
        (b"\0\0\x01\x04\x05\x02\x00\x09", Reason::Index, "an event's actor", at + 8),
        (b"\0\0\x01\x04\x01\x22\x00\x00", Reason::End, "a name", at + 8),
        // Of the last name, of the one before, of a string, of an executable: none has a byte.
        (b"\0\0\x01\x05\x01\x22\x00\x04\x00", Reason::Index, "the beginning of a name", at + 9),
        (b"\0\0\x01\x05\x01\x22\x00\x05\x00", Reason::Index, "the beginning of a name", at + 9),
        (b"\0\0\x01\x05\x01\x22\x00\x06\x00", Reason::Index, "the beginning of a name", at + 9),
        (b"\0\0\x01\x05\x01\x22\x00\x02\x00", Reason::Index, "the beginning of a name", at + 9),
        (b"\0\0\x01\x05\x01\x22\x00\x07\x00", Reason::Index, "the beginning of a name", at + 9),
    ];
    for (tail, reason, what, place) in cases {
        let (documents, errors, counts) = decode(&[HEADER, tail]);
        assert_eq!(errors, [error(*reason, what, *place)], "{tail:02x?}");
        assert_eq!((documents.len(), counts.bad), (0, 1), "{tail:02x?}");
    }
    for class in [0, 1, 4] {
        let (_, errors, _) = decode(&[b"\x02", &[class], &HEADER[2..], b"\0\0\0"]);
        assert_eq!(errors, [error(Reason::Value, "the batch header", HEADER.len())]);
    }
    let (_, errors, _) = decode(&[b"\x02"]);
    assert_eq!(errors, [error(Reason::End, "the batch header", 1)]);
}

/// Every letter of a line, changed into another one; the first ones, which say what the rest is, into
/// every other one.
#[test]
fn a_changed_letter_never_makes_an_event() {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut rng = Rng::with_seed(7);
    let line = line_of_all_actions(&mut rng);
    assert!(decode_line(&line).2.events > 0);
    let mut damaged = 0;
    for at in PREFIX.len()..line.len() {
        let all = at < PREFIX.len() + 4;
        for other in LETTERS {
            if *other == line[at] || !all && *other != LETTERS[rng.usize(..LETTERS.len())] {
                continue;
            }
            let mut line = line.to_vec();
            line[at] = *other;
            let (documents, _, counts) = decode_line(&line);
            assert_eq!((documents.len(), counts.events), (0, 0), "{at}: {}", *other as char);
            assert_eq!(counts.bad + counts.unknown_versions, 1);
            damaged += counts.bad;
        }
    }
    assert!(damaged > line.len() as u64 / 2, "{damaged}");
}

#[test]
fn a_cut_batch_is_refused_and_tells_who_wrote_it() {
    let mut rng = Rng::with_seed(8);
    let line = line_of_all_actions(&mut rng);
    let mut scratch = Scratch::new();
    let context = common::context();
    for groups in 20..line.len() / 4 {
        let cut = &line[..PREFIX.len() + 4 * groups];
        let (documents, errors, counts) = decode_line(cut);
        assert_eq!((documents.len(), counts.bad), (0, 1));
        assert_eq!(errors, [error(Reason::Checksum, "the batch", 2)]);
        let origin = origin_of_refused(cut, &mut scratch).unwrap();
        assert_eq!((origin.run(), origin.hostname), (context.origin().run(), &b"gate"[..]));
    }
    let error = error(Reason::Checksum, "the batch", 2).to_string();
    assert_eq!(error, "the batch is damaged: its checksum does not match");
}

/// Two unlinks, between which a sensor of later days says what this one does not know: the second is
/// still compared with the first.
#[test]
fn what_a_later_version_adds_is_skipped_and_counted() {
    // Action, system call 263, ret -2, mode 7, and a name.
    let first = b"\x99\x01\x22\x02\x01\x87\x02\x01\x03\x01\x07\0\x03abc";
    // Action 200, a gap, an actor, every value, and what may be a name.
    let unknown = b"\xff\x01\xc8\x02\x01\x63\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x03xyz";
    // A loss of an unknown place.
    let place = b"\x0d\x60\x02\x00\x01\x05\xee\x00\x00\x01";
    // Action, actor, the first 2 bytes of the last name, a field of bit 8, and two bytes without one.
    let second = b"\x85\x02\x22\x02\x00\x08\x01d\xaa\xbb\xcc";
    // A bit alone.
    let third = b"\x80\x04\x02\x0c\x00";
    let batch = events(&[first, unknown, place, second, third]);
    let (documents, errors, counts) = decode(&[&batch, b"more"]);
    assert_eq!(errors, []);
    assert_eq!((counts.events, counts.unknown_events, counts.unknown_fields), (3, 2, 3));
    for (document, (name, number)) in documents.iter().zip([("abc", 41), ("abd", 45), ("abd", 46)])
    {
        assert_eq!(document["file"]["path"], name, "{document}");
        assert_eq!(document["event"]["sequence"], number);
        assert_eq!(document["event"]["action"], "unlink");
        assert_eq!(document["mote"]["syscall"], 263, "{document}");
    }
    let fields = |document: &Value| {
        let mut document = document.clone();
        document.as_object_mut().unwrap().retain(|name, _| name != "@timestamp" && name != "file");
        document["event"].as_object_mut().unwrap().remove("sequence");
        document
    };
    assert_eq!(fields(&documents[0]), fields(&documents[1]));
    assert_eq!(fields(&documents[0]), fields(&documents[2]));
}

/// What they would be compared with is not known.
#[test]
fn behind_an_event_that_cannot_be_read_there_is_none() {
    let good = b"\x01\x22\x02\0\x03abc";
    let (documents, errors, counts) = decode(&[&events(&[good, b"\0\x02\x10\0", good])]);
    assert_eq!((documents.len(), counts.bad), (1, 1));
    assert_eq!(errors[0].reason, Reason::Index);
    let (documents, errors, _) = decode(&[&events(&[b"\0\x02", good])]);
    assert_eq!((documents.len(), errors.len()), (1, 0), "an event without an action is unknown");
}

/// A name of 2,048 bytes in three, twice an event: as many as are read. They are written one by one,
/// not held.
#[test]
fn the_worst_line_is_written_to_its_end() {
    let first = [&b"\x01\x21\x00\x00\x80\x10"[..], &[0xff; 2048], b"\x80\x40\x00"].concat();
    let mut batch = [HEADER, b"\0\0\x80\x20\x89\x10", &first].concat();
    for _ in 1..DECODE_EVENTS {
        batch.extend_from_slice(b"\x08\x00\x00\x80\x40\x00\x80\x40\x00");
    }
    assert!(batch.len() < DECODE_LINE_BYTES / 4 * 3);
    seal(&mut batch);
    let mut decoder = Decoder::new();
    let mut bytes = 0;
    let mut out = Counted(&mut bytes);
    decoder.line(&line_of(&batch), &mut out, &mut |e| panic!("{e}")).unwrap();
    assert_eq!(decoder.counts().events, DECODE_EVENTS);
    println!("{bytes} bytes of {}", batch.len());
    assert!(bytes > 4 * 2048 * DECODE_EVENTS as usize);
}

struct Counted<'a>(&'a mut usize);

impl std::io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// To 2,048 bytes: what is beyond is neither compared nor referred to.
#[test]
fn longer_names_are_remembered_in_part() {
    let long = [&b"\x01\x22\x00\x00\xb8\x17"[..], &[b'x'; 3000]].concat();
    let whole = b"\x06\x00\x00\x80\x40\x01y";
    let mut batch = [HEADER, b"\0\0\x02\xbe\x17", &long].concat();
    batch.extend_from_slice(whole);
    let (documents, errors, _) = decode(&[&batch]);
    assert_eq!(errors, []);
    for document in &documents {
        assert_eq!(document["file"]["path"].as_str().unwrap().len(), 2048);
        assert_eq!(document["mote"]["truncated"], serde_json::json!(["file.path"]));
    }
    assert_eq!(documents.len(), 2);
    let mut batch = [HEADER, b"\0\0\x02\xbe\x17", &long].concat();
    batch.extend_from_slice(b"\x06\x00\x00\x84\x40\x01y");
    assert_eq!(decode(&[&batch]).1[0].reason, Reason::Index, "of 2,049 bytes");
}

/// However little they take.
#[test]
fn a_sensors_batch_has_no_more_events_than_an_answer_takes() {
    let mut encoder = Encoder::new(mote::event::Class::Bulk, common::context());
    let mut event = mote::event::Event::new();
    event.action = mote::event::Action::Setsid;
    while encoder.push(&event).is_ok() {
        event.sequence += 1;
    }
    assert_eq!(encoder.len(), BATCH_EVENTS);
    assert!(BATCH_EVENTS * 2_048 < ANSWER_BYTES && (BATCH_EVENTS as u64) < DECODE_EVENTS);
}
