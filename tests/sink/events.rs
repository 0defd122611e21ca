//! One event a message, in the format that a receiver reads.

use crate::common::largest::each_largest;
use crate::common::{context, line_of_all_actions};
use crate::rig::{Rig, large, small};
use crate::unix::Place;
use fastrand::Rng;
use mote::event::{Bytes, Class, Event};
use mote::format::{Format, Scratch};
use mote::limits::{LINE_BYTES, SYSLOG_HEADER_BYTES};
use mote::record::{self, Batch, Encoder};
use mote::sink::Capacity;

const FORMATS: [(&str, Format); 4] =
    [("json", Format::Ecs), ("ocsf", Format::Ocsf), ("cef", Format::Cef), ("text", Format::Text)];

/// What `mote decode` makes of a record.
fn decoded(format: Format, record: &[u8]) -> Vec<String> {
    let (mut scratch, mut formats) = (record::Scratch::new(), Scratch::new());
    let mut batch = Batch::parse(record, &mut scratch).unwrap();
    let origin = *batch.origin();
    let mut event = Event::new();
    let mut lines = Vec::new();
    while let Some(result) = batch.next(&mut event) {
        result.unwrap();
        let mut line = Vec::new();
        assert!(format.write(&mut line, &mut formats, &origin, &event).unwrap());
        assert_eq!(line.pop(), Some(b'\n'));
        lines.push(String::from_utf8(line).unwrap());
    }
    lines
}

fn rig(place: &Place, format: &str) -> Rig {
    Rig::spooling(&format!("{},format={format}", place.target()), Capacity::default(), None)
}

#[test]
fn every_event_is_a_message() {
    let record = line_of_all_actions(&mut Rng::with_seed(3));
    for (name, format) in FORMATS {
        let place = Place::new();
        let daemon = place.daemon();
        let mut rig = rig(&place, name);
        let expected = decoded(format, &record);
        rig.sink.offer(Class::Priority, expected.len() as u32, 1, &record);
        let mut got = daemon.read_all();
        rig.run("deliver", |_| {
            got.extend(daemon.read_all());
            got.len() >= expected.len()
        });
        rig.run_empty();
        assert_eq!(got, expected, "{name}");
        assert_eq!((rig.sink.sent_messages(), rig.sink.sent_events()), (1, expected.len() as u64));
    }
}

/// The kernel takes some ten messages (max_dgram_qlen), and then the rest has to wait.
#[test]
fn a_slow_receiver_gets_each_event_once_and_in_order() {
    let records: Vec<_> =
        (0..8).map(|seed| line_of_all_actions(&mut Rng::with_seed(seed))).collect();
    let expected: Vec<String> =
        records.iter().flat_map(|record| decoded(Format::Ecs, record)).collect();
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = rig(&place, "json");
    for record in &records {
        rig.sink.offer(Class::Bulk, 1, 1, record);
    }
    assert!(rig.sink.backlog() > 4);
    // What cannot wait comes behind the batch that the receiver has in part.
    rig.sink.offer(Class::Priority, 1, 1, &records[0]);
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.backlog() == 0
    });
    got.extend(daemon.read_all());
    let first = decoded(Format::Ecs, &records[0]);
    let begun = got.len() - expected.len();
    assert_eq!(begun, first.len());
    assert_eq!(got[..first.len()], first);
    assert_eq!(got[first.len()..2 * first.len()], first, "the one that cannot wait");
    assert_eq!(got[2 * first.len()..], expected[first.len()..]);
}

#[test]
fn a_receiver_that_ends_within_a_batch_gets_all_of_it_again() {
    let record = line_of_all_actions(&mut Rng::with_seed(3));
    let expected = decoded(Format::Text, &record);
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = rig(&place, "text");
    rig.sink.offer(Class::Bulk, 1, 1, &record);
    assert_eq!(rig.sink.backlog(), 1);
    drop(daemon);
    let daemon = place.daemon();
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.backlog() == 0
    });
    got.extend(daemon.read_all());
    assert_eq!(got, expected);
}

/// rsyslog cuts what is longer than 8 KiB.
#[test]
fn the_longest_event_fits_a_message() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rigs = FORMATS.map(|(name, _)| rig(&place, name));
    let mut line = Bytes::new();
    let (mut number, mut sent) = (0, 0);
    each_largest(|_, event| {
        number += 1;
        // Some of each kind: all take a minute.
        if number % 7 != 0 {
            return;
        }
        let mut event = event.clone();
        let class = event.action.class();
        let mut encoder = Box::new(Encoder::new(class, context()));
        if encoder.push(&event).is_err() {
            event.shed();
            // Not together: no event has every name that there is.
            if encoder.push(&event).is_err() {
                return;
            }
        }
        sent += 1;
        encoder.finish(0, &mut line);
        for rig in &mut rigs {
            rig.sink.offer(class, 1, 1, &line);
            let got = daemon.read_all();
            assert_eq!(got.len(), 1, "{}", event.action.name());
            assert!(got[0].len() <= LINE_BYTES - SYSLOG_HEADER_BYTES);
            assert_eq!(rig.sink.take_shed().messages(), 0);
        }
    });
    assert!(sent > 1000, "{sent} of {number}");
}

#[test]
fn a_receiver_is_sent_what_it_is_for() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::spooling(&format!("{},class=priority", place.target()), small(4), None);
    rig.sink.offer(Class::Bulk, 1, 1, b"m1:bulk");
    rig.sink.offer(Class::Priority, 1, 1, b"m1:priority");
    assert_eq!(daemon.read_all(), ["m1:priority"]);
    assert_eq!(rig.sink.take_shed().messages(), 0, "it is not lost");
}

#[test]
fn a_rate_is_kept_and_what_waits_is_sent_later() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::spooling(&format!("{},rate=50", place.target()), large(512), None);
    let start = std::time::Instant::now();
    let mut offered = 0;
    let mut got = 0;
    rig.run("deliver", |sink| {
        while sink.backlog() == 0 && offered < 5_000 {
            sink.offer(Class::Bulk, 1, 1, b"m1:x");
            offered += 1;
        }
        got += daemon.read_all().len();
        // As many at once as in a second, and the rate.
        start.elapsed().as_millis() > 1_500
    });
    let most = 51 + start.elapsed().as_millis() as usize * 50 / 1000 + 1;
    assert!(got > 51 && got <= most, "{got} of at most {most}");
    rig.sink.drain(std::time::Instant::now());
    assert_eq!(rig.sink.backlog(), 0, "the end does not wait");
}
