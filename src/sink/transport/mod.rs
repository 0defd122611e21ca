//! One connection to a receiver, never blocking: what a write came to, and what is not
//! read yet.

mod inet;
mod stdout;
mod unix;

use super::target::Target;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
pub(super) use stdout::discards;

/// How much of what a receiver sends us is thrown away in one turn, in reads of
/// [`DISCARD_BYTES`]: a receiver that talks must not hold the loop.
const DISCARD_READS: usize = 64;

const DISCARD_BYTES: usize = 512;

/// What a write came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// So many bytes were taken; of a datagram all.
    Sent(usize),
    /// Nothing was taken: come back when the socket is writable, or, where the kernel
    /// gives no wake-up, after a while.
    Blocked { wakes: bool },
    /// A datagram that the kernel will never take.
    TooLarge,
    /// The write failed where there is nothing to connect again (a full disk).
    Failed(Errno),
    /// The connection is of no more use.
    Lost(Errno),
    /// The reader of the output is gone for good.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    UnixDatagram,
    UnixStream,
    Udp,
    Tcp,
    Output(stdout::Output),
}

/// An open socket or output.
pub(super) struct Socket {
    fd: OwnedFd,
    kind: Kind,
}

impl Socket {
    /// Connects, or begins to: [`Socket::connected`] tells.
    pub(super) fn connect(target: &Target) -> Result<Socket, Errno> {
        let (fd, kind) = match target {
            Target::Unix(path) => match unix::connect_datagram(path) {
                // A daemon that listens on a stream, as syslog-ng can.
                Err(Errno::PROTOTYPE) => (unix::connect_stream(path)?, Kind::UnixStream),
                result => (result?, Kind::UnixDatagram),
            },
            Target::Udp(address) => (inet::connect_udp(address)?, Kind::Udp),
            Target::Tcp(address) => (inet::connect_tcp(address)?, Kind::Tcp),
            Target::Stdout => return Socket::output(rustix::stdio::stdout()),
        };
        Ok(Socket { fd, kind })
    }

    /// The file that `fd` is open on, without changing the flags of its other users.
    pub(super) fn output(fd: BorrowedFd<'_>) -> Result<Socket, Errno> {
        let (fd, output) = stdout::open(fd)?;
        Ok(Socket { fd, kind: Kind::Output(output) })
    }

    /// Whether a connect has come to its end.
    pub(super) fn connected(&self) -> Result<bool, Errno> {
        if self.kind != Kind::Tcp {
            return Ok(true);
        }
        rustix::net::sockopt::socket_error(&self.fd)??;
        match rustix::net::getpeername(&self.fd) {
            Ok(_) => Ok(true),
            Err(Errno::NOTCONN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the receiver's end of the connection is told by readiness.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Tcp | Kind::UnixStream)
    }

    /// Whether this is the output, which has no other end to connect to again.
    pub(super) fn is_output(&self) -> bool {
        matches!(self.kind, Kind::Output(_))
    }

    /// Writes what is left of a framed message.
    pub(super) fn send(&self, bytes: &[u8]) -> Outcome {
        // NOSIGNAL: std ignores SIGPIPE, a test harness or an embedder may not.
        let send = |bytes| {
            rustix::io::retry_on_intr(|| {
                rustix::net::send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            })
        };
        match self.kind {
            Kind::UnixDatagram => {
                // The closing NUL is for streams.
                let datagram = bytes.strip_suffix(b"\0").unwrap_or(bytes);
                unix::datagram_outcome(send(datagram), bytes.len())
            }
            Kind::Udp => {
                let result = match send(bytes) {
                    // An ICMP answer to an earlier datagram; reporting it clears it
                    // (udp(7)), and this one was not sent.
                    Err(Errno::CONNREFUSED) => send(bytes),
                    result => result,
                };
                inet::datagram_outcome(result)
            }
            Kind::UnixStream | Kind::Tcp => match send(bytes) {
                Ok(sent) => Outcome::Sent(sent),
                Err(Errno::AGAIN) => Outcome::Blocked { wakes: true },
                Err(Errno::NOBUFS | Errno::NOMEM) => Outcome::Blocked { wakes: false },
                Err(error) => Outcome::Lost(error),
            },
            Kind::Output(output) => stdout::write(self.fd.as_fd(), output, bytes),
        }
    }

    /// Bytes of our messages that the receiver has not read; for TCP, that its kernel has
    /// not acknowledged. `None` where nobody knows.
    pub(super) fn unread_bytes(&self) -> Option<u64> {
        match self.kind {
            Kind::UnixDatagram | Kind::UnixStream | Kind::Tcp => unread_bytes(self.fd.as_fd()),
            Kind::Udp | Kind::Output(_) => None,
        }
    }

    /// Whether [`Socket::unread_bytes`] still tells the truth after the connection ended.
    /// A unix receiver that closes its socket frees what it has not read, which then
    /// counts as nothing; only a later send that succeeds proves that it was read.
    pub(super) fn unread_outlives_connection(&self) -> bool {
        self.kind == Kind::Tcp
    }

    /// Reads what a stream's receiver sent and throws it away: syslog has no answers.
    /// An error means that the connection ended.
    pub(super) fn discard_input(&self) -> Result<(), Errno> {
        let mut buffer = [0; DISCARD_BYTES];
        for _ in 0..DISCARD_READS {
            let received = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT)
            });
            match received {
                Ok((_, 0)) => return Err(Errno::CONNRESET),
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// `SIOCOUTQ`, which has the number of `TIOCOUTQ` (linux `include/uapi/linux/sockios.h`).
/// Unix sockets answer with `sk_wmem_alloc`: the buffers of unread messages, overhead
/// included (`net/unix/af_unix.c`, `unix_outq_len`); TCP with unacknowledged bytes
/// (`net/ipv4/tcp.c`, `tcp_ioctl`).
#[allow(unsafe_code)]
fn unread_bytes(fd: BorrowedFd<'_>) -> Option<u64> {
    use core::ffi::c_int;
    use rustix::ioctl::{Getter, Opcode, ioctl};
    const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;
    // SAFETY: SIOCOUTQ of both families writes one int (`put_user(amount, (int __user *)
    // arg)`) and reads nothing; the borrowed descriptor is open and a socket.
    let bytes = unsafe { ioctl(fd, Getter::<SIOCOUTQ, c_int>::new()) }.ok()?;
    u64::try_from(bytes).ok()
}
