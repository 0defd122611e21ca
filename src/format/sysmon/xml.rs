//! Text that XML can have, in one line.

use core::fmt::Display;
use std::io::{self, Write};

/// Writes `bytes` as text of an element or an attribute. Markup is escaped, `]]>` with it; line
/// ends and separators are written as references, so that the line goes on. What XML 1.0 cannot
/// have (section 2.2) and what is not UTF-8 becomes U+FFFD.
pub(super) fn text(out: &mut dyn io::Write, bytes: &[u8]) -> io::Result<()> {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '&' => out.write_all(b"&amp;")?,
                '<' => out.write_all(b"&lt;")?,
                '>' => out.write_all(b"&gt;")?,
                '"' => out.write_all(b"&quot;")?,
                '\'' => out.write_all(b"&apos;")?,
                '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    write!(out, "&#{};", u32::from(character))?;
                }
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.write_all("\u{fffd}".as_bytes())?,
                other => out.write_all(other.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        if !chunk.invalid().is_empty() {
            out.write_all("\u{fffd}".as_bytes())?;
        }
    }
    Ok(())
}

/// The fields of an event.
pub(super) struct Data<'a> {
    pub out: &'a mut dyn io::Write,
    /// A value, before it is escaped.
    pub value: &'a mut Vec<u8>,
}

impl Data<'_> {
    /// A value that somebody else chose; `-` if there is none.
    pub fn bytes(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        element(self.out, name, value)
    }

    /// One of our own, or that has been made readable.
    pub fn put(&mut self, name: &str, value: impl Display) -> io::Result<()> {
        self.value.clear();
        write!(self.value, "{value}")?;
        element(self.out, name, self.value)
    }

    /// Fields that are never known.
    pub fn unknown(&mut self, names: &[&str]) -> io::Result<()> {
        names.iter().try_for_each(|name| self.bytes(name, b""))
    }
}

fn element(out: &mut dyn io::Write, name: &str, value: &[u8]) -> io::Result<()> {
    write!(out, "<Data Name=\"{name}\">")?;
    text(out, if value.is_empty() { b"-" } else { value })?;
    out.write_all(b"</Data>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn markup_and_line_ends_are_text() {
        for (bytes, expected) in [
            (&b"/usr/bin/bash"[..], "/usr/bin/bash"),
            (b"]]></Data><Event>&amp;", "]]&gt;&lt;/Data&gt;&lt;Event&gt;&amp;amp;"),
            (b"\"it's\"", "&quot;it&apos;s&quot;"),
            (b"a\nb\rc\td", "a&#10;b&#13;c&#9;d"),
            (b"\x1b[2J\0\x0b\xff", "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}"),
            ("\u{85}\u{2028}\u{ffff}grün".as_bytes(), "&#133;&#8232;\u{fffd}grün"),
        ] {
            assert_eq!(written(bytes), expected);
        }
    }
}
