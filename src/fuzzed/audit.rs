//! What the kernel's audit answers, and the files that its rules come from.

use super::choice;
use crate::host::audit::files::Line;
use crate::host::audit::wire::{self, Message};

/// As many times as long as its bytes the line of a rule is, and then some: each bit of its mask may
/// be a name.
const MOST_LINE_BYTES: usize = 128 << 10;

/// See [`fuzzed`](super). The first byte: a datagram, a status, a rule, or a line of a file.
pub fn check(data: &[u8]) -> bool {
    let Some((kind, bytes)) = choice(data) else { return false };
    match kind % 4 {
        0 => messages(bytes),
        1 => wire::status(bytes).is_ok(),
        2 => rule(bytes),
        _ => line(&String::from_utf8_lossy(bytes)),
    }
}

/// The number that is asked with stands in front.
fn messages(bytes: &[u8]) -> bool {
    let Some((number, datagram)) = bytes.split_first_chunk::<4>() else { return false };
    let (mut count, mut body_bytes) = (0, 0);
    let result =
        wire::messages(datagram, wire::LIST_RULES, u32::from_ne_bytes(*number), |message| {
            count += 1;
            if let Message::Answer(body) = message {
                body_bytes += body.len();
                if wire::rule(body).is_ok() {
                    wire::status(body).err();
                }
            }
            Ok(())
        });
    // Each has its header.
    assert!(16 * count + body_bytes <= datagram.len());
    result.is_ok() && count > 0
}

fn rule(bytes: &[u8]) -> bool {
    let Ok(rule) = wire::rule(bytes) else { return false };
    let line = rule.to_string();
    assert!(line.len() < MOST_LINE_BYTES && !line.contains(char::is_control), "{line:?}");
    let texts = rule.fields.iter().filter_map(|field| field.text.as_ref());
    assert!(texts.map(|text| text.chars().count()).sum::<usize>() <= bytes.len());
    let mut longer = bytes.to_vec();
    longer.extend([0xa5; 3]);
    assert_eq!(wire::rule(&longer).ok(), Some(rule), "padding changes nothing");
    true
}

/// A line says the same however many blanks are in it.
fn line(text: &str) -> bool {
    let line = Line::parse(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(Line::parse(&format!("  {}\t", words.join("\t "))), line);
    line != Line::default()
}
