//! sendto(2), sendmsg(2) and sendmmsg(2): the first datagram to each address.

use crate::call::{Case, Made, Returned, case, nothing, own, sys};
use crate::connections::{LOOPBACK, bound, end, internet, name, socket};
use crate::support::expect::{Row, at};
use crate::support::{Sensor, child, decode, require_live, scratch};
use libc::{AF_INET, AF_UNIX, EBADF, EFAULT, EINVAL, ENOENT, SOCK_DGRAM, SOCK_STREAM};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

fn sendto(socket: &OwnedFd, address: &[u8]) -> Returned {
    let fd = socket.as_raw_fd();
    sys!(SYS_sendto, fd, b"x".as_ptr(), 1, 0, address.as_ptr(), address.len())
}

/// `struct msghdr` without data.
pub fn message(address: &[u8]) -> libc::msghdr {
    #[allow(unsafe_code)]
    // SAFETY: a C struct of integers and pointers, for which zero means none.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    if !address.is_empty() {
        message.msg_name = address.as_ptr().cast_mut().cast();
        message.msg_namelen = address.len() as u32;
    }
    message
}

fn sendmsg(socket: &OwnedFd, address: &[u8]) -> Returned {
    sys!(SYS_sendmsg, socket.as_raw_fd(), &message(address), 0)
}

fn sendmmsg(socket: &OwnedFd, addresses: &[&[u8]]) -> Returned {
    let messages: Vec<libc::mmsghdr> = addresses
        .iter()
        .map(|address| libc::mmsghdr { msg_hdr: message(address), msg_len: 0 })
        .collect();
    sys!(SYS_sendmmsg, socket.as_raw_fd(), messages.as_ptr(), messages.len(), 0)
}

/// A row of what `socket` sends there. Not bound to an address, it says so.
fn sent(call: Returned, errno: i32, socket: &OwnedFd, to: SocketAddr) -> Row {
    let row = end(call.event("send", errno), "destination", to);
    end(row, "source", name(socket)).with("network.transport", "udp")
}

/// Somebody to send to, whom no other case sends to.
fn receiver(made: &mut Made) -> (OwnedFd, SocketAddr) {
    let receiver = bound(made, LOOPBACK, SOCK_DGRAM, "udp");
    let address = name(&receiver);
    (receiver, address)
}

pub const CASES: &[Case] = &[
    case!("to an address, the first time", nothing, |_, m| {
        let [(_a, first), (_b, second), (_c, third)] = [receiver(m), receiver(m), receiver(m)];
        let socket = socket(AF_INET, SOCK_DGRAM);
        m.rows.push(sent(sendto(&socket, &internet(first)), 0, &socket, first));
        sendto(&socket, &internet(first)).check(0);
        sendmsg(&socket, &internet(first)).check(0);
        m.rows.push(sent(sendmsg(&socket, &internet(second)), 0, &socket, second));
        sendto(&socket, &internet(second)).check(0);
        let (_d, fourth) = receiver(m);
        let call = sendmmsg(&socket, &[&internet(first), &internet(third), &internet(fourth)]);
        let (name_, value) = (call.name, call.value);
        for to in [third, fourth] {
            let call = Returned { name: name_, value };
            m.rows.push(sent(call, 0, &socket, to).with("mote.messages", 3));
        }
        sendmmsg(&socket, &[&internet(third), &internet(fourth)]).check(0);
    }),
    // The program behind an exec is another one.
    case!("of a program after another", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let socket = socket(AF_INET, SOCK_DGRAM);
        sys!(SYS_bind, socket.as_raw_fd(), internet(LOOPBACK).as_ptr(), 16).check(0);
        let from = name(&socket);
        let row = own("bind").result(0).with("mote.syscall_name", "bind");
        let row = end(row, "server", from).with("server.address", from.ip().to_string());
        m.rows.push(row.with("network.transport", "udp"));
        let args = [SENDER.to_owned(), socket.as_raw_fd().to_string(), to.port().to_string()];
        let rows = |pid| {
            let row = Row::new("send", pid).result(1).with("mote.syscall_name", "sendto");
            let row = end(end(row, "destination", to), "source", from);
            let row = row.with("network.transport", "udp");
            let exec = Row::new("exec", pid).result(0).with("mote.syscall_name", "execve");
            let exec = exec.with("process.args", json!(args)).with("process.args_count", 3);
            vec![row.clone(), exec, row]
        };
        m.by_a_child(rows, || {
            sendto(&socket, &internet(to)).check(0);
            let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
            child::exec(&std::env::current_exe().unwrap(), &args);
        });
    }),
    // What fails, and what the kernel does not take for an address, hides nothing.
    case!("to an address, after failures", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let address = internet(to);
        let netlink = socket(libc::AF_NETLINK, libc::SOCK_RAW);
        let call = sendto(&netlink, &address);
        m.rows.push(end(call.event("send", EINVAL), "destination", to));
        let datagrams = socket(AF_INET, SOCK_DGRAM);
        m.rows.push(sent(sendto(&datagrams, &address[..8]), EINVAL, &datagrams, to));
        let call = sys!(SYS_sendto, 4000, b"x".as_ptr(), 1, 0, address.as_ptr(), address.len());
        // Failures to an address are told once too.
        call.check(EBADF);
        m.rows.push(sent(sendto(&datagrams, &address), 0, &datagrams, to));
    }),
    case!("IPv6: to an address", nothing, |_, m| {
        let receiver = bound(m, (Ipv6Addr::LOCALHOST, 0).into(), SOCK_DGRAM, "udp");
        let to = name(&receiver);
        let socket = socket(libc::AF_INET6, SOCK_DGRAM);
        m.rows.push(sent(sendto(&socket, &internet(to)), 0, &socket, to));
        sendto(&socket, &internet(to)).check(0);
        // The kernel does not look at the rest.
        let call = sys!(SYS_connect, socket.as_raw_fd(), internet(to).as_ptr(), 28);
        let row = call.event("connect", 0).with("destination.address", to.ip().to_string());
        let row = end(end(row, "destination", to), "source", name(&socket));
        m.rows.push(row.with("network.transport", "udp"));
        let mut address = internet((Ipv4Addr::new(192, 0, 2, 7), 9).into());
        address[..2].fill(0);
        m.rows.push(sent(sendto(&socket, &address), 0, &socket, to));
    }),
    // Nor at an address at all.
    case!("on a connection", nothing, |_, m| {
        let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
        let to = listener.local_addr().unwrap();
        let tcp = |row: Row| row.with("network.transport", "tcp");
        let listening = |row: Row| tcp(end(row, "server", to));
        let ip = to.ip().to_string();
        let row = own("bind").result(0).with("mote.syscall_name", "bind");
        m.rows.push(listening(row.with("server.address", ip.as_str())));
        let row = own("listen").result(0).with("mote.syscall_name", "listen");
        m.rows.push(listening(row.with("mote.backlog", 128)));
        let stream = socket(AF_INET, SOCK_STREAM);
        let call = sys!(SYS_connect, stream.as_raw_fd(), internet(to).as_ptr(), 16);
        let from = name(&stream);
        let row = end(end(call.event("connect", 0), "destination", to), "source", from);
        m.rows.push(tcp(row.with("destination.address", ip)));
        let call = sendto(&stream, &internet((Ipv4Addr::new(192, 0, 2, 9), 999).into()));
        let row = end(end(call.event("send", 0), "destination", to), "source", from);
        m.rows.push(tcp(row.with("mote.asked.ip", "192.0.2.9").with("mote.asked.port", 999)));
    }),
    // The kernel takes the family for that of IPv4.
    case!("to an address without a family", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let socket = socket(AF_INET, SOCK_DGRAM);
        let mut address = internet(to);
        address[..2].fill(0);
        m.rows.push(sent(sendto(&socket, &address), 0, &socket, to));
    }),
    case!("of a child", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let socket = socket(AF_INET, SOCK_DGRAM);
        m.rows.push(sent(sendto(&socket, &internet(to)), 0, &socket, to));
        let row = |pid| {
            let row = Row::new("send", pid).result(1).with("mote.syscall_name", "sendto");
            let row = end(end(row, "destination", to), "source", name(&socket));
            vec![row.with("network.transport", "udp")]
        };
        m.by_a_child(row, || sendto(&socket, &internet(to)).check(0));
    }),
    case!("cannot be", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let address = internet(to);
        let call = sys!(SYS_sendto, 4000, b"x".as_ptr(), 1, 0, address.as_ptr(), address.len());
        m.rows.push(end(call.event("send", EBADF), "destination", to));
        let datagrams = socket(AF_INET, SOCK_DGRAM);
        let udp = |row: Row| row.with("network.transport", "udp");
        let unread = || json!(["address_unread"]);
        let call = sys!(SYS_sendto, datagrams.as_raw_fd(), b"x".as_ptr(), 1, 0, 8, 16);
        m.rows.push(udp(call.event("send", EFAULT).with("mote.flags", unread())));
        let call = sys!(SYS_sendmsg, datagrams.as_raw_fd(), 8, 0);
        m.rows.push(udp(call.event("send", EFAULT).with("mote.flags", unread())));
        let call = sys!(SYS_sendmmsg, datagrams.as_raw_fd(), 8, 2, 0);
        let row = call.event("send", EFAULT).with("mote.flags", unread());
        m.rows.push(udp(row.with("mote.messages", 2)));
        // Nobody has port 0.
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        m.rows.push(sent(sendto(&datagrams, &internet(nobody)), EINVAL, &datagrams, nobody));
    }),
    case!("not reported", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        // To where it is connected.
        let connected = socket(AF_INET, SOCK_DGRAM);
        let address = internet(to);
        let call = sys!(SYS_connect, connected.as_raw_fd(), address.as_ptr(), address.len());
        let row = call.event("connect", 0).with("destination.address", to.ip().to_string());
        let row = end(end(row, "destination", to), "source", name(&connected));
        m.rows.push(row.with("network.transport", "udp"));
        let fd = connected.as_raw_fd();
        let none = std::ptr::null::<u8>();
        sys!(SYS_sendto, fd, b"x".as_ptr(), 1, 0, none, 0).check(0);
        sendmsg(&connected, b"").check(0);
        sendmmsg(&connected, &[b"", b""]).check(0);
        // Within this host.
        let unix = socket(AF_UNIX, SOCK_DGRAM);
        sendto(&unix, &[&(AF_UNIX as u16).to_ne_bytes()[..], b"absent\0"].concat()).check(ENOENT);
    }),
    // TCP Fast Open: a connection without connect(2).
    case!("a connection", nothing, |_, m| {
        let (_receiver, to) = receiver(m);
        let stream = socket(AF_INET, SOCK_STREAM);
        let address = internet(to);
        let fd = stream.as_raw_fd();
        let fast = libc::MSG_FASTOPEN;
        let call = sys!(SYS_sendto, fd, b"x".as_ptr(), 1, fast, address.as_ptr(), address.len());
        let refused = -call.value as i32;
        let row = end(call.event("send", refused), "destination", to);
        m.rows.push(row.with("network.transport", "tcp"));
    }),
];

/// What this program is called if it is only to send: to a port, on a socket that it inherits.
pub const SENDER: &str = "sender";

#[allow(unsafe_code)]
pub fn send_on(fd: i32, port: u16) -> ExitCode {
    // SAFETY: who executed this program left it open for this.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    sendto(&socket, &internet((Ipv4Addr::LOCALHOST, port).into())).check(0);
    ExitCode::SUCCESS
}

/// What is sent to the same address again is told again after a time that can be chosen, and not
/// before.
pub fn a_send_is_told_again_after_its_time() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--send-window", "3"]);
    let receiver = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let to = receiver.local_addr().unwrap();
    let socket = socket(AF_INET, SOCK_DGRAM);
    for pause_ms in [10, 3_100, 10] {
        sendto(&socket, &internet(to)).check(0);
        sleep(Duration::from_millis(pause_ms));
    }
    sendto(&socket, &internet(to)).check(0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let is_it = |event: &&Value| {
        at(event, "event.action") == "send" && at(event, "destination.port") == to.port()
    };
    assert_eq!(events.iter().filter(is_it).count(), 2);
}
