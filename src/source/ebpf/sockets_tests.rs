//! Sockets in kernel memory made by hand.

use super::*;
use crate::source::ebpf::peek::made::Made;

const BOUND: Bound = Bound { ip: Ipv4Addr::LOCALHOST, port: 40_000 };

/// A `struct file` that is a socket of this kind, and its `struct sock`.
fn socket(made: &mut Made, offsets: Offsets, kind: i32, protocol: i32) -> (u64, u64) {
    let (file, socket, sock) = (made.object(), made.object(), made.object());
    made.put(file + u64::from(offsets.private_data), socket);
    made.put_bytes(socket + 4, &(kind as u16).to_ne_bytes());
    made.put(socket + u64::from(offsets.file), file);
    made.put(socket + u64::from(offsets.file) + 8, sock);
    let Some(Protocol { offset, bytes }) = offsets.protocol else { return (file, sock) };
    let at = sock + u64::from(offset);
    made.put_bytes(at, &protocol.to_ne_bytes()[..bytes as usize]);
    // Behind it, or before it, as some kernels have it.
    let kind_at = if offset == TURNED { at - 2 } else { at + u64::from(bytes) };
    made.put_bytes(kind_at, &(kind as u16).to_ne_bytes());
    (file, sock)
}

/// The memory, the files of the three sockets that are looked for, and the first one's sock.
fn three(offsets: Offsets) -> (Made, [u64; 3], u64) {
    let mut made = Made::default();
    let udp = (libc::SOCK_DGRAM, libc::IPPROTO_UDP);
    let (v4, sock) = socket(&mut made, offsets, udp.0, udp.1);
    let (stream, _) = socket(&mut made, offsets, libc::SOCK_STREAM, libc::IPPROTO_TCP);
    let (v6, v6_sock) = socket(&mut made, offsets, udp.0, udp.1);
    made.put_bytes(sock + 4, &BOUND.ip.octets());
    made.put_bytes(sock + 14, &BOUND.port.to_ne_bytes());
    made.put_bytes(sock + 16, &(libc::AF_INET as u16).to_ne_bytes());
    if let Some(at) = offsets.v6 {
        let own = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
        made.put_bytes(v6_sock + u64::from(at) + 16, &own);
    }
    (made, [v4, stream, v6], sock)
}

/// A `sk_protocol` with its `sk_type` before it.
const TURNED: u32 = 518;

/// As 3.10 and 6.18 have them, and one between.
const LAYOUTS: [Offsets; 3] = [
    Offsets {
        private_data: 168,
        file: 24,
        protocol: Some(Protocol { offset: 313, bytes: 1 }),
        v6: Some(72),
    },
    Offsets {
        private_data: 32,
        file: 16,
        protocol: Some(Protocol { offset: 532, bytes: 2 }),
        v6: Some(56),
    },
    Offsets {
        private_data: 200,
        file: 16,
        protocol: Some(Protocol { offset: TURNED, bytes: 2 }),
        v6: Some(56),
    },
];

#[test]
fn every_layout_is_found() {
    for offsets in LAYOUTS {
        let (mut made, [v4, stream, v6], _) = three(offsets);
        assert_eq!(find(&mut made, BOUND, v4, stream, Some(v6)), Some(offsets));
        let without = Offsets { v6: None, ..offsets };
        assert_eq!(find(&mut made, BOUND, v4, stream, None), Some(without));
    }
}

#[test]
fn a_protocol_that_may_stand_in_two_places_is_not_known() {
    let (mut made, [v4, stream, v6], sock) = three(LAYOUTS[1]);
    let stream_socket = made_socket(&mut made, stream);
    let [_, stream_sock] = made.pointers(stream_socket + 16).unwrap();
    for (sock, kind, protocol) in [(sock, 2u16, 17u16), (stream_sock, 1, 6)] {
        made.put_bytes(sock + 600, &protocol.to_ne_bytes());
        made.put_bytes(sock + 602, &kind.to_ne_bytes());
    }
    let found = find(&mut made, BOUND, v4, stream, Some(v6)).unwrap();
    assert_eq!(found, Offsets { protocol: None, ..LAYOUTS[1] });
}

fn made_socket(made: &mut Made, file: u64) -> u64 {
    let [socket] = made.pointers(file + u64::from(LAYOUTS[1].private_data)).unwrap();
    socket
}

#[test]
fn sockets_that_are_otherwise_are_not_known() {
    let other_port = Bound { port: 40_001, ..BOUND };
    let other_ip = Bound { ip: Ipv4Addr::UNSPECIFIED, ..BOUND };
    for bound in [other_port, other_ip] {
        let (mut made, [v4, stream, v6], _) = three(LAYOUTS[0]);
        assert_eq!(find(&mut made, bound, v4, stream, Some(v6)), None);
    }
    // A pointer back to another file: no socket.
    let (mut made, [v4, stream, v6], _) = three(LAYOUTS[1]);
    let socket = made_socket(&mut made, v4);
    made.put(socket + 16, stream);
    assert_eq!(find(&mut made, BOUND, v4, stream, Some(v6)), None);
}
