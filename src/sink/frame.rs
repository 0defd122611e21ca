//! What stands around a payload: a syslog header, an octet count, a line's end.
//!
//! The `syslog` crate writes the header; the payload is appended as bytes, so that it
//! need not be UTF-8. The header's time is that at which the message was offered, which may
//! be hours before it is sent.

use super::target::Target;
use crate::limits::{HOSTNAME_BYTES, SYSLOG_HEADER_BYTES};
use core::fmt;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use syslog::{Facility, Formatter3164, Formatter5424, LogFormat, Severity};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// TAG and APP-NAME of records: what a daemon's rules select by.
const APP_NAME: &str = "mote";

/// The same of what the sensor says of itself.
const LOG_NAME: &str = "mote-log";

/// `Mmm dd hh:mm:ss` (RFC 3164 section 4.1.2).
const STAMP_BYTES: usize = 15;

/// The header is longer than its buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeaderError;

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the syslog header could not be written")
    }
}

impl core::error::Error for HeaderError {}

/// Writes messages as they go on the wire.
pub(super) enum Framer {
    /// RFC 3164 as syslog(3) writes it: local time, no host name. Ends with the NUL that
    /// syslog(3) sends on a stream; a datagram is sent without it.
    Local(Formatter3164),
    /// RFC 5424.
    Datagram(Formatter5424),
    /// RFC 5424 behind its length (RFC 6587 section 3.4.1).
    Counted(Formatter5424),
    /// The payload and a line feed.
    Line,
}

impl Framer {
    /// For records.
    pub(super) fn new(target: &Target, hostname: &str) -> Framer {
        Framer::of(target, hostname, Facility::LOG_AUTHPRIV, APP_NAME)
    }

    /// For the sensor's own log. `None`: standard output has records only.
    pub(super) fn of_log(target: &Target, hostname: &str) -> Option<Framer> {
        let framer = || Framer::of(target, hostname, Facility::LOG_DAEMON, LOG_NAME);
        (*target != Target::Stdout).then(framer)
    }

    fn of(target: &Target, hostname: &str, facility: Facility, name: &str) -> Framer {
        let remote = || Formatter5424 {
            facility,
            hostname: Some(printable(hostname)),
            process: name.to_owned(),
            pid: std::process::id(),
        };
        match target {
            Target::Unix(_) => {
                local_offset(OffsetDateTime::now_utc());
                Framer::Local(Formatter3164 {
                    facility,
                    hostname: None,
                    process: name.to_owned(),
                    pid: std::process::id(),
                })
            }
            Target::Udp(_) => Framer::Datagram(remote()),
            Target::Tcp(_) => Framer::Counted(remote()),
            Target::Stdout => Framer::Line,
        }
    }

    /// The host has another name. A local message has none.
    pub(super) fn set_hostname(&mut self, hostname: &str) {
        if let Framer::Datagram(formatter) | Framer::Counted(formatter) = self {
            formatter.hostname = Some(printable(hostname));
        }
    }

    /// Appends the message of `payload`, which was offered at this Unix time.
    pub(super) fn frame(
        &self,
        out: &mut Vec<u8>,
        offered_ns: i64,
        severity: Severity,
        payload: &[u8],
    ) -> Result<(), HeaderError> {
        let mut header = [0; SYSLOG_HEADER_BYTES];
        let offered = OffsetDateTime::from_unix_timestamp_nanos(offered_ns.into())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        match self {
            Framer::Local(formatter) => {
                out.extend_from_slice(header_3164(formatter, severity, offered, &mut header)?);
                out.extend_from_slice(payload);
                out.push(0);
            }
            Framer::Datagram(formatter) => {
                out.extend_from_slice(header_5424(formatter, severity, offered, &mut header)?);
                out.extend_from_slice(payload);
            }
            Framer::Counted(formatter) => {
                let header = header_5424(formatter, severity, offered, &mut header)?;
                let mut count = [0; 24];
                let count = written(&mut count, |to| {
                    write!(to, "{} ", header.len() + payload.len()).map_err(|_| HeaderError)
                })?;
                out.extend_from_slice(count);
                out.extend_from_slice(header);
                out.extend_from_slice(payload);
            }
            Framer::Line => {
                out.extend_from_slice(payload);
                out.push(b'\n');
            }
        }
        Ok(())
    }
}

/// HOSTNAME is printable ASCII without spaces, `-` if there is none (RFC 5424 section 6).
fn printable(hostname: &str) -> String {
    let host: String =
        hostname.chars().filter(char::is_ascii_graphic).take(HOSTNAME_BYTES).collect();
    if host.is_empty() { "-".to_owned() } else { host }
}

fn header_3164<'a>(
    formatter: &Formatter3164,
    severity: Severity,
    offered: OffsetDateTime,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], HeaderError> {
    let header = written(buffer, |to| formatter.format(to, severity, "").map_err(|_| HeaderError))?;
    // syslog 7.0.0 writes UTC and a zero-padded day (rust-syslog issue 95), and the time that it
    // is; RFC 3164 wants local time and a space. The stamp has a fixed place and length: write it
    // again.
    let place = header.iter().position(|&byte| byte == b'>').map_or(0, |at| at + 1);
    if let Some(mut place) = header.get_mut(place..place + STAMP_BYTES) {
        stamp(&mut place, offered.to_offset(local_offset(offered)));
    }
    Ok(header)
}

/// glibc's localtime_r reads the zone at its first call only, from TZ or /etc/localtime,
/// also in a static binary: [`Framer::new`] makes that call, while files may be opened.
/// The zone's rules for summer time apply; another zone counts from the next start.
fn local_offset(at: OffsetDateTime) -> UtcOffset {
    UtcOffset::local_offset_at(at).unwrap_or(UtcOffset::UTC)
}

/// Writes the time as RFC 3164 section 4.1.2 has it.
fn stamp(to: &mut impl Write, time: OffsetDateTime) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS[usize::from(u8::from(time.month()) - 1)];
    let (day, hour, minute, second) = (time.day(), time.hour(), time.minute(), time.second());
    // The slice has just the room that this takes.
    let _ = write!(to, "{month} {day:2} {hour:02}:{minute:02}:{second:02}");
}

fn header_5424<'a>(
    formatter: &Formatter5424,
    severity: Severity,
    offered: OffsetDateTime,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], HeaderError> {
    let mut of_now = [0; SYSLOG_HEADER_BYTES];
    // MSGID is a number in the crate; an empty map is the NILVALUE and allocates nothing.
    let of_now = written(&mut of_now, |to| {
        formatter.format(to, severity, (0, BTreeMap::new(), "")).map_err(|_| HeaderError)
    })?;
    // The crate writes the time that it is, as the second word.
    let mut spaces = (0..of_now.len()).filter(|&at| of_now[at] == b' ');
    let (Some(before), Some(after)) = (spaces.next(), spaces.next()) else {
        return Err(HeaderError);
    };
    // RFC 5424 takes six digits of a second at most (section 6.2.3).
    let micros = offered.replace_nanosecond(offered.nanosecond() / 1000 * 1000).unwrap_or(offered);
    written(buffer, |to| {
        to.write_all(&of_now[..=before]).map_err(|_| HeaderError)?;
        micros.format_into(to, &Rfc3339).map_err(|_| HeaderError)?;
        to.write_all(&of_now[after..]).map_err(|_| HeaderError)
    })
    .map(|header| &*header)
}

fn written(
    buffer: &mut [u8],
    write: impl FnOnce(&mut Cursor<&mut [u8]>) -> Result<(), HeaderError>,
) -> Result<&mut [u8], HeaderError> {
    let mut cursor = Cursor::new(&mut *buffer);
    write(&mut cursor)?;
    let end = usize::try_from(cursor.position()).map_err(|_| HeaderError)?;
    buffer.get_mut(..end).ok_or(HeaderError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-18 11:06:40.000001 UTC.
    const OFFERED_NS: i64 = 1_795_000_000_000_001_234;

    fn framed(framer: &Framer, severity: Severity, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        framer.frame(&mut out, OFFERED_NS, severity, payload).unwrap();
        out
    }

    fn frame(target: &str, hostname: &str, payload: &[u8]) -> Vec<u8> {
        let framer = Framer::new(&target.parse().unwrap(), hostname);
        framed(&framer, Severity::LOG_INFO, payload)
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn local_messages_are_what_syslog_3_sends() {
        let message = frame("unix:/dev/log", "unused", b"m1:\xff");
        let end = format!(" mote[{}]: m1:", std::process::id());
        assert_eq!(&message[..4], b"<86>");
        assert_eq!(&message[4 + STAMP_BYTES..][..end.len()], end.as_bytes());
        assert_eq!(&message[4 + STAMP_BYTES + end.len()..], b"\xff\0");
    }

    #[test]
    fn remote_messages_have_every_field() {
        let message = text(frame("udp:192.0.2.1:514", "web-1", b"m1:abc"));
        let fields: Vec<&str> = message.split(' ').collect();
        let pid = std::process::id().to_string();
        assert_eq!(fields[0], "<86>1");
        assert_eq!(fields[1], "2026-11-18T11:06:40.000001Z");
        assert_eq!(fields[2..], ["web-1", "mote", &pid, "0", "-", "m1:abc"]);
    }

    #[test]
    fn a_host_can_get_another_name() {
        let mut framer = Framer::new(&"udp:192.0.2.1:514".parse().unwrap(), "web-1");
        framer.set_hostname("web 2");
        let message = text(framed(&framer, Severity::LOG_INFO, b"m1:abc"));
        assert_eq!(message.split(' ').nth(2), Some("web2"), "{message}");
    }

    #[test]
    fn tcp_counts_octets() {
        let message = text(frame("tcp:192.0.2.1:514", "web-1", b"m1:abc"));
        let (count, rest) = message.split_once(' ').unwrap();
        assert_eq!(count.parse(), Ok(rest.len()));
        assert!(rest.starts_with("<86>1 "));
    }

    #[test]
    fn r17_the_log_has_a_tag_of_its_own_and_severities() {
        let framer = Framer::of_log(&"udp:192.0.2.1:514".parse().unwrap(), "web-1").unwrap();
        let message = text(framed(&framer, Severity::LOG_WARNING, b"it is dark"));
        // daemon is 3, warning 4.
        assert!(message.starts_with("<28>1 "), "{message}");
        assert!(message.contains(" mote-log ") && message.ends_with(" it is dark"), "{message}");
        assert!(Framer::of_log(&Target::Stdout, "").is_none());
    }

    #[test]
    fn stdout_is_a_line() {
        assert_eq!(frame("stdout", "web-1", b"m1:abc"), b"m1:abc\n");
    }

    #[test]
    fn hostnames_cannot_break_the_header() {
        assert_eq!(printable("a b\nc\u{e9}d"), "abcd");
        assert_eq!(printable(" "), "-");
        assert_eq!(printable(&"x".repeat(300)).len(), HOSTNAME_BYTES);
        let longest = text(frame("tcp:192.0.2.1:514", &"x".repeat(300), b""));
        assert!(longest.len() <= SYSLOG_HEADER_BYTES);
    }

    #[test]
    fn stamps_are_those_of_rfc_3164() {
        for (unix_s, hours, expected) in [
            (0, 0, "Jan  1 00:00:00"),
            (1_798_761_599, 0, "Dec 31 23:59:59"),
            (1_798_761_599, 2, "Jan  1 01:59:59"),
            (1_795_000_000, -7, "Nov 18 04:06:40"),
        ] {
            let time = OffsetDateTime::from_unix_timestamp(unix_s)
                .unwrap()
                .to_offset(UtcOffset::from_hms(hours, 0, 0).unwrap());
            let mut buffer = [0; STAMP_BYTES];
            stamp(&mut &mut buffer[..], time);
            assert_eq!(core::str::from_utf8(&buffer), Ok(expected));
        }
    }

    /// glibc reads TZ once a process: the test runs itself again with another zone, one
    /// that needs no zone files, 5 h 30 min east of Greenwich.
    #[test]
    fn local_time_follows_the_zone() {
        const NAME: &str = "sink::frame::tests::local_time_follows_the_zone";
        if std::env::var_os("MOTE_TEST_ZONE").is_some() {
            let day_s = |time: &str| -> i64 {
                let part = |at: usize| time[at..at + 2].parse::<i64>().unwrap();
                (part(0) * 60 + part(3)) * 60 + part(6)
            };
            let message = text(frame("unix:/dev/log", "", b""));
            let offered_s = OFFERED_NS / 1_000_000_000 + 19_800;
            assert_eq!(day_s(&message[11..19]), offered_s.rem_euclid(86_400), "{message}");
            return;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("TZ", "XYZ-5:30")
            .env("MOTE_TEST_ZONE", "1")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && output.contains("1 passed"), "{output}");
    }
}
