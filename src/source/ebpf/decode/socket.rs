//! Calls on sockets.

use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::call::by_number;
use super::{Malformed, Record, entered_ns, put, until_nul};
use crate::event::{Action, Endpoint, Event, Flags, Given, Transport};
use crate::source::ebpf::abi::record::*;
use crate::syscalls::Effect;

/// Address families (linux `include/linux/socket.h`).
const AF_UNSPEC: u16 = 0;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Fills the event of such a call.
pub(super) fn socket(
    record: &Record,
    flags: u32,
    syscall: i32,
    event: &mut Event,
) -> Result<(), Malformed> {
    let call = by_number(syscall)?;
    let Effect::Report(action) = call.effect else { return Err(Malformed::Syscall(syscall)) };
    event.action = action;
    record.has(offset_of!(mote_call, data))?;
    event.dirfd = record.u32(offset_of!(mote_call, dirfd))? as i32;
    event.entered_ns = entered_ns(event, record.u32(offset_of!(mote_call, duration_us))?);
    let call_flags = record.u32(offset_of!(mote_call, call_flags))?;
    let value = record.u64(offset_of!(mote_call, value))?;
    let socket_bytes = record.u16(offset_of!(mote_call, from_bytes))?;
    let address_bytes = record.u16(offset_of!(mote_call, path_bytes))?;
    if usize::from(socket_bytes) != size_of::<mote_socket>() {
        return Err(Malformed::Length(socket_bytes.into()));
    }
    let data = offset_of!(mote_call, data);
    let socket = Socket::read(&Record(record.bytes(data, socket_bytes.into())?))?;
    let address = record.bytes(data + usize::from(socket_bytes), address_bytes.into())?;
    if event.flags.contains(Flags::PATH_UNREAD) {
        event.flags.remove(Flags::PATH_UNREAD);
        event.flags.insert(Flags::ADDRESS_UNREAD);
    }
    let has_address = flags & (MOTE_UNNAMED | MOTE_PATH_UNREAD) == 0;
    let asked = if has_address { endpoint(address, event)? } else { None };
    event.transport = socket.transport;
    // Who sends without ports may write anything in their place.
    let asked = if socket.has_ports { asked } else { asked.map(without_port) };
    let is_done = event.ret.is_some_and(|ret| ret >= 0);
    // A connect that goes on after it has returned.
    let is_begun = is_done
        || [libc::EINPROGRESS, libc::EINTR]
            .map(|errno| Some(-i64::from(errno)))
            .contains(&event.ret);
    match action {
        Action::Connect => {
            event.local = socket.local;
            // What a call that fails at once was refused for is not in the socket.
            event.peer = socket.peer.filter(|_| is_begun).or(asked).or(socket.other());
            if event.peer != asked {
                event.given = asked.map(Given::Asked);
            }
        }
        Action::Bind => event.local = socket.local.filter(|_| is_done).or(asked),
        Action::Listen => {
            event.local = socket.local.or(socket.other());
            event.given = Some(Given::Backlog(call_flags));
        }
        Action::Accept => {
            event.local = socket.local;
            event.peer = socket.peer.or(socket.other());
            if is_done && socket.family == AF_UNSPEC {
                event.flags.insert(Flags::ADDRESS_UNREAD);
            }
        }
        Action::Send => {
            event.local = socket.local;
            event.peer = match asked {
                // Of a connection the kernel does not look at an address, unless it is made by this.
                asked if socket.is_stream() => socket.peer.or(asked),
                Some(Endpoint::Other(AF_UNSPEC)) => socket.sent_unspecified(address).or(asked),
                asked => asked,
            };
            if call.name == "sendmmsg" {
                event.given = Some(Given::Messages(value as u32));
            } else if event.peer != asked {
                event.given = asked.map(Given::Asked);
            }
        }
        _ => return Err(Malformed::Syscall(syscall)),
    }
    Ok(())
}

/// `struct mote_socket`.
struct Socket {
    family: u16,
    kind: i32,
    transport: Option<Transport>,
    has_ports: bool,
    local: Option<Endpoint>,
    peer: Option<Endpoint>,
}

impl Socket {
    fn read(record: &Record) -> Result<Socket, Malformed> {
        let family = record.u16(offset_of!(mote_socket, family))?;
        let protocol = record.u16(offset_of!(mote_socket, protocol))?;
        let kind = i32::from(record.u16(offset_of!(mote_socket, socket_type))?);
        // Others have numbers of their own.
        let is_internet = matches!(family, AF_INET | AF_INET6);
        let transport = Transport::from_protocol(protocol).filter(|_| is_internet);
        // In the place of ports these have the protocol, or the id of a ping.
        let is_ping = matches!(transport, Some(Transport::Icmp | Transport::Icmpv6));
        let has_ports = !(is_internet && kind == libc::SOCK_RAW || is_ping);
        let end = |address: usize, port: u16| {
            Ok(match family {
                // Without a port it is not bound, or not connected.
                AF_INET | AF_INET6 if port == 0 || !has_ports => None,
                AF_INET => Some(Endpoint::V4(record.array::<4>(address)?.into(), port)),
                AF_INET6 => Some(canonical(record.array::<16>(address)?.into(), port)),
                _ => None,
            })
        };
        let local_port = record.u16(offset_of!(mote_socket, local_port))?;
        let peer_port = u16::from_be(record.u16(offset_of!(mote_socket, peer_port))?);
        Ok(Socket {
            family,
            kind,
            transport,
            has_ports,
            local: end(offset_of!(mote_socket, local), local_port)?,
            peer: end(offset_of!(mote_socket, peer), peer_port)?,
        })
    }

    fn is_stream(&self) -> bool {
        self.kind == libc::SOCK_STREAM
    }

    /// What is known of an end that has no internet address.
    fn other(&self) -> Option<Endpoint> {
        match self.family {
            AF_UNSPEC | AF_INET | AF_INET6 => None,
            AF_UNIX => Some(Endpoint::Unix),
            family => Some(Endpoint::Other(family)),
        }
    }

    /// Where something goes that is sent to an address without a family: see udp_sendmsg (linux
    /// `net/ipv4/udp.c`), udpv6_sendmsg (`net/ipv6/udp.c`), rawv6_sendmsg (`net/ipv6/raw.c`).
    fn sent_unspecified(&self, address: &[u8]) -> Option<Endpoint> {
        let address = Record(address);
        match (self.family, self.kind) {
            (AF_INET, libc::SOCK_RAW) => internet_v4(&address).map(without_port),
            (AF_INET, _) => internet_v4(&address),
            (AF_INET6, libc::SOCK_RAW) => internet_v6(&address).map(without_port),
            // Where it is connected to.
            (AF_INET6, _) => self.peer,
            _ => None,
        }
    }
}

fn without_port(end: Endpoint) -> Endpoint {
    match end {
        Endpoint::V4(ip, _) => Endpoint::V4(ip, 0),
        Endpoint::V6(ip, _) => Endpoint::V6(ip, 0),
        Endpoint::Unix | Endpoint::Other(_) => end,
    }
}

/// An address of IPv6; of IPv4, if it is one that is mapped: that is what travels.
fn canonical(ip: Ipv6Addr, port: u16) -> Endpoint {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Endpoint::V4(ip, port),
        IpAddr::V6(ip) => Endpoint::V6(ip, port),
    }
}

/// A `struct sockaddr` as the caller gave it. A unix socket's name goes to the event's `path`.
///
/// A caller may pass less than a whole address; the kernel then refuses it (EINVAL).
fn endpoint(address: &[u8], event: &mut Event) -> Result<Option<Endpoint>, Malformed> {
    let record = Record(address);
    let Ok(family) = record.u16(0) else {
        return Ok(None);
    };
    let other = Some(Endpoint::Other(family));
    Ok(match family {
        AF_INET => internet_v4(&record).or(other),
        AF_INET6 => internet_v6(&record).or(other),
        AF_UNIX => {
            let name = &address[2..];
            // An abstract name begins with NUL and has no end but the address's.
            put(&mut event.path, if name.first() == Some(&0) { name } else { until_nul(name) })?;
            Some(Endpoint::Unix)
        }
        _ => other,
    })
}

fn port(address: &Record) -> Result<u16, Malformed> {
    address.array::<2>(2).map(u16::from_be_bytes)
}

fn internet_v4(address: &Record) -> Option<Endpoint> {
    let (ip, port) = (address.array::<4>(4).ok()?, port(address).ok()?);
    Some(Endpoint::V4(Ipv4Addr::from(ip), port))
}

fn internet_v6(address: &Record) -> Option<Endpoint> {
    // flowinfo lies between port and address (linux include/uapi/linux/in6.h).
    let (ip, port) = (address.array::<16>(8).ok()?, port(address).ok()?);
    Some(canonical(ip.into(), port))
}
