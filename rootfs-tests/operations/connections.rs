//! connect(2), bind(2), listen(2) and accept(2): each address family, accepted, refused and
//! malformed.

use crate::call::{Case, Made, Returned, c, case, nothing, sys};
use crate::support::expect::{Row, text};
use libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, EADDRINUSE, EAGAIN, EBADF, ECONNREFUSED, EFAULT,
    EINVAL, ENOENT, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_STREAM,
};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub fn socket(family: i32, kind: i32) -> OwnedFd {
    sys!(SYS_socket, family, kind, 0).descriptor()
}

pub fn bind(socket: &OwnedFd, address: &[u8]) -> Returned {
    sys!(SYS_bind, socket.as_raw_fd(), address.as_ptr(), address.len())
}

fn connect(socket: &OwnedFd, address: &[u8]) -> Returned {
    sys!(SYS_connect, socket.as_raw_fd(), address.as_ptr(), address.len())
}

fn listen(socket: &OwnedFd) -> Returned {
    sys!(SYS_listen, socket.as_raw_fd(), 7)
}

/// Asks for the address, or does not: what is told is the same.
fn accept(socket: &OwnedFd) -> Returned {
    let (mut address, mut bytes) = ([0u8; 128], 128u32);
    sys!(SYS_accept, socket.as_raw_fd(), address.as_mut_ptr(), &mut bytes)
}

fn accept4(socket: &OwnedFd) -> Returned {
    sys!(SYS_accept4, socket.as_raw_fd(), std::ptr::null::<u8>(), std::ptr::null::<u8>(), 0)
}

/// `struct sockaddr_in` or `struct sockaddr_in6`.
pub fn internet(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            [&(AF_INET as u16).to_ne_bytes()[..], &port, &ip.octets(), &[0; 8]].concat()
        }
        IpAddr::V6(ip) => {
            let family = (AF_INET6 as u16).to_ne_bytes();
            [&family[..], &port, &[0; 4], &ip.octets(), &[0; 4]].concat()
        }
    }
}

/// `struct sockaddr_un`, as long as its name.
fn unix(name: &[u8]) -> Vec<u8> {
    [&(AF_UNIX as u16).to_ne_bytes()[..], name].concat()
}

/// What a socket is bound to.
pub fn name(socket: &OwnedFd) -> SocketAddr {
    rustix::net::getsockname(socket).unwrap().try_into().unwrap()
}

/// Adds one end of a connection.
pub fn end(row: Row, side: &str, end: SocketAddr) -> Row {
    row.with(&format!("{side}.ip"), end.ip().to_string())
        .with(&format!("{side}.port"), end.port())
        .with("network.type", if end.is_ipv4() { "ipv4" } else { "ipv6" })
}

/// The same with the text that both have, where that is compared.
fn whole_end(row: Row, side: &str, of: SocketAddr) -> Row {
    end(row, side, of).with(&format!("{side}.address"), of.ip().to_string())
}

/// One that is bound to a port that the kernel chooses, and its row.
pub fn bound(made: &mut Made, at: SocketAddr, kind: i32, transport: &str) -> OwnedFd {
    let family = if at.is_ipv4() { AF_INET } else { AF_INET6 };
    let socket = socket(family, kind);
    let row = bind(&socket, &internet(at)).event("bind", 0);
    let row = whole_end(row, "server", name(&socket)).with("network.transport", transport);
    made.rows.push(row);
    socket
}

/// Listens at an address, connects to it twice, accepts in both ways, and connects once more when
/// nobody listens any more.
fn tcp(made: &mut Made, at: SocketAddr) {
    let family = if at.is_ipv4() { AF_INET } else { AF_INET6 };
    let tcp = |row: Row| row.with("network.transport", "tcp");
    let listener = bound(made, at, SOCK_STREAM, "tcp");
    let server = name(&listener);
    let listening = listen(&listener).event("listen", 0).with("mote.backlog", 7);
    made.rows.push(tcp(end(listening, "server", server)));
    for accept in [accept, accept4] {
        let client = socket(family, SOCK_STREAM);
        let row = connect(&client, &internet(server)).event("connect", 0);
        let from = name(&client);
        made.rows.push(tcp(end(whole_end(row, "destination", server), "source", from)));
        let call = accept(&listener);
        drop(call.descriptor());
        let row = end(call.event("accept", 0), "source", from);
        made.rows.push(tcp(end(row, "destination", server)));
    }
    drop(listener);
    let refused = socket(family, SOCK_STREAM);
    let row = connect(&refused, &internet(server)).event("connect", ECONNREFUSED);
    made.rows.push(tcp(whole_end(row, "destination", server)));
}

pub fn has_ipv6() -> bool {
    std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn local(row: Row) -> Row {
    row.with("network.type", "unix")
}

/// One that listens, and its rows.
fn listening(made: &mut Made, address: &[u8], name: &str) -> OwnedFd {
    let listener = socket(AF_UNIX, SOCK_STREAM);
    let row = bind(&listener, &unix(address)).event("bind", 0);
    made.rows.push(local(row.with("server.address", name)));
    let row = listen(&listener).event("listen", 0).with("mote.backlog", 7);
    made.rows.push(local(row));
    listener
}

fn connected(call: Returned, errno: i32, name: &str) -> Row {
    local(call.event("connect", errno).with("destination.address", name))
}

pub const CASES: &[Case] = &[
    case!("TCP over IPv4", nothing, |_, m| tcp(m, LOOPBACK)),
    case!("IPv6: TCP", nothing, |_, m| tcp(m, (Ipv6Addr::LOCALHOST, 0).into())),
    case!("UDP", nothing, |_, m| {
        let socket = socket(AF_INET, SOCK_DGRAM);
        let discard = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let row = connect(&socket, &internet(discard)).event("connect", 0);
        let row = end(whole_end(row, "destination", discard), "source", name(&socket));
        m.rows.push(row.with("network.transport", "udp"));
    }),
    // The kernel makes it the loopback address.
    case!("an address that means another one", nothing, |_, m| {
        let socket = socket(AF_INET, SOCK_DGRAM);
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9));
        let row = connect(&socket, &internet(any)).event("connect", 0);
        let row = whole_end(row, "destination", (Ipv4Addr::LOCALHOST, 9).into());
        let row = end(row, "source", name(&socket)).with("network.transport", "udp");
        m.rows.push(row.with("mote.asked.ip", "0.0.0.0").with("mote.asked.port", 9));
    }),
    // What travels is IPv4.
    case!("IPv6: an address of IPv4", nothing, |_, m| {
        let mapped = IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let listener = socket(AF_INET6, SOCK_STREAM);
        let row = bind(&listener, &internet((mapped, 0).into())).event("bind", 0);
        let server = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), name(&listener).port());
        let tcp = |row: Row| row.with("network.transport", "tcp");
        m.rows.push(tcp(whole_end(row, "server", server)));
        let row = listen(&listener).event("listen", 0).with("mote.backlog", 7);
        m.rows.push(tcp(end(row, "server", server)));
        let client = socket(AF_INET6, SOCK_STREAM);
        let row = connect(&client, &internet((mapped, server.port()).into())).event("connect", 0);
        let from = SocketAddr::new(server.ip(), name(&client).port());
        m.rows.push(tcp(end(whole_end(row, "destination", server), "source", from)));
        let call = accept4(&listener);
        m.open.push(call.descriptor());
        let row = end(call.event("accept", 0), "source", from);
        m.rows.push(tcp(end(row, "destination", server)));
    }),
    case!("unix, absolute and relative", nothing, |p, m| {
        let path = p.path("s");
        let name = text(path.as_os_str().as_encoded_bytes());
        let listener = listening(m, b"s\0", &name);
        let by_path = socket(AF_UNIX, SOCK_STREAM);
        let call = connect(&by_path, &unix(c(&path).as_bytes_with_nul()));
        m.rows.push(connected(call, 0, &name));
        let by_name = socket(AF_UNIX, SOCK_STREAM);
        m.rows.push(connected(connect(&by_name, &unix(b"s\0")), 0, &name));
        // Which is not told.
        drop(accept4(&listener).descriptor());
        drop(listener);
        let late = socket(AF_UNIX, SOCK_STREAM);
        m.rows.push(connected(connect(&late, &unix(b"s\0")), ECONNREFUSED, &name));
    }),
    case!("unix, absent", nothing, |p, m| {
        let socket = socket(AF_UNIX, SOCK_DGRAM);
        let name = text(p.path("absent").as_os_str().as_encoded_bytes());
        m.rows.push(connected(connect(&socket, &unix(b"absent")), ENOENT, &name));
    }),
    case!("unix, abstract", nothing, |_, m| {
        let name = format!("mote-test-{}", std::process::id());
        let address = [b"\0", name.as_bytes()].concat();
        let _listener = listening(m, &address, &format!("@{name}"));
        let socket = socket(AF_UNIX, SOCK_STREAM);
        m.rows.push(connected(connect(&socket, &unix(&address)), 0, &format!("@{name}")));
    }),
    case!("cannot be", nothing, |_, m| {
        let stream = socket(AF_INET, SOCK_STREAM);
        let tcp = |row: Row| row.with("network.transport", "tcp");
        // A family without an address.
        let family = (AF_INET as u16).to_ne_bytes();
        for row in [
            connect(&stream, &family).event("connect", EINVAL),
            bind(&stream, &family).event("bind", EINVAL),
        ] {
            m.rows.push(tcp(row.with("mote.address_family", AF_INET)));
        }
        let call = sys!(SYS_connect, stream.as_raw_fd(), std::ptr::null::<u8>(), 16);
        let unread = json!(["address_unread"]);
        m.rows.push(tcp(call.event("connect", EFAULT).with("mote.flags", unread)));
        let discard = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let address = internet(discard);
        let call = sys!(SYS_connect, 4000, address.as_ptr(), address.len());
        m.rows.push(whole_end(call.event("connect", EBADF), "destination", discard));
        let call = sys!(SYS_listen, 4000, 7);
        m.rows.push(call.event("listen", EBADF).with("mote.backlog", 7));
        // It does not listen.
        m.rows.push(accept4(&stream).event("accept", EINVAL));
        let holder = bound(m, LOOPBACK, SOCK_STREAM, "tcp");
        let taken = name(&holder);
        drop(holder);
        let row = bind(&stream, &internet(taken)).event("bind", 0);
        m.rows.push(tcp(whole_end(row, "server", taken)));
        let second = socket(AF_INET, SOCK_STREAM);
        let row = bind(&second, &internet(taken)).event("bind", EADDRINUSE);
        m.rows.push(tcp(whole_end(row, "server", taken)));
    }),
    case!("not reported", nothing, |_, m| {
        // Nobody waits.
        let listener = bound(m, LOOPBACK, SOCK_STREAM | SOCK_NONBLOCK, "tcp");
        let row = listen(&listener).event("listen", 0).with("mote.backlog", 7);
        m.rows.push(end(row, "server", name(&listener)).with("network.transport", "tcp"));
        accept4(&listener).check(EAGAIN);
        // Questions to the kernel.
        let netlink = socket(AF_NETLINK, SOCK_RAW);
        let address = [&(AF_NETLINK as u16).to_ne_bytes()[..], &[0; 10]].concat();
        bind(&netlink, &address).check(0);
        connect(&netlink, &address).check(0);
    }),
];
