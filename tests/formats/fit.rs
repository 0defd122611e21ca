//! What can be made to fit a message of syslog.

use crate::common::largest::each_largest;
use mote::format::{Format, Scratch};
use mote::limits::{LINE_BYTES, SHORTENED_BYTES, SYSLOG_HEADER_BYTES};

/// Without the header.
const MESSAGE_BYTES: usize = LINE_BYTES - SYSLOG_HEADER_BYTES;

const FORMATS: [Format; 4] = [Format::Ecs, Format::Ocsf, Format::Cef, Format::Text];

/// The longest line, with its end, of events that are shortened so far.
fn longest(format: Format, most_bytes: usize) -> Vec<u8> {
    let (mut line, mut longest) = (Vec::new(), Vec::new());
    let mut scratch = Scratch::new();
    each_largest(|origin, event| {
        let mut event = event.clone();
        event.shorten(most_bytes);
        line.clear();
        format.write(&mut line, &mut scratch, origin, &event).unwrap();
        if line.len() > longest.len() {
            std::mem::swap(&mut line, &mut longest);
        }
    });
    longest
}

#[test]
fn every_event_can_be_shortened_to_fit_a_message() {
    for format in FORMATS {
        let line = longest(format, SHORTENED_BYTES);
        let (bytes, line) = (line.len(), String::from_utf8_lossy(&line));
        assert!(bytes <= MESSAGE_BYTES, "{format:?}: {bytes} bytes: {line}");
    }
    let bytes = longest(Format::Ocsf, SHORTENED_BYTES * 3 / 2).len();
    assert!(bytes > MESSAGE_BYTES, "it is cut more than it has to be: {bytes} bytes");
}
