//! The connection over time: up, coming up, or to be tried again.

use super::error::RAISE_FILE_SIZE;
use super::target::Target;
use super::transport::Socket;
use core::fmt;
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::Errno;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// Wait after the first failure: long enough for a daemon to close and open its socket.
const RETRY_FIRST: Duration = Duration::from_millis(100);

/// Longest wait. A connection that lasted this long begins again with the first one.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How long a TCP connect may take: the kernel's own limit is minutes, and its SYNs are
/// then a minute apart.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// When a write is tried again for which no wake-up comes (ENOBUFS), or for which it may
/// be missed (kernels before 4.4 do not tell a unix sender of room in a shared receiver).
const BLOCKED_RETRY: Duration = Duration::from_millis(100);

/// How delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Connected, as far as a sender can know.
    Ready,
    /// A TCP connect is under way.
    Connecting,
    /// The last attempt failed with this; another follows.
    Down(Errno),
    /// The reader of the output is gone.
    Closed,
}

impl State {
    /// What to do about a receiver that is down: an order.
    pub fn remedy(self) -> &'static str {
        match self {
            State::Down(Errno::FBIG) => RAISE_FILE_SIZE,
            _ => "start the syslog daemon, or look at the way to it",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Ready => f.write_str("connected"),
            State::Connecting => f.write_str("connecting"),
            State::Down(error) => write!(f, "{error}"),
            State::Closed => f.write_str("the reader is gone"),
        }
    }
}

enum Connection {
    Down { retry_at: Instant },
    Connecting { socket: Socket, until: Instant },
    Up { socket: Socket, since: Instant, blocked: Option<Blocked> },
    Closed,
}

#[derive(Clone, Copy)]
struct Blocked {
    retry_at: Option<Instant>,
    /// Readiness will tell.
    wakes: bool,
}

pub(super) struct Link {
    target: Target,
    connection: Connection,
    /// The next wait.
    delay: Duration,
    error: Option<Errno>,
}

impl Link {
    pub(super) fn new(target: Target, now: Instant) -> Link {
        let connection = Connection::Down { retry_at: now };
        Link { target, connection, delay: RETRY_FIRST, error: None }
    }

    /// Takes an output in place of a connection.
    pub(super) fn attach(&mut self, socket: Socket, poll: Poll<'_>, now: Instant) {
        if let Err(error) = poll.add(&socket) {
            self.lose(error, now);
            return;
        }
        self.up(socket, now);
    }

    pub(super) fn state(&self) -> State {
        match (&self.connection, self.error) {
            (Connection::Closed, _) => State::Closed,
            (Connection::Connecting { .. }, _) => State::Connecting,
            (_, Some(error)) => State::Down(error),
            (Connection::Up { .. }, None) => State::Ready,
            (Connection::Down { .. }, None) => State::Connecting,
        }
    }

    /// The connection, if it is up.
    pub(super) fn socket(&self) -> Option<&Socket> {
        match &self.connection {
            Connection::Up { socket, .. } => Some(socket),
            _ => None,
        }
    }

    /// Whether a write may be tried: the connection is up, and nothing is waited for.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.connection, Connection::Up { blocked: None, .. })
    }

    /// When [`Link::advance`] is wanted without readiness.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.connection {
            Connection::Down { retry_at } => Some(*retry_at),
            Connection::Connecting { until, .. } => Some(*until),
            Connection::Up { blocked, .. } => blocked.and_then(|blocked| blocked.retry_at),
            Connection::Closed => None,
        }
    }

    /// Connects if it is time, and looks how a connect stands.
    pub(super) fn advance(&mut self, poll: Poll<'_>, now: Instant) {
        if let Connection::Down { retry_at } = self.connection
            && now >= retry_at
        {
            match Socket::connect(&self.target)
                .and_then(|socket| poll.add(&socket).map(|()| socket))
            {
                Ok(socket) => {
                    let until = now + CONNECT_TIMEOUT;
                    self.connection = Connection::Connecting { socket, until };
                }
                Err(error) => self.lose(error, now),
            }
        }
        if let Connection::Connecting { socket, until } = &self.connection {
            match socket.connected() {
                Ok(true) => self.connecting_is_up(now),
                Ok(false) if now >= *until => self.lose(Errno::TIMEDOUT, now),
                Ok(false) => {}
                Err(error) => self.lose(error, now),
            }
        }
    }

    fn connecting_is_up(&mut self, now: Instant) {
        let taken = core::mem::replace(&mut self.connection, Connection::Closed);
        match taken {
            Connection::Connecting { socket, .. } => self.up(socket, now),
            other => self.connection = other,
        }
    }

    fn up(&mut self, socket: Socket, now: Instant) {
        self.connection = Connection::Up { socket, since: now, blocked: None };
        self.error = None;
    }

    /// There is little time left: the next attempt is now, and others follow it closely.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.delay = RETRY_FIRST;
        if let Connection::Down { retry_at } = &mut self.connection {
            *retry_at = now;
        }
    }

    /// Drops the connection, which also takes it out of epoll, and plans the next.
    pub(super) fn lose(&mut self, error: Errno, now: Instant) {
        if let Connection::Up { since, .. } = self.connection
            && now.saturating_duration_since(since) >= RETRY_MAX
        {
            self.delay = RETRY_FIRST;
        }
        self.connection = Connection::Down { retry_at: now + self.jittered() };
        self.delay = (self.delay * 2).min(RETRY_MAX);
        self.error = Some(error);
    }

    /// From half of the wait to all of it, so that many sensors do not come back at once to a
    /// receiver that all of them lost.
    fn jittered(&self) -> Duration {
        let random = RandomState::new().hash_one(());
        self.delay / 2 + (self.delay / 2).mul_f64(random as f64 / u64::MAX as f64)
    }

    /// The output has no reader any more.
    pub(super) fn close(&mut self) {
        self.connection = Connection::Closed;
    }

    /// A write went through.
    pub(super) fn unblock(&mut self) {
        if let Connection::Up { blocked, .. } = &mut self.connection {
            *blocked = None;
        }
        self.error = None;
    }

    /// A write has to wait; `error` if it failed in a way that a user should know.
    pub(super) fn block(&mut self, wakes: bool, error: Option<Errno>, now: Instant) {
        if let Connection::Up { blocked, socket, .. } = &mut self.connection {
            let retry_at = (!wakes || !socket.is_stream()).then(|| now + BLOCKED_RETRY);
            *blocked = Some(Blocked { retry_at, wakes });
            self.error = error;
        }
    }

    /// Sleeps until a write may go on, `until` at the latest. For the shutdown only: the
    /// loop has its own epoll.
    pub(super) fn wait(&self, until: Instant, now: Instant) {
        let wake = self.deadline().map_or(until, |at| at.min(until));
        let left = wake.saturating_duration_since(now).max(Duration::from_millis(1));
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let socket = match &self.connection {
            Connection::Connecting { socket, .. } => Some(socket),
            Connection::Up { socket, blocked: Some(Blocked { wakes: true, .. }), .. } => {
                Some(socket)
            }
            _ => None,
        };
        // An interrupted or failed poll is a shorter wait: the caller looks again.
        let _ = match socket {
            Some(socket) => {
                let fd = PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT);
                poll(&mut [fd], Some(&timeout))
            }
            None => poll(&mut [], Some(&timeout)),
        };
    }
}

/// Where a new connection is registered; nowhere while shutting down.
#[derive(Clone, Copy)]
pub(super) struct Poll<'a>(pub(super) Option<(&'a Registry, Token)>);

impl Poll<'_> {
    fn add(self, socket: &Socket) -> Result<(), Errno> {
        let Some((registry, token)) = self.0 else {
            return Ok(());
        };
        let interest = if socket.is_stream() {
            // Readable: a receiver that closes.
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::WRITABLE
        };
        match registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest) {
            Ok(()) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Regular files and some devices cannot be polled; they are always ready
                // (epoll_ctl(2), EPERM).
                Some(libc::EPERM) if socket.is_output() => Ok(()),
                code => Err(code.map_or(Errno::IO, Errno::from_raw_os_error)),
            },
        }
    }
}
