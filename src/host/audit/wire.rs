//! Messages of NETLINK_AUDIT: no length in them is believed.

use super::rule::Rule;
use super::{AuditError, Enabled, Status};

/// `AUDIT_GET` (linux `include/uapi/linux/audit.h`).
pub const GET: u16 = 1000;
/// `AUDIT_LIST_RULES`.
pub const LIST_RULES: u16 = 1013;
/// `NLMSG_ERROR` (netlink(7)).
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `struct nlmsghdr`: length, type, flags, number, sender.
const HEADER_BYTES: usize = 16;
/// Messages begin at multiples of this (`NLMSG_ALIGNTO`).
const ALIGNMENT: usize = 4;

/// A message, without its header.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// What was asked for.
    Answer(&'a [u8]),
    /// There is no more of it.
    Done,
    /// An error number; 0 is none.
    Error(i32),
    /// The answer to something else, or an event.
    Other,
}

/// The question: a header and nothing else.
pub fn request(kind: u16, number: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(&(HEADER_BYTES as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    bytes[8..12].copy_from_slice(&number.to_ne_bytes());
    bytes
}

/// The messages of a datagram that answer the question of this kind and number.
pub fn messages(
    mut datagram: &[u8],
    kind: u16,
    number: u32,
    mut each: impl FnMut(Message<'_>) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    const MALFORMED: AuditError = AuditError::Malformed("a message");
    while !datagram.is_empty() {
        let length = word(datagram, 0).ok_or(MALFORMED)? as usize;
        let message = datagram.get(..length).ok_or(MALFORMED)?;
        let body = message.get(HEADER_BYTES..).ok_or(MALFORMED)?;
        let own = half(message, 4).ok_or(MALFORMED)?;
        let answers = word(message, 8).ok_or(MALFORMED)? == number;
        each(match own {
            _ if !answers => Message::Other,
            DONE => Message::Done,
            ERROR => Message::Error(word(body, 0).ok_or(MALFORMED)?.cast_signed()),
            own if own == kind => Message::Answer(body),
            _ => Message::Other,
        })?;
        // The last one may lack its padding.
        datagram = datagram.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    Ok(())
}

/// Reads a `struct audit_status`. It grew (32 bytes on 3.10): what came later is not read.
pub fn status(body: &[u8]) -> Result<Status, AuditError> {
    const MALFORMED: AuditError = AuditError::Malformed("a status");
    // mask, enabled, failure, pid, rate_limit, backlog_limit, lost, backlog.
    let word = |index: usize| word(body, 4 * index).ok_or(MALFORMED);
    Ok(Status {
        enabled: match word(1)? {
            0 => Enabled::No,
            1 => Enabled::Yes,
            2 => Enabled::Immutable,
            _ => return Err(MALFORMED),
        },
        daemon_pid: word(3)?,
        lost: word(6)?,
        backlog: word(7)?,
    })
}

/// Reads a `struct audit_rule_data`.
pub fn rule(body: &[u8]) -> Result<Rule, AuditError> {
    Rule::parse(body).ok_or(AuditError::Malformed("a rule"))
}

/// The number at this offset.
pub fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, number: u32, length: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = request(kind, number).to_vec();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    fn read(datagram: &[u8]) -> Result<Vec<String>, AuditError> {
        let mut found = Vec::new();
        messages(datagram, GET, 7, |message| {
            found.push(format!("{message:?}"));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn messages_one_after_another() {
        let mut datagram = message(GET, 7, 18, &[1, 2]);
        // Padding.
        datagram.extend([0, 0]);
        datagram.extend(message(DONE, 7, 16, &[]));
        datagram.extend(message(ERROR, 7, 20, &(-1i32).to_ne_bytes()));
        datagram.extend(message(GET, 8, 16, &[]));
        datagram.extend(message(1300, 7, 16, &[]));
        let found = read(&datagram).unwrap();
        assert_eq!(found, ["Answer([1, 2])", "Done", "Error(-1)", "Other", "Other"]);
        // The last one without its padding.
        assert_eq!(read(&message(GET, 7, 17, &[9])).unwrap(), ["Answer([9])"]);
    }

    #[test]
    fn lengths_that_lie() {
        for length in [0, 1, 15, 17, 1 << 16, u32::MAX] {
            let datagram = message(GET, 7, length, &[]);
            assert!(matches!(read(&datagram), Err(AuditError::Malformed(_))), "{length}");
        }
        let whole = message(ERROR, 7, 20, &[0; 4]);
        for end in 1..whole.len() {
            assert!(matches!(read(&whole[..end]), Err(AuditError::Malformed(_))), "{end}");
        }
        // An error without a number.
        assert!(read(&message(ERROR, 7, 16, &[])).is_err());
    }

    /// 3.10's has 32 bytes, today's 44.
    #[test]
    fn a_status_of_any_kernel() {
        let mut words = [0u32, 2, 1, 4711, 0, 8192, 12, 3, 60_000, 0x7f, 5];
        let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<_>>();
        let immutable =
            Status { enabled: Enabled::Immutable, daemon_pid: 4711, lost: 12, backlog: 3 };
        assert_eq!(status(&bytes(&words)).unwrap(), immutable);
        assert_eq!(status(&bytes(&words[..8])).unwrap(), immutable);
        for length in 0..32 {
            assert!(status(&bytes(&words)[..length]).is_err(), "{length}");
        }
        for (number, enabled) in [(0, Enabled::No), (1, Enabled::Yes)] {
            words[1] = number;
            assert_eq!(status(&bytes(&words)).unwrap().enabled, enabled);
        }
        words[1] = 3;
        assert!(status(&bytes(&words)).is_err());
    }
}
