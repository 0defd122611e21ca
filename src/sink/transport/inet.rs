//! Remote receivers over UDP and TCP.

use super::Outcome;
use core::net::SocketAddr;
use core::time::Duration;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// How long TCP waits for an acknowledgement before the connection counts as dead. The
/// kernel's own patience is a quarter of an hour (tcp(7), `tcp_retries2`).
const UNACKNOWLEDGED_MS: u32 = 30_000;

/// After how much silence a probe is sent. Middleboxes forget idle connections, often
/// after five minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// A connected socket, so that ICMP errors reach it and each send needs no address.
pub(super) fn connect_udp(address: &SocketAddr) -> Result<OwnedFd, Errno> {
    let fd = socket(address, SocketType::DGRAM)?;
    rustix::net::connect(&fd, address)?;
    Ok(fd)
}

/// A socket whose connect has begun.
pub(super) fn connect_tcp(address: &SocketAddr) -> Result<OwnedFd, Errno> {
    let fd = socket(address, SocketType::STREAM)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    sockopt::set_tcp_keepidle(&fd, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_user_timeout(&fd, UNACKNOWLEDGED_MS)?;
    // Batches are large and few; Nagle's algorithm would only hold back their ends.
    sockopt::set_tcp_nodelay(&fd, true)?;
    match rustix::net::connect(&fd, address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(fd),
        Err(error) => Err(error),
    }
}

fn socket(address: &SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// udp(7). What stays ECONNREFUSED after being reported once is a receiver that answers
/// faster than we send: wait a little. The rest (ENETUNREACH, EINVAL after an address of
/// ours went away …) may be cured by a new socket.
pub(super) fn datagram_outcome(result: Result<usize, Errno>) -> Outcome {
    match result {
        Ok(sent) => Outcome::Sent(sent),
        Err(Errno::AGAIN) => Outcome::Blocked { wakes: true },
        Err(Errno::NOBUFS | Errno::NOMEM | Errno::CONNREFUSED) => Outcome::Blocked { wakes: false },
        Err(Errno::MSGSIZE) => Outcome::TooLarge,
        Err(error) => Outcome::Lost(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_answer_is_not_the_end() {
        let refused = datagram_outcome(Err(Errno::CONNREFUSED));
        assert_eq!(refused, Outcome::Blocked { wakes: false });
        let unreachable = datagram_outcome(Err(Errno::NETUNREACH));
        assert_eq!(unreachable, Outcome::Lost(Errno::NETUNREACH));
    }
}
