//! A spool's lines, the place up to which it is delivered, and the names of its files.

use super::choice;
use crate::event::Class;
use crate::limits::LINE_BYTES;
use crate::sink::spool::files::start_of;
use crate::sink::spool::line::{HEADER_BYTES, Line, SPOOL_LINE_BYTES};
use crate::sink::spool::position::{POSITION_BYTES, places, text_of};

/// See [`fuzzed`](super). The first byte: a line as it is, one with the checksum that it should have, a
/// place or the name of a file.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, bytes)) = choice(data) else { return false };
    match kind % 4 {
        0 => line(bytes),
        1 => line(&sealed(bytes)),
        2 => position(bytes),
        _ => name(&String::from_utf8_lossy(bytes)),
    }
}

/// What follows a line of as many bytes as these makes no difference, and they are what is written.
fn line(bytes: &[u8]) -> bool {
    let Ok(line) = Line::read(bytes) else { return false };
    let (whole, _) = bytes.split_at(line.bytes());
    assert!(whole.len() <= SPOOL_LINE_BYTES && line.payload_bytes <= LINE_BYTES);
    assert_eq!(Line::read(whole), Ok(line));
    assert!(Line::read(&whole[..whole.len() - 1]).is_err());
    let payload = &whole[HEADER_BYTES..][..line.payload_bytes];
    let mut written = Vec::new();
    line.write(&mut written, payload).expect("it was read");
    // Digits of either case are read, and those of the checksum are not in it.
    let (header, rest) = written.split_at(HEADER_BYTES);
    assert!(
        header[8..].eq_ignore_ascii_case(&whole[8..HEADER_BYTES]) && rest == &whole[HEADER_BYTES..]
    );
    assert_eq!(Line::read(&written), Ok(line));
    true
}

/// With a header whose length and checksum are right, and a line feed behind it.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = b"00000000 ".to_vec();
    let (fields, payload) = bytes.split_at(bytes.len().min(HEADER_BYTES - 9 - 5));
    sealed.extend(fields);
    sealed.extend(format!("{:04x} ", payload.len().min(0xffff)).bytes());
    sealed.extend(payload);
    let crc = crc32fast::hash(&sealed[8..]);
    sealed[..8].copy_from_slice(format!("{crc:08x}").as_bytes());
    sealed.push(b'\n');
    sealed
}

/// Two numbers, from which a text is made too: the text of a damaged one is none.
fn position(bytes: &[u8]) -> bool {
    let number = |at| bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes);
    if let (Some(one), Some(other), Some(at)) = (number(0), number(8), bytes.get(16)) {
        let mut text = text_of([one, other]).expect("it has room");
        assert_eq!(places(&text), Some([one, other]));
        let at = usize::from(*at) % (POSITION_BYTES - 1);
        text[at] = text[at].wrapping_add(1 + text[at] % 5);
        assert_eq!(places(&text), None, "{at}");
    }
    bytes.first_chunk().and_then(places).is_some()
}

fn name(name: &str) -> bool {
    let starts = Class::ALL.map(|class| (class, start_of(class, name)));
    for (class, start) in starts {
        let written = start.map(|start| format!("{}-{start:016x}", class.name()));
        assert!(written.is_none_or(|written| written == name), "a name stands for one file");
    }
    starts.iter().any(|(_, start)| start.is_some())
}
