//! A netlink socket that listens to the process connector.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with, sockopt,
};

use super::StartError;
use super::decode::ID;
use crate::limits::{CONNECTOR_DATAGRAM_BYTES, CONNECTOR_SOCKET_BYTES};

/// The kernel's end of every netlink socket.
const KERNEL: u32 = 0;
/// `CN_IDX_PROC` as a bit of the groups that a socket is in.
const GROUPS: u32 = 1 << (ID.0 - 1);
/// `PROC_CN_MCAST_LISTEN` (linux `include/uapi/linux/cn_proc.h`).
const LISTEN: u32 = 1;
/// `NLMSG_DONE`, which the connector does not look at.
const DONE: u16 = 3;

/// What was received.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A datagram of the kernel.
    Datagram(&'a [u8]),
    /// One of somebody else, who is not believed.
    Refused,
    /// The socket was full, or is: messages are missing.
    Overrun,
    /// There is no more for now.
    Nothing,
}

/// The socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    buffer: Box<[u8; CONNECTOR_DATAGRAM_BYTES]>,
}

impl Socket {
    /// Opens one, in the group of process events, and asks for them. `ack` names the request:
    /// the answer has it plus one.
    pub fn listen(ack: u32) -> Result<Socket, StartError> {
        let call = |what| move |errno: Errno| StartError::Call(what, errno.into());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(CONNECTOR))
            .map_err(|errno| match errno {
                // No such protocol, and no module that brings it.
                Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => StartError::NoConnector,
                errno => call("open a netlink socket")(errno),
            })?;
        // Past net.core.rmem_max with CAP_NET_ADMIN; without, what that allows.
        if sockopt::set_socket_recv_buffer_size_force(&fd, CONNECTOR_SOCKET_BYTES).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&fd, CONNECTOR_SOCKET_BYTES);
        }
        report_overruns_to_the_kernel(fd.as_fd())
            .map_err(|error| StartError::Call("set up a netlink socket", error))?;
        bind(&fd, &SocketAddrNetlink::new(0, GROUPS)).map_err(|errno| match errno {
            // Before 6.6 CAP_NET_ADMIN of the network namespace is needed (`netlink_bind`).
            Errno::PERM => StartError::Permission,
            errno => call("listen to the process connector")(errno),
        })?;
        let request = request(ack);
        sendto(&fd, &request, SendFlags::empty(), &SocketAddrNetlink::new(KERNEL, 0)).map_err(
            |errno| match errno {
                // No kernel's end is there.
                Errno::CONNREFUSED => StartError::NetNamespace,
                Errno::PERM => StartError::Permission,
                errno => call("ask the process connector for events")(errno),
            },
        )?;
        Ok(Socket { fd, buffer: Box::new([0; CONNECTOR_DATAGRAM_BYTES]) })
    }

    /// What comes next.
    pub fn receive(&mut self) -> io::Result<Received<'_>> {
        loop {
            // Without MSG_TRUNC a datagram that is too long would be read as a shorter one.
            return match recvfrom(&self.fd, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, length, sender)) => {
                    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
                    let of_kernel = sender.is_some_and(|sender| sender.pid() == KERNEL);
                    Ok(match self.buffer.get(..length) {
                        _ if !of_kernel => Received::Refused,
                        Some(datagram) => Received::Datagram(datagram),
                        // No event is so long; what it was is not known.
                        None => Received::Overrun,
                    })
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(Received::Nothing),
                Err(Errno::NOBUFS) => Ok(Received::Overrun),
                Err(errno) => Err(errno.into()),
            };
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// In the source from 6.6 on, a message that reaches nobody because every socket is full counts
/// as one to which nobody listens, and may make the kernel send no more (`send_msg` of linux
/// `drivers/connector/cn_proc.c`: `-ESRCH`). With this option it is told that there was a
/// socket, and that it was full (`do_one_broadcast` of `net/netlink/af_netlink.c`: `-ENOBUFS`).
/// It was never needed on the kernels tried (3.10, 6.12, 6.18, 7.2), and does no harm.
#[allow(unsafe_code)]
fn report_overruns_to_the_kernel(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads as many bytes of `on` as it is told that there are.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_BROADCAST_ERROR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A `struct nlmsghdr`, a `struct cn_msg` and what is asked for: all events.
///
/// Kernels from 6.6 on also take a set of kinds. What it leaves out is missing in the numbers
/// of the messages just like what is lost, and what nobody else wants counts as sent to nobody
/// (see above): so it is not used.
fn request(ack: u32) -> [u8; 40] {
    const CONNECTOR_BYTES: u16 = 20;
    const OPERATION_BYTES: u16 = 4;
    let mut bytes = [0; 40];
    let length = bytes.len() as u32;
    let mut put = |offset: usize, value: &[u8]| {
        bytes[offset..offset + value.len()].copy_from_slice(value);
    };
    const { assert!(16 + CONNECTOR_BYTES as usize + OPERATION_BYTES as usize == 40) };
    put(0, &length.to_ne_bytes());
    put(4, &DONE.to_ne_bytes());
    put(16, &ID.0.to_ne_bytes());
    put(20, &ID.1.to_ne_bytes());
    put(28, &ack.to_ne_bytes());
    put(32, &OPERATION_BYTES.to_ne_bytes());
    put(36, &LISTEN.to_ne_bytes());
    bytes
}
