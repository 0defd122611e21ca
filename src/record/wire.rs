//! The shapes on the wire, in the order of their bytes: postcard writes a struct's
//! fields one after the other and nothing between them.
//!
//! The fields of an event record are `Head`, `Common` and those of its action; fork and setsid
//! have none.

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

/// What a batch begins with. Then, each after its count: strings, actors and events,
/// each of them a byte string.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    pub version: u8,
    pub class: u8,
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

/// What a batch ends with, behind the events. A record of the first sensors has none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    /// Unix time at which the host booted, by its clock when the batch was written.
    pub boot_time_ns: i64,
}

/// The most bytes a [`Header`], the three counts and an [`End`] take: every integer at its
/// longest, a host name of `HOSTNAME_BYTES`.
pub(super) const HEADER_BYTES: usize = 4 + 16 + 4 * 10 + 1 + crate::limits::HOSTNAME_BYTES + 3 * 5;

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
#[derive(Debug, Serialize, Deserialize)]
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

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Common {
    pub syscall: Option<u32>,
    pub ret: Option<i64>,
    pub flags: u32,
    pub truncated: u16,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exec<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
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

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exit {
    pub exit_status: Option<u32>,
}

/// open, unlink, rmdir, mkdir and chmod: one shape is less to implement, and costs a
/// byte for what an action does not have.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct File<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    pub call_flags: Option<u32>,
    pub mode: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rename<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    #[serde(borrow)]
    pub from: Joined<'a>,
    pub call_flags: Option<u32>,
}

/// mknod. `device` is its major number, then its minor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Node<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    pub mode: Option<u32>,
    pub file_type: Option<u8>,
    pub device: Option<(u32, u32)>,
}

/// chown. `None`: it stays.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// truncate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Size<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    pub size: Option<i64>,
}

/// utime.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Times<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    pub modified_ns: Option<i64>,
}

/// setxattr.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Attribute<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    #[serde(borrow)]
    pub name: Blob<'a>,
}

/// setuid, setgid: the real, the effective and the saved id. `None`: it stays.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ids {
    pub ids: Option<[Option<u32>; 3]>,
}

/// ptrace, kill.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Target {
    pub pid: Option<u32>,
    pub call_flags: Option<u32>,
}

/// module_load, module_unload, bpf_load, memfd_create, kexec_load: a file, and a name or
/// parameters.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Loaded<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    #[serde(borrow)]
    pub text: Blob<'a>,
    pub call_flags: Option<u32>,
}

/// mount.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mount<'a> {
    #[serde(borrow)]
    pub path: Joined<'a>,
    #[serde(borrow)]
    pub source: Joined<'a>,
    #[serde(borrow)]
    pub kind: Blob<'a>,
    pub call_flags: Option<u32>,
}

/// What follows a mount that is a step of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MountMore<'a> {
    pub descriptor: Option<i32>,
    #[serde(borrow)]
    pub option: Blob<'a>,
    pub attributes: Option<[u32; 3]>,
}

/// unshare, setns, io_uring.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub call_flags: Option<u32>,
}

/// clock_set.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Clock {
    pub time_ns: Option<i64>,
    pub call_flags: Option<u32>,
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
