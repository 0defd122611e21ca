//! Values that are written as JSON strings without being built first.

use crate::event::Device;
use crate::record::RunId;
use core::fmt::{self, Display, Write};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// Implements `Serialize` as the string that `Display` writes.
macro_rules! as_displayed {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_displayed!(
    DeviceNumbers,
    EntityId,
    RunName,
    Keyword,
    Hex<'_>,
    Timestamp,
    Octal,
    Uuid,
    Address<'_>,
    CommandLine<'_>
);

/// Bytes as text: what is not UTF-8 becomes U+FFFD.
pub struct Text<'a>(pub &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(&Lossy(self.0)),
        }
    }
}

/// The same, to be written.
pub struct Lossy<'a>(pub &'a [u8]);

impl Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// A word of a field's name, in small letters: `EBPF STATUS` would shout.
pub struct Lowercase<'a>(pub &'a str);

impl Display for Lowercase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return f.write_str(self.0);
        }
        self.0.chars().try_for_each(|letter| f.write_char(letter.to_ascii_lowercase()))
    }
}

/// A unix socket's name: an abstract one begins with NUL.
pub struct Address<'a>(pub &'a [u8]);

impl Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            [0, name @ ..] => write!(f, "@{}", Lossy(name)),
            path => Lossy(path).fmt(f),
        }
    }
}

/// A number that ECS calls a keyword: written as a string.
pub struct Keyword(pub u32);

impl Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Major and minor number, as ls(1) has them.
pub struct DeviceNumbers(pub Device);

impl Display for DeviceNumbers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}, {}", self.0.major, self.0.minor)
    }
}

/// Permission bits, as chmod(1) has them.
pub struct Octal(pub u32);

impl Display for Octal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Bytes as they are, two digits each.
pub struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// RFC 9562 section 4: groups of 8, 4, 4, 4 and 12 digits.
pub struct Uuid(pub [u8; 16]);

impl Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The beginning of a boot id: 60 of its 122 random bits.
struct Boot<'a>(&'a [u8; 16]);

impl Display for Boot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        Hex(&self.0[..8]).fmt(f)
    }
}

/// What tells a process from all others, of all hosts: the beginning of its host's boot id, its
/// process id and when it began.
pub struct EntityId {
    pub boot_id: [u8; 16],
    pub pid: u32,
    /// In hundredths of a second since boot.
    pub start: u64,
}

impl Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}-{}", Boot(&self.boot_id), self.pid, self.start)
    }
}

/// What tells a run of a sensor from all others: the beginning of its host's boot id, and when it
/// began. Each numbers its events from 1.
pub struct RunName(pub RunId);

impl Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", Boot(&self.0.boot_id), self.0.start_ns)
    }
}

/// Unix time in nanoseconds, as RFC 3339 in UTC. Always nine digits of a second, so
/// that lines sort as text; `time` would leave zeros out.
#[derive(Clone, Copy)]
pub struct Timestamp(pub i128);

impl Timestamp {
    /// The same in milliseconds. 64 bits of nanoseconds are always enough for that.
    pub fn milliseconds(self) -> i64 {
        i64::try_from(self.0.div_euclid(1_000_000)).unwrap_or_default()
    }
}

impl Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // 64 bits of nanoseconds end in the year 2554, or begin in 1677: always a date.
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second, nanosecond) = at.to_hms_nano();
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z",
            u8::from(month)
        )
    }
}

/// The arguments of an exec: what NULs close.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a [u8]);

impl<'a> Args<'a> {
    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.strip_suffix(b"\0").unwrap_or(self.0).split(|byte| *byte == 0)
    }
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.each().map(Text))
    }
}

/// The same as one text, with a space between two of them, as ps(1) has it.
pub struct CommandLine<'a>(pub Args<'a>);

impl Display for CommandLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut between = "";
        self.0.each().try_for_each(|argument| {
            f.write_str(between)?;
            between = " ";
            Lossy(argument).fmt(f)
        })
    }
}

/// The arguments, exactly.
pub struct HexArgs<'a>(pub Args<'a>);

impl Serialize for HexArgs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.each().map(Hex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_text() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            Timestamp(1_709_210_096_000_000_120).to_string(),
            "2024-02-29T12:34:56.000000120Z"
        );
        assert_eq!(Timestamp(u64::MAX.into()).to_string(), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(Timestamp(i64::MIN.into()).to_string(), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(Octal(0o644).to_string(), "0644");
        assert_eq!(Octal(0o1777).to_string(), "1777");
        assert_eq!(
            Uuid(core::array::from_fn(|i| i as u8)).to_string(),
            "00010203-0405-0607-0809-0a0b0c0d0e0f"
        );
        let id = EntityId { boot_id: core::array::from_fn(|i| i as u8), pid: 42, start: 8640012 };
        assert_eq!(id.to_string(), "0001020304050607-42-8640012");
        assert_eq!(Address(b"\0bus").to_string(), "@bus");
        assert_eq!(Address(b"/run/x").to_string(), "/run/x");
    }

    #[test]
    fn arguments_are_split_at_nuls() {
        let json = |bytes| serde_json::to_string(&Args(bytes)).unwrap();
        assert_eq!(json(b"ls\0-l\0"), r#"["ls","-l"]"#);
        assert_eq!(json(b"ls\0\0cut"), r#"["ls","","cut"]"#);
        assert_eq!(json(b"\0"), r#"[""]"#);
        let line = |bytes| CommandLine(Args(bytes)).to_string();
        assert_eq!(line(b"ls\0-l\0"), "ls -l");
        assert_eq!(line(b"sh\0\0a b\0c\xffut"), "sh  a b c\u{fffd}ut");
        assert_eq!(json(b"a\xff\x80b\0"), "[\"a\u{fffd}\u{fffd}b\"]");
        assert_eq!(serde_json::to_string(&HexArgs(Args(b"a\xff\0"))).unwrap(), r#"["61ff"]"#);
    }
}
