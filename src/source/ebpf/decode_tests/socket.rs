//! Calls on sockets: what the caller asked for, and what the kernel made of it.

use super::*;
use crate::event::{Endpoint, Given, Transport};
use core::net::{Ipv4Addr, Ipv6Addr};

const TCP: u16 = libc::IPPROTO_TCP as u16;
const UDP: u16 = libc::IPPROTO_UDP as u16;
const LOCAL: Endpoint = Endpoint::V4(Ipv4Addr::LOCALHOST, 40_000);
const PEER: Endpoint = Endpoint::V4(Ipv4Addr::new(192, 0, 2, 7), 443);

/// A socket of IPv4 that is connected from [`LOCAL`] to [`PEER`].
pub(super) fn connected(protocol: u16) -> Vec<u8> {
    let mut socket = Bytes(vec![0; size_of::<mote_socket>()]);
    socket
        .u16(offset_of!(mote_socket, family), libc::AF_INET as u16)
        .u16(offset_of!(mote_socket, socket_type), libc::SOCK_STREAM as u16)
        .u16(offset_of!(mote_socket, protocol), protocol)
        .u16(offset_of!(mote_socket, local_port), 40_000)
        .u16(offset_of!(mote_socket, peer_port), 443u16.to_be())
        .put(offset_of!(mote_socket, local), &[127, 0, 0, 1])
        .put(offset_of!(mote_socket, peer), &[192, 0, 2, 7]);
    socket.0
}

/// `struct sockaddr_in`.
fn v4(ip: [u8; 4], port: u16) -> Vec<u8> {
    [&(libc::AF_INET as u16).to_ne_bytes()[..], &port.to_be_bytes(), &ip, &[0; 8]].concat()
}

pub(super) fn on_socket(number: i64, socket: &[u8], address: &[u8]) -> Bytes {
    let flags = if address.is_empty() { MOTE_UNNAMED } else { 0 };
    call(MOTE_KIND_SOCKET, flags, number, socket, address)
}

fn unknown() -> Vec<u8> {
    vec![0; size_of::<mote_socket>()]
}

pub(super) fn connect_to(address: &[u8]) -> Bytes {
    call(MOTE_KIND_SOCKET, 0, libc::SYS_connect, &unknown(), address)
}

#[test]
fn addresses_of_every_family_and_of_too_few_bytes() {
    let v4 = [2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let event = connect_to(&v4).event();
    assert_eq!(event.peer, Some(Endpoint::V4(Ipv4Addr::LOCALHOST, 8080)));
    assert_eq!((event.transport, event.local), (None, None));
    let mut v6 = [0; 28];
    (v6[0], v6[3], v6[23]) = (10, 80, 1);
    assert_eq!(connect_to(&v6).event().peer, Some(Endpoint::V6(Ipv6Addr::LOCALHOST, 80)));
    let event = connect_to(b"\x01\0/run/s\0rest").event();
    assert_eq!((event.peer, &event.path[..]), (Some(Endpoint::Unix), &b"/run/s"[..]));
    let event = connect_to(b"\x01\0\0name\0x").event();
    assert_eq!(&event.path[..], b"\0name\0x");
    assert_eq!(connect_to(&[16, 0, 1]).event().peer, Some(Endpoint::Other(16)));
    assert_eq!(connect_to(&v4[..5]).event().peer, Some(Endpoint::Other(2)));
    assert_eq!(connect_to(&[2]).event().peer, None);
    let event =
        connect_to(b"").u16(offset_of!(mote_header, flags), MOTE_PATH_UNREAD as u16).event();
    assert!(event.flags.contains(Flags::ADDRESS_UNREAD));
    assert!(!event.flags.contains(Flags::PATH_UNREAD));
}

/// A proxy's BPF program, or another thread, changed it after it was read.
#[test]
fn a_connect_tells_where_it_led_and_what_was_asked_for() {
    let asked = v4([10, 96, 0, 1], 80);
    let mut bytes = on_socket(libc::SYS_connect, &connected(TCP), &asked);
    for ret in [0, -i64::from(libc::EINPROGRESS), -i64::from(libc::EINTR)] {
        bytes.put(offset_of!(mote_header, ret), &ret.to_ne_bytes());
        let event = bytes.event();
        assert_eq!((event.local, event.peer), (Some(LOCAL), Some(PEER)), "{ret}");
        let asked = Endpoint::V4([10, 96, 0, 1].into(), 80);
        assert_eq!(event.given, Some(Given::Asked(asked)), "{ret}");
        assert_eq!(event.transport, Some(Transport::Tcp));
    }
    // One that was refused, on a socket that is connected elsewhere.
    bytes.put(offset_of!(mote_header, ret), &(-i64::from(libc::EISCONN)).to_ne_bytes());
    let event = bytes.event();
    assert_eq!(event.peer, Some(Endpoint::V4([10, 96, 0, 1].into(), 80)));
    assert_eq!(event.given, None);
    let event = on_socket(libc::SYS_connect, &connected(TCP), &v4([192, 0, 2, 7], 443)).event();
    assert_eq!((event.peer, event.given), (Some(PEER), None));
}

#[test]
fn a_bind_tells_the_port_that_the_kernel_chose() {
    let any = v4([127, 0, 0, 1], 0);
    let event = on_socket(libc::SYS_bind, &connected(UDP), &any).event();
    assert_eq!((event.action, event.local, event.peer), (Action::Bind, Some(LOCAL), None));
    let mut refused = on_socket(libc::SYS_bind, &connected(UDP), &v4([127, 0, 0, 1], 22));
    refused.put(offset_of!(mote_header, ret), &(-i64::from(libc::EADDRINUSE)).to_ne_bytes());
    assert_eq!(refused.event().local, Some(Endpoint::V4(Ipv4Addr::LOCALHOST, 22)));
}

#[test]
fn a_listen_has_the_address_of_its_socket() {
    let mut bytes = on_socket(libc::SYS_listen, &connected(TCP), b"");
    bytes.i32(offset_of!(mote_call, call_flags), 128);
    let event = bytes.event();
    assert_eq!((event.action, event.local), (Action::Listen, Some(LOCAL)));
    assert_eq!(event.given, Some(Given::Backlog(128)));
    assert!(event.flags.is_empty());
}

#[test]
fn an_accept_has_both_ends_or_says_that_it_has_not() {
    let event = on_socket(libc::SYS_accept4, &connected(libc::IPPROTO_MPTCP as u16), b"").event();
    assert_eq!((event.action, event.local), (Action::Accept, Some(LOCAL)));
    assert_eq!((event.peer, event.transport), (Some(PEER), Some(Transport::Tcp)));
    let mut bytes = on_socket(libc::SYS_accept, &unknown(), b"");
    assert!(bytes.event().flags.contains(Flags::ADDRESS_UNREAD));
    bytes.put(offset_of!(mote_header, ret), &(-i64::from(libc::EMFILE)).to_ne_bytes());
    assert!(bytes.event().flags.is_empty());
}

/// A socket for datagrams, of this family, that is connected to [`PEER`].
fn datagrams(family: i32) -> Bytes {
    let mut socket = Bytes(connected(UDP));
    socket
        .u16(offset_of!(mote_socket, family), family as u16)
        .u16(offset_of!(mote_socket, socket_type), libc::SOCK_DGRAM as u16);
    if family == libc::AF_INET6 {
        let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets();
        socket.put(offset_of!(mote_socket, peer), &mapped);
    }
    socket
}

const OTHER: [u8; 4] = [198, 51, 100, 1];
const OTHER_PEER: Endpoint = Endpoint::V4(Ipv4Addr::new(198, 51, 100, 1), 53);

#[test]
fn a_datagram_goes_where_the_caller_says() {
    let socket = datagrams(libc::AF_INET).0;
    let event = on_socket(libc::SYS_sendto, &socket, &v4(OTHER, 53)).event();
    assert_eq!((event.action, event.peer), (Action::Send, Some(OTHER_PEER)));
    assert_eq!((event.transport, event.given), (Some(Transport::Udp), None));
    let mut bytes = on_socket(libc::SYS_sendmmsg, &socket, &v4(OTHER, 53));
    bytes.put(offset_of!(mote_call, value), &3u64.to_ne_bytes());
    assert_eq!(bytes.event().given, Some(Given::Messages(3)));
}

/// The kernel takes it for one of IPv4, or, of IPv6, for none.
#[test]
fn an_address_without_a_family_means_what_the_socket_makes_of_it() {
    let mut address = v4(OTHER, 53);
    address[..2].fill(0);
    for (family, peer) in [(libc::AF_INET, OTHER_PEER), (libc::AF_INET6, PEER)] {
        let event = on_socket(libc::SYS_sendto, &datagrams(family).0, &address).event();
        assert_eq!(event.peer, Some(peer), "{family}");
    }
    let mut raw = datagrams(libc::AF_INET6);
    raw.u16(offset_of!(mote_socket, socket_type), libc::SOCK_RAW as u16);
    let address = [&[0; 8][..], &Ipv6Addr::LOCALHOST.octets(), &[0; 4]].concat();
    let event = on_socket(libc::SYS_sendto, &raw.0, &address).event();
    assert_eq!(event.peer, Some(Endpoint::V6(Ipv6Addr::LOCALHOST, 0)));
    let event = on_socket(libc::SYS_sendto, &unknown(), &address).event();
    assert_eq!(event.peer, Some(Endpoint::Other(0)));
}

/// It does not look at the address that it is given with.
#[test]
fn what_is_sent_on_a_connection_goes_to_its_other_end() {
    let event = on_socket(libc::SYS_sendto, &connected(TCP), &v4(OTHER, 53)).event();
    assert_eq!((event.peer, event.given), (Some(PEER), Some(Given::Asked(OTHER_PEER))));
}

#[test]
fn the_numbers_of_other_families_are_no_transports() {
    let mut socket = Bytes(connected(libc::IPPROTO_ICMP as u16));
    socket.u16(offset_of!(mote_socket, family), 43);
    let event = on_socket(libc::SYS_connect, &socket.0, &v4(OTHER, 53)).event();
    assert_eq!((event.peer, event.transport), (Some(OTHER_PEER), None));
    let event = on_socket(libc::SYS_accept, &socket.0, b"").event();
    assert_eq!(event.peer, Some(Endpoint::Other(43)));
}

#[test]
fn an_address_of_ipv4_in_ipv6_is_one_of_ipv4() {
    let mut socket = Bytes(connected(TCP));
    let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets();
    socket
        .u16(offset_of!(mote_socket, family), libc::AF_INET6 as u16)
        .put(offset_of!(mote_socket, local), &Ipv6Addr::LOCALHOST.octets())
        .put(offset_of!(mote_socket, peer), &mapped);
    let event = on_socket(libc::SYS_accept, &socket.0, b"").event();
    assert_eq!(event.peer, Some(PEER));
    assert_eq!(event.local, Some(Endpoint::V6(Ipv6Addr::LOCALHOST, 40_000)));
}

/// In the place of a port they have the protocol, or the id of a ping.
#[test]
fn sockets_without_ports_have_no_ends() {
    let mut raw = Bytes(connected(TCP));
    raw.u16(offset_of!(mote_socket, socket_type), libc::SOCK_RAW as u16);
    for socket in [raw.0, connected(libc::IPPROTO_ICMP as u16)] {
        let event = on_socket(libc::SYS_sendto, &socket, &v4([192, 0, 2, 7], 5353)).event();
        assert_eq!(event.local, None);
        assert_eq!(event.peer, Some(Endpoint::V4([192, 0, 2, 7].into(), 0)));
    }
}

#[test]
fn a_record_without_its_socket_is_refused() {
    let (result, _) = call(MOTE_KIND_SOCKET, 0, libc::SYS_connect, b"short", b"").decode();
    assert_eq!(result, Err(Malformed::Length(5)));
    let (result, _) = call(MOTE_KIND_SOCKET, 0, libc::SYS_chdir, &unknown(), b"").decode();
    assert_eq!(result, Err(Malformed::Syscall(libc::SYS_chdir as i32)));
}
