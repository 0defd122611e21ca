//! The formats of `mote decode`: each well formed, whatever an event has in it, and as
//! `docs/formats.md` says.

#[path = "../common/mod.rs"]
mod common;
mod ecs;
mod explicit;
mod fit;
mod ocsf;
mod readers;
mod tables;
mod values;

use mote::event::Event;
use mote::format::{Format, Scratch};
use mote::record::Origin;

/// The line of an event without its end, or nothing if the format has none of its kind.
fn line(format: Format, origin: &Origin, event: &Event) -> Option<String> {
    let mut out = Vec::new();
    let has_form = format.write(&mut out, &mut Scratch::new(), origin, event).unwrap();
    if !has_form {
        assert_eq!(out, b"", "{format:?}");
        return None;
    }
    let line = String::from_utf8(out).expect("text");
    let line = line.strip_suffix('\n').expect("a line end");
    // As Unicode has it, and programs that split lines by it.
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{85}', '\u{2028}', '\u{2029}'];
    let separators: &[char] = match format {
        // JSON escapes what is a control in ASCII, no more.
        Format::Ecs | Format::Ocsf => &ends[..5],
        _ => &ends,
    };
    assert_eq!(line.find(separators), None, "{format:?}: one line: {line}");
    Some(line.to_owned())
}
