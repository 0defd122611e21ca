//! Values that keep a line whole.

use std::io;

/// Replaces what CEF cannot write by U+FFFD: what is not UTF-8, controls but for line feed and
/// carriage return, and the separators of lines that ASCII does not have. Returns whether there was
/// any.
pub(super) fn replace(bytes: &[u8], into: &mut Vec<u8>) -> bool {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    let mut changed = false;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_written = match character {
                '\n' | '\r' => true,
                '\u{2028}' | '\u{2029}' => false,
                other => !other.is_control(),
            };
            changed |= !is_written;
            match is_written {
                true => into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                false => into.extend_from_slice(REPLACEMENT),
            }
        }
        if !chunk.invalid().is_empty() {
            changed = true;
            into.extend_from_slice(REPLACEMENT);
        }
    }
    changed
}

/// Writes a value of the extension. `|` has no meaning there.
pub(super) fn write(out: &mut dyn io::Write, value: &[u8]) -> io::Result<()> {
    for part in value.split_inclusive(|byte| matches!(byte, b'\\' | b'=' | b'\n' | b'\r')) {
        let [plain @ .., last] = part else { continue };
        let escaped: &[u8] = match last {
            b'\\' => b"\\\\",
            b'=' => b"\\=",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => {
                out.write_all(part)?;
                continue;
            }
        };
        out.write_all(plain)?;
        out.write_all(escaped)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (String, bool) {
        let (mut value, mut out) = (Vec::new(), Vec::new());
        let changed = replace(bytes, &mut value);
        write(&mut out, &value).unwrap();
        (String::from_utf8(out).unwrap(), changed)
    }

    #[test]
    fn separators_are_escaped_and_nothing_ends_a_line() {
        for (bytes, text, changed) in [
            (&b"/usr/bin/bash"[..], "/usr/bin/bash", false),
            (b"a=b|c\\d", "a\\=b|c\\\\d", false),
            (b"x\nrt=1\r", "x\\nrt\\=1\\r", false),
            (b"\x1b[2J\0", "\u{fffd}[2J\u{fffd}", true),
            (b"\xff\xfe", "\u{fffd}\u{fffd}", true),
            ("grün\u{2028}\u{85}".as_bytes(), "grün\u{fffd}\u{fffd}", true),
            ("\u{fffd}".as_bytes(), "\u{fffd}", false),
            (b"", "", false),
        ] {
            assert_eq!(written(bytes), (text.to_owned(), changed));
        }
    }
}
