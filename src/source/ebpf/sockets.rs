//! Where the kernel keeps the addresses of a socket: measured, as descriptors are (`files`).
//!
//! `file.private_data` → `struct socket`, which points back at its `file`, and behind that at
//! its `struct sock`. What programs read there without a measurement is compared with sockets
//! of ours: `struct sock` begins with the addresses, the ports and the family from 3.8 to today
//! (linux `include/net/sock.h`, commit ce43b03e8889).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

use super::abi::record::*;
use super::files;
use super::object::Object;
use super::peek::{Kernel, Memory, PEEK_BYTES};

/// Where the fields are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// `file.private_data`
    pub private_data: u32,
    /// `socket.file`
    pub file: u32,
    /// `sock.sk_protocol`
    pub protocol: Option<Protocol>,
    /// `sock_common.skc_v6_daddr`; `None` too if there is no IPv6 here.
    pub v6: Option<u32>,
}

/// Where a `struct sock` keeps its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Where it is.
    pub offset: u32,
    /// How wide it is: one byte before 5.6 (linux commit bf9765145b85), then two.
    pub bytes: u32,
}

/// A `struct sock` is not longer than what is looked at, and fields of all families stand in
/// its beginning.
const SOCK_BYTES: usize = 1024;

/// Measures with the program `probe_memory` attached to fchmod(2), when descriptors are bound.
/// `None`: not seen, or not certain.
pub fn sockets(object: &Object, settings: &mote_settings) -> io::Result<Option<Offsets>> {
    let v4 = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let v6 = v6_socket();
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let SocketAddr::V4(address) = v4.local_addr()? else { return Ok(None) };
    let bound = Bound { ip: *address.ip(), port: address.port() };
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    let mut memory = Kernel::new(object);
    let found = memory.task().and_then(|task| {
        let files = files::Offsets::from_settings(settings);
        let mut file = |fd: RawFd| files.file(&mut memory, task, fd);
        let (v4, stream) = (file(v4.as_raw_fd())?, file(stream.as_raw_fd())?);
        let v6 = v6.as_ref().and_then(|v6| file(v6.as_raw_fd()));
        find(&mut memory, bound, v4, stream, v6)
    });
    object.set_settings(settings)?;
    Ok(found)
}

/// One of IPv6 that is bound to 127.0.0.1: a host may have no IPv6, but for sockets.
fn v6_socket() -> Option<OwnedFd> {
    let v6 = socket(AddressFamily::INET6, SocketType::DGRAM, None).ok()?;
    sockopt::set_ipv6_v6only(&v6, false).ok()?;
    let loopback = SocketAddrV6::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 0, 0, 0);
    bind(&v6, &loopback).ok()?;
    Some(v6)
}

/// The address that the first socket is bound to.
#[derive(Clone, Copy)]
struct Bound {
    ip: Ipv4Addr,
    port: u16,
}

/// From the `struct file` of a UDP socket that is `bound`, of a TCP socket, and of a UDP socket
/// of IPv6 that is bound to 127.0.0.1.
fn find(
    memory: &mut impl Memory,
    bound: Bound,
    v4: u64,
    stream: u64,
    v6: Option<u64>,
) -> Option<Offsets> {
    let (mut offsets, sock) = places().find_map(|offsets| {
        let sock = offsets.sock(memory, v4, libc::SOCK_DGRAM)?;
        is_bound(&memory.read(sock)?, bound).then_some((offsets, sock))
    })?;
    let datagrams = memory.bytes(sock, SOCK_BYTES)?;
    let stream = offsets.sock(memory, stream, libc::SOCK_STREAM)?;
    offsets.protocol = protocol(&datagrams, &memory.bytes(stream, SOCK_BYTES)?);
    offsets.v6 = v6.and_then(|v6| {
        let sock = offsets.sock(memory, v6, libc::SOCK_DGRAM)?;
        v6_addresses(&memory.read(sock)?)
    });
    Some(offsets)
}

/// Every place of the two pointers.
fn places() -> impl Iterator<Item = Offsets> {
    let every = |to: u32| (0..=to).step_by(8);
    every(PEEK_BYTES as u32 - 8).flat_map(move |private_data| {
        every(64).map(move |file| Offsets { private_data, file, protocol: None, v6: None })
    })
}

impl Offsets {
    /// Whether nothing is missing that a socket of this host can have.
    pub fn is_complete(&self) -> bool {
        let has_v6 = || socket(AddressFamily::INET6, SocketType::DGRAM, None).is_ok();
        self.protocol.is_some() && (self.v6.is_some() || !has_v6())
    }

    /// The `struct sock` of a file that is a socket of this kind: the steps of `bpf/socket.h`.
    fn sock(self, memory: &mut impl Memory, file: u64, kind: i32) -> Option<u64> {
        let [socket] = memory.pointers(file + u64::from(self.private_data))?;
        if memory.read(socket)?[4..6] != (kind as u16).to_ne_bytes() {
            return None;
        }
        let [back, sock] = memory.pointers(socket + u64::from(self.file))?;
        (back == file).then_some(sock)
    }
}

/// Whether a `struct sock` of IPv4 begins like this: bound, and not connected.
fn is_bound(sock: &[u8], bound: Bound) -> bool {
    const AF_INET: u16 = libc::AF_INET as u16;
    let expected: [&[u8]; 2] = [&[0; 4], &bound.ip.octets()];
    let ports: [&[u8]; 3] = [&[0; 2], &bound.port.to_ne_bytes(), &AF_INET.to_ne_bytes()];
    sock.starts_with(&expected.concat()) && sock.get(12..18) == Some(&ports.concat())
}

/// Where one has the protocol of UDP, the other that of TCP, and beside it what kind they are.
fn protocol(datagrams: &[u8], stream: &[u8]) -> Option<Protocol> {
    const KINDS: [(u16, u16); 2] = [
        (libc::IPPROTO_UDP as u16, libc::SOCK_DGRAM as u16),
        (libc::IPPROTO_TCP as u16, libc::SOCK_STREAM as u16),
    ];
    // sk_protocol, then sk_type. From 5.6 on both have two bytes, and 6.18 has them like that;
    // others have them the other way around.
    let narrow =
        KINDS.map(|(protocol, kind)| [&[protocol as u8][..], &kind.to_ne_bytes()].concat());
    let wide = KINDS.map(|(protocol, kind)| [protocol.to_ne_bytes(), kind.to_ne_bytes()].concat());
    let turned =
        KINDS.map(|(protocol, kind)| [kind.to_ne_bytes(), protocol.to_ne_bytes()].concat());
    let mut found = Vec::new();
    for (patterns, protocol_at, bytes) in [(narrow, 0, 1), (wide, 0, 2), (turned, 2, 2)] {
        let width = patterns[0].len();
        let places = datagrams.windows(width).zip(stream.windows(width)).zip(0u32..);
        let places = places.filter(|(windows, _)| *windows == (&patterns[0][..], &patterns[1][..]));
        // A field of two bytes begins at an even offset.
        let offsets = places.map(|(_, at)| at + protocol_at).filter(|at| at % bytes == 0);
        found.extend(offsets.map(|offset| Protocol { offset, bytes }));
    }
    match found[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// Where a `struct sock` of IPv6, bound to 127.0.0.1, has its own address behind that of nobody.
fn v6_addresses(sock: &[u8]) -> Option<u32> {
    let own = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
    let addresses = [Ipv6Addr::UNSPECIFIED.octets(), own].concat();
    let mut places = sock.windows(addresses.len()).zip(0u32..).step_by(4);
    places.find(|(window, _)| *window == addresses).map(|(_, at)| at)
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
