//! connect(2): each address family, accepted, refused and malformed.

use crate::call::{Case, Made, Returned, c, case, nothing, sys};
use crate::support::expect::{Row, text};
use libc::{
    AF_INET, AF_INET6, AF_UNIX, EBADF, ECONNREFUSED, EFAULT, EINVAL, ENOENT, SOCK_DGRAM,
    SOCK_STREAM,
};
use serde_json::json;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

#[allow(unsafe_code)]
fn socket(family: i32, kind: i32) -> OwnedFd {
    let call = sys!(SYS_socket, family, kind, 0);
    call.check(0);
    // SAFETY: the kernel just opened it and nothing else has it.
    unsafe { OwnedFd::from_raw_fd(call.value as i32) }
}

fn connect(socket: &OwnedFd, address: &[u8]) -> Returned {
    sys!(SYS_connect, socket.as_raw_fd(), address.as_ptr(), address.len())
}

/// `struct sockaddr_in`.
fn v4(ip: Ipv4Addr, port: u16) -> Vec<u8> {
    [&(AF_INET as u16).to_ne_bytes()[..], &port.to_be_bytes(), &ip.octets(), &[0; 8]].concat()
}

/// `struct sockaddr_in6`.
fn v6(ip: Ipv6Addr, port: u16) -> Vec<u8> {
    let family = (AF_INET6 as u16).to_ne_bytes();
    [&family[..], &port.to_be_bytes(), &[0; 4], &ip.octets(), &[0; 4]].concat()
}

/// `struct sockaddr_un`, as long as its name.
fn unix(name: &[u8]) -> Vec<u8> {
    [&(AF_UNIX as u16).to_ne_bytes()[..], name].concat()
}

fn internet(row: Row, kind: &str, ip: &str, port: u16) -> Row {
    row.with("destination.ip", ip)
        .with("destination.address", ip)
        .with("destination.port", port)
        .with("network.type", kind)
}

/// The tracepoint that knows the protocol, sock:inet_sock_set_state, is there from 4.16 on.
fn tells_transport() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let tells = (numbers.next(), numbers.next()) >= (Some(4), Some(16));
    if !tells {
        println!("not on this kernel: sock:inet_sock_set_state, so no network.transport");
    }
    tells
}

/// Listens at `ip`, connects to it, and once more when nobody listens any more.
fn tcp(made: &mut Made, ip: std::net::IpAddr) {
    let listener = match TcpListener::bind((ip, 0)) {
        Ok(listener) => listener,
        // A kernel without IPv6 has nothing to report of it.
        Err(_) if ip.is_ipv6() => return,
        Err(error) => panic!("{ip}: {error}"),
    };
    let port = listener.local_addr().unwrap().port();
    let (family, kind, address) = match ip {
        std::net::IpAddr::V4(ip) => (AF_INET, "ipv4", v4(ip, port)),
        std::net::IpAddr::V6(ip) => (AF_INET6, "ipv6", v6(ip, port)),
    };
    let tells_transport = tells_transport();
    let expected = |call: Returned, errno| {
        let row = internet(call.event("connect", errno), kind, &ip.to_string(), port);
        if tells_transport { row.with("network.transport", "tcp") } else { row }
    };
    let accepted = socket(family, SOCK_STREAM);
    made.rows.push(expected(connect(&accepted, &address), 0));
    drop((listener, accepted));
    let refused = socket(family, SOCK_STREAM);
    made.rows.push(expected(connect(&refused, &address), ECONNREFUSED));
}

fn local(call: Returned, errno: i32, name: &str) -> Row {
    call.event("connect", errno).with("destination.address", name).with("network.type", "unix")
}

pub const CASES: &[Case] = &[
    case!("TCP over IPv4", nothing, |_, m| tcp(m, Ipv4Addr::LOCALHOST.into())),
    case!("TCP over IPv6", nothing, |_, m| tcp(m, Ipv6Addr::LOCALHOST.into())),
    // The tracepoint that knows the protocol fires for TCP only.
    case!("UDP", nothing, |_, m| {
        let socket = socket(AF_INET, SOCK_DGRAM);
        let call = connect(&socket, &v4(Ipv4Addr::LOCALHOST, 9));
        m.rows.push(internet(call.event("connect", 0), "ipv4", "127.0.0.1", 9));
    }),
    case!("unix, absolute and relative", nothing, |p, m| {
        let listener = UnixListener::bind("s").unwrap();
        let path = p.path("s");
        let name = text(path.as_os_str().as_encoded_bytes());
        let by_path = socket(AF_UNIX, SOCK_STREAM);
        let call = connect(&by_path, &unix(c(&path).as_bytes_with_nul()));
        m.rows.push(local(call, 0, &name));
        let by_name = socket(AF_UNIX, SOCK_STREAM);
        m.rows.push(local(connect(&by_name, &unix(b"s\0")), 0, &name));
        drop(listener);
        let late = socket(AF_UNIX, SOCK_STREAM);
        m.rows.push(local(connect(&late, &unix(b"s\0")), ECONNREFUSED, &name));
    }),
    case!("unix, absent", nothing, |p, m| {
        let socket = socket(AF_UNIX, SOCK_DGRAM);
        let name = text(p.path("absent").as_os_str().as_encoded_bytes());
        m.rows.push(local(connect(&socket, &unix(b"absent")), ENOENT, &name));
    }),
    case!("unix, abstract", nothing, |_, m| {
        let name = format!("mote-test-{}", std::process::id());
        let listener =
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let socket = socket(AF_UNIX, SOCK_STREAM);
        let address = unix(&[b"\0", name.as_bytes()].concat());
        m.rows.push(local(connect(&socket, &address), 0, &format!("@{name}")));
        drop(listener);
    }),
    case!("cannot be", nothing, |_, m| {
        let stream = socket(AF_INET, SOCK_STREAM);
        let call = connect(&stream, &(AF_INET as u16).to_ne_bytes());
        // A family without an address.
        m.rows.push(call.event("connect", EINVAL).with("mote.address_family", AF_INET));
        let call = sys!(SYS_connect, stream.as_raw_fd(), std::ptr::null::<u8>(), 16);
        let unread = json!(["address_unread"]);
        m.rows.push(call.event("connect", EFAULT).with("mote.flags", unread));
        let address = v4(Ipv4Addr::LOCALHOST, 9);
        let call = sys!(SYS_connect, 4000, address.as_ptr(), address.len());
        m.rows.push(internet(call.event("connect", EBADF), "ipv4", "127.0.0.1", 9));
    }),
];
