//! The local daemon's socket.

use super::Outcome;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::path::Path;

pub(super) fn connect_datagram(path: &Path) -> Result<OwnedFd, Errno> {
    connect(path, SocketType::DGRAM)
}

pub(super) fn connect_stream(path: &Path) -> Result<OwnedFd, Errno> {
    connect(path, SocketType::STREAM)
}

/// A unix connect does not linger: it succeeds, or fails at once (EAGAIN: the backlog of
/// a stream's listener is full).
fn connect(path: &Path, kind: SocketType) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&fd, &address)?;
    Ok(fd)
}

/// unix(7), and `unix_dgram_sendmsg` of linux `net/unix/af_unix.c`. Everything not named
/// (ECONNREFUSED, ENOTCONN, ECONNRESET, EPIPE …) means a receiver that is gone.
pub(super) fn datagram_outcome(result: Result<usize, Errno>, bytes: usize) -> Outcome {
    match result {
        Ok(_) => Outcome::Sent(bytes),
        // The receiver's queue or our send buffer is full; epoll tells of room in both.
        Err(Errno::AGAIN) => Outcome::Blocked { wakes: true },
        Err(Errno::NOBUFS | Errno::NOMEM) => Outcome::Blocked { wakes: false },
        Err(Errno::MSGSIZE) => Outcome::TooLarge,
        Err(error) => Outcome::Lost(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        for (error, outcome) in [
            (Errno::AGAIN, Outcome::Blocked { wakes: true }),
            (Errno::NOBUFS, Outcome::Blocked { wakes: false }),
            (Errno::MSGSIZE, Outcome::TooLarge),
            (Errno::CONNREFUSED, Outcome::Lost(Errno::CONNREFUSED)),
            (Errno::NOTCONN, Outcome::Lost(Errno::NOTCONN)),
            (Errno::CONNRESET, Outcome::Lost(Errno::CONNRESET)),
            (Errno::PIPE, Outcome::Lost(Errno::PIPE)),
        ] {
            assert_eq!(datagram_outcome(Err(error), 9), outcome);
        }
        assert_eq!(datagram_outcome(Ok(8), 9), Outcome::Sent(9));
    }
}
