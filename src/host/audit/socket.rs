//! Asks the kernel's audit.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, sendto, socket_with,
};

use super::wire::{self, Message};
use super::{Audit, AuditError};
use crate::limits::{AUDIT_DATAGRAM_BYTES, AUDIT_RULES};

/// The kernel's end of every netlink socket.
const KERNEL: u32 = 0;
/// How long one message may take, and an answer. The list is sent by a thread of the kernel
/// that has to be started (linux `kernel/auditfilter.c`, `audit_list_rules_send`).
const MESSAGE_TIME: Duration = Duration::from_secs(1);
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Asks for everything. Nothing is changed by that, and no daemon has to run.
pub fn read() -> Result<Audit, AuditError> {
    let socket = open()?;
    let mut status = None;
    ask(&socket, wire::GET, 1, |body| {
        status = Some(wire::status(body)?);
        Ok(Next::Nothing)
    })?;
    let mut rules = Vec::new();
    ask(&socket, wire::LIST_RULES, 2, |body| {
        if rules.len() == AUDIT_RULES {
            return Err(AuditError::TooMany);
        }
        rules.push(wire::rule(body)?);
        Ok(Next::Another)
    })?;
    Ok(Audit { status: status.ok_or(AuditError::Malformed("no status"))?, rules })
}

/// What comes after an answer.
#[derive(PartialEq, Eq)]
enum Next {
    /// It was all.
    Nothing,
    /// Another, or the word that there is none.
    Another,
}

fn call(what: &'static str) -> impl Fn(Errno) -> AuditError {
    move |errno| match errno {
        Errno::PERM | Errno::ACCESS => AuditError::Permission,
        Errno::CONNREFUSED => AuditError::Namespace,
        // No such protocol (linux `net/netlink/af_netlink.c`, `netlink_create`).
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => AuditError::Absent,
        Errno::AGAIN => AuditError::Timeout,
        errno => AuditError::Call(what, errno.into()),
    }
}

fn open() -> Result<OwnedFd, AuditError> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::AUDIT))
        .map_err(call("open a socket to the kernel's audit"))?;
    for direction in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(&socket, direction, Some(MESSAGE_TIME))
            .map_err(call("set up a socket to the kernel's audit"))?;
    }
    Ok(socket)
}

/// Hands out every answer to a question.
fn ask(
    socket: &OwnedFd,
    kind: u16,
    number: u32,
    mut each: impl FnMut(&[u8]) -> Result<Next, AuditError>,
) -> Result<(), AuditError> {
    let to = SocketAddrNetlink::new(KERNEL, 0);
    sendto(socket, &wire::request(kind, number), SendFlags::empty(), &to)
        .map_err(call("ask the kernel's audit"))?;
    let until = Instant::now() + ANSWER_TIME;
    let mut buffer = vec![0; AUDIT_DATAGRAM_BYTES];
    let mut next = Next::Another;
    while next == Next::Another {
        if Instant::now() >= until {
            return Err(AuditError::Timeout);
        }
        // Without MSG_TRUNC a datagram that is too long would be read as a shorter one.
        let received = recvfrom(socket, &mut buffer[..], RecvFlags::TRUNC);
        let (length, sender) = match received {
            Ok((_, length, sender)) => (length, sender),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(call("read what the kernel's audit answers")(errno)),
        };
        // Anybody may send to a netlink socket that may send to him.
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        if sender.is_none_or(|sender| sender.pid() != KERNEL) {
            continue;
        }
        let datagram = buffer.get(..length).ok_or(AuditError::Malformed("a message"))?;
        wire::messages(datagram, kind, number, |message| {
            match message {
                Message::Answer(body) => next = each(body)?,
                Message::Done => next = Next::Nothing,
                // An acknowledgement, which was not asked for.
                Message::Error(0) | Message::Other => {}
                // rustix panics at what is no error number.
                Message::Error(code @ -4095..=-1) => {
                    let errno = Errno::from_raw_os_error(-code);
                    return Err(call("ask the kernel's audit")(errno));
                }
                Message::Error(_) => return Err(AuditError::Malformed("an error number")),
            }
            Ok(())
        })?;
    }
    Ok(())
}
