//! Items: bare, or in quotes.
//!
//! In quotes stand the characters of UTF-8 as they are, but for these:
//!
//! | Written | For |
//! | --- | --- |
//! | `\"`, `\\` | `"`, `\` |
//! | `\n`, `\r`, `\t` | line feed, carriage return, tab |
//! | `\xHH` | the byte HH: another below 32, 127, or one that is not part of UTF-8 |
//! | `\u{H}` | a character that hides or turns others on a screen, or ends lines elsewhere |

use std::io;

/// Writes the bytes so that they can be read back, in one line.
pub(super) fn write(out: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    if !bytes.is_empty() && bytes.iter().all(is_bare) {
        return out.write_all(bytes);
    }
    out.write_all(b"\"")?;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.write_all(b"\\\"")?,
                '\\' => out.write_all(b"\\\\")?,
                '\n' => out.write_all(b"\\n")?,
                '\r' => out.write_all(b"\\r")?,
                '\t' => out.write_all(b"\\t")?,
                '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(character))?,
                other if is_unseen(other) => write!(out, "\\u{{{:x}}}", u32::from(other))?,
                other => out.write_all(other.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    out.write_all(b"\"")
}

fn is_bare(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'=' | b'\\')
}

/// Controls beyond ASCII (C1), separators of lines, and what has no width or turns the direction of
/// writing (of Unicode's `Cf`).
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_plain_is_bare() {
        for bare in ["/usr/bin/bash", "-c", "a'b", "[x]", "2026-11-24T00:00:00Z", "::1", "*?$~"] {
            assert_eq!(quoted(bare.as_bytes()), bare);
        }
    }

    #[test]
    fn what_is_not_is_in_quotes() {
        for (bytes, written) in [
            (&b""[..], r#""""#),
            (b"a b", r#""a b""#),
            (b"8, 1", r#""8, 1""#),
            (b"k=v", r#""k=v""#),
            (b"say \"no\"", r#""say \"no\"""#),
            (b"a\\b", r#""a\\b""#),
            (b"a\nb\rc\td", r#""a\nb\rc\td""#),
            (b"\0bus\x1b[2J\x7f", r#""\x00bus\x1b[2J\x7f""#),
            (b"\xff/\xc3", r#""\xff/\xc3""#),
            ("grün".as_bytes(), "\"grün\""),
            ("a\u{202e}b\u{85}\u{2028}".as_bytes(), r#""a\u{202e}b\u{85}\u{2028}""#),
        ] {
            assert_eq!(quoted(bytes), written);
        }
    }
}
