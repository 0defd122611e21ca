//! The shapes on the wire, in the order of their bytes: postcard writes a struct's
//! fields one after the other and nothing between them.
//!
//! The fields of an event are `Head`, `Values` and those of its action, of which those with one
//! field have no shape here.

use crate::event::Endpoint;
use core::fmt;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte string: its length, then its bytes. serde would write a plain slice byte by
/// byte: the same bytes, slower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blob<'a>(pub &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob<'a>, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = &'de [u8];

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_bytes(Borrow).map(Blob)
    }
}

/// What a batch begins with: its version and its class.
pub(super) type Begin = (u8, u8);

/// What follows in version 2: CRC-32 of all other bytes of the batch, the lowest byte first.
pub(super) type Checksum = [u8; 4];

/// What follows then. Behind it, each after its count: strings, actors and events, each of them a
/// byte string.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    pub boot_id: [u8; 16],
    pub start_ns: u64,
    pub arch: u8,
    pub provider: u8,
    #[serde(borrow)]
    pub hostname: Blob<'a>,
    /// Unix time of the first event.
    pub base_time_ns: u64,
    pub first_sequence: u64,
}

/// Unix time at which the host booted, by its clock when the batch was written: behind the header,
/// where known. In version 1 what a batch ends with, and a record of the first sensors has none.
pub(super) type BootTime = i64;

/// The most bytes that all of these and the three counts take: every integer at its longest, a host
/// name of `HOSTNAME_BYTES`.
pub(super) const HEADER_BYTES: usize =
    2 + 4 + 16 + 2 + 4 * 10 + 1 + 1 + crate::limits::HOSTNAME_BYTES + 3 * 5;

/// A string, made of one from the dictionary and what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Joined<'a> {
    /// Its place in the dictionary, from 1; 0: none.
    pub start: u32,
    #[serde(borrow)]
    pub rest: Blob<'a>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Actor<'a> {
    pub pid: u32,
    /// `tid - pid`: 0 for all but additional threads.
    pub tid_minus_pid: i32,
    pub ppid: Option<u32>,
    pub uid: u32,
    pub gid: u32,
    #[serde(borrow)]
    pub comm: Blob<'a>,
    #[serde(borrow)]
    pub executable: Joined<'a>,
}

/// What follows in an actor, unless it is all unknown. An actor of the first sensors ends
/// before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ActorMore<'a> {
    /// Hundredths of a second since the host booted.
    pub start: Option<u64>,
    /// A [`Lineage`], in one of the two parts: children of one process have the same.
    #[serde(borrow)]
    pub lineage: Joined<'a>,
}

/// What follows then, unless it is 0: an `ExecutableKind`.
pub(super) type Kind = u8;

/// What a process has from those that it descends from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lineage<'a> {
    pub parent_start: Option<u64>,
    #[serde(borrow)]
    pub parent_executable: Joined<'a>,
}

/// What follows in a lineage, unless that and the rest are unknown: a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contained<'a> {
    /// 0: not known.
    pub runtime: u8,
    #[serde(borrow)]
    pub container: Joined<'a>,
}

/// What follows then, unless it is all unknown: a login and a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    pub login_uid: Option<u32>,
    pub audit_session: Option<u32>,
    pub session: Option<u32>,
    pub session_start: Option<u64>,
}

/// The most bytes of a [`Lineage`] and what follows: every integer at its longest, no string in
/// the dictionary.
pub(super) const LINEAGE_BYTES: usize = 11
    + 5
    + 3
    + crate::limits::PATH_BYTES
    + 1
    + 5
    + 1
    + crate::limits::CONTAINER_BYTES
    + 3 * 6
    + 11;

/// What every event begins with, of a known action or not.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Head {
    pub action: u8,
    /// Since the event before it; events of several CPUs may be out of order.
    pub time_delta_ns: i64,
    /// Events of the other class that were numbered in between: the difference of the
    /// sequence numbers, less one.
    pub sequence_gap: u64,
    /// Its place in the dictionary, from 1; 0: nobody.
    pub actor: u32,
}

/// What every event of a known action has. In version 1 the last two stand where their action has
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub syscall: Option<u32>,
    pub ret: Option<i64>,
    pub flags: u32,
    pub truncated: u16,
    pub call_flags: Option<u32>,
    pub mode: Option<u32>,
}

/// A name of version 2: what it begins with, and what follows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Name<'a> {
    /// A number, and in the two lowest bits what it is of: [`LAST`], [`BEFORE`], [`STRING`],
    /// [`EXECUTABLE`].
    pub start: u32,
    #[serde(borrow)]
    pub rest: Blob<'a>,
}

/// So many bytes of the last name.
pub(super) const LAST: u32 = 0;
/// So many bytes of the name before the last.
pub(super) const BEFORE: u32 = 1;
/// The string with this place in the dictionary, from 1.
pub(super) const STRING: u32 = 2;
/// The executable of the actor; the number is 0.
pub(super) const EXECUTABLE: u32 = 3;

/// An exec, behind its path.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exec<'a> {
    #[serde(borrow)]
    pub args: Blob<'a>,
    pub args_count: Option<u32>,
}

/// What follows it, unless it is not known. A record of the first sensors ends before.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ExecMore<'a> {
    #[serde(borrow)]
    pub working_directory: Joined<'a>,
}

/// mknod, behind its path and mode. `device` is its major number, then its minor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Node {
    pub file_type: Option<u8>,
    pub device: Option<(u32, u32)>,
}

/// chown, behind its path. `None`: it stays.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// setuid, setgid: the real, the effective and the saved id. `None`: it stays.
pub(super) type Ids = Option<[Option<u32>; 3]>;

/// mount, behind its path.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mount<'a> {
    #[serde(borrow)]
    pub source: Joined<'a>,
    #[serde(borrow)]
    pub kind: Blob<'a>,
}

/// What follows a mount that is a step of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MountMore<'a> {
    pub descriptor: Option<i32>,
    #[serde(borrow)]
    pub option: Blob<'a>,
    pub attributes: Option<[u32; 3]>,
}

/// One end of a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Side {
    V4([u8; 4], u16),
    V6([u8; 16], u16),
    Unix,
    Other(u16),
}

impl From<Endpoint> for Side {
    fn from(endpoint: Endpoint) -> Side {
        match endpoint {
            Endpoint::V4(ip, port) => Side::V4(ip.octets(), port),
            Endpoint::V6(ip, port) => Side::V6(ip.octets(), port),
            Endpoint::Unix => Side::Unix,
            Endpoint::Other(family) => Side::Other(family),
        }
    }
}

impl From<Side> for Endpoint {
    fn from(side: Side) -> Endpoint {
        match side {
            Side::V4(ip, port) => Endpoint::V4(ip.into(), port),
            Side::V6(ip, port) => Endpoint::V6(ip.into(), port),
            Side::Unix => Endpoint::Unix,
            Side::Other(family) => Endpoint::Other(family),
        }
    }
}

/// connect, bind, listen, accept, send.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Socket<'a> {
    pub peer: Option<Side>,
    /// 0: not told.
    pub transport: u8,
    /// A unix socket's name.
    #[serde(borrow)]
    pub path: Joined<'a>,
}

/// What follows it. A record of the first sensors, which had connect only, ends before.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SocketMore {
    pub local: Option<Side>,
    /// connect, send: where to it was asked for, if that is another address.
    pub asked: Option<Side>,
    /// listen: the backlog. send: the messages.
    pub count: Option<u32>,
}
