//! Delivery to syslog: frames payloads, queues them, and writes as the receiver takes
//! them, never blocking the loop.
//!
//! What is promised: messages leave in the order they were offered; a full queue sheds
//! bulk before priority, oldest first, and counts it; a receiver on a unix socket that
//! restarts gets again what it is not known to have read. So a receiver may see a message
//! twice (the batches of the compact format are numbered). Where the queue was full, sent
//! messages gave up their place: if the receiver then ends and is not known to have read
//! them, they are counted too, so that what is counted is the most that can be missing.
//! A receiver misses a message silently only where its own host or the network loses what
//! was accepted: UDP by its nature, TCP what a dying receiver had acknowledged and not
//! read.
//!
//! System calls after the start: socket, connect, setsockopt, getsockopt, getpeername,
//! sendto, recvfrom, write, ioctl(SIOCOUTQ), poll, epoll_ctl, close.

mod account;
mod frame;
mod link;
mod queue;
mod target;
mod transport;

pub use account::{Lost, Shed};
pub use link::State;
pub use rustix::io::Errno;
pub use target::{Target, TargetError};

use crate::event::Class;
use crate::limits::{LINE_BYTES, QUEUE_MESSAGES};
use crate::say::Level;
use account::Load;
use core::fmt;
use frame::Framer;
use link::{Link, Poll};
use mio::event::Event;
use mio::{Registry, Token};
use queue::Queue;
use rustix::fd::BorrowedFd;
use std::time::Instant;
use syslog::Severity;
use transport::{Outcome, Socket};

/// Why there is no sink at all. An absent receiver is not a reason: see [`Sink::state`].
#[derive(Debug)]
pub enum SinkError {
    /// Standard output cannot be written to.
    Output(Errno),
    /// Standard output is /dev/null, which it also is if it was closed: std opens that in
    /// its place.
    Discarded,
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkError::Output(error) => write!(f, "standard output cannot be used ({error})"),
            SinkError::Discarded => {
                f.write_str("standard output is closed or /dev/null, where every record is lost")
            }
        }
    }
}

impl core::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SinkError::Output(error) => Some(error),
            SinkError::Discarded => None,
        }
    }
}

/// Room of the queue; [`Capacity::default`] is that of `limits`.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Messages that wait or may have to be sent again.
    pub messages: usize,
    /// Bytes of the longest one, with header.
    pub line_bytes: usize,
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity { messages: QUEUE_MESSAGES, line_bytes: LINE_BYTES }
    }
}

/// The end of the pipeline.
pub struct Sink {
    framer: Framer,
    log_framer: Option<Framer>,
    queue: Queue,
    link: Link,
    token: Token,
    refused: Lost,
    sent_messages: u64,
    sent_events: u64,
}

impl Sink {
    /// Takes all storage and begins to connect. `hostname` is for remote receivers.
    pub fn open(
        target: &Target,
        hostname: &str,
        registry: &Registry,
        token: Token,
    ) -> Result<Sink, SinkError> {
        Sink::with_capacity(target, hostname, registry, token, Capacity::default())
    }

    /// [`Sink::open`] with a queue of another size.
    pub fn with_capacity(
        target: &Target,
        hostname: &str,
        registry: &Registry,
        token: Token,
        capacity: Capacity,
    ) -> Result<Sink, SinkError> {
        if *target == Target::Stdout {
            return Sink::on_output(rustix::stdio::stdout(), registry, token, capacity);
        }
        let mut sink = Sink::unconnected(target, hostname, token, capacity);
        sink.tick(registry, Instant::now());
        Ok(sink)
    }

    /// A sink that writes lines to what `fd` is open on.
    pub fn on_output(
        fd: BorrowedFd<'_>,
        registry: &Registry,
        token: Token,
        capacity: Capacity,
    ) -> Result<Sink, SinkError> {
        if transport::discards(fd).map_err(SinkError::Output)? {
            return Err(SinkError::Discarded);
        }
        let socket = Socket::output(fd).map_err(SinkError::Output)?;
        let mut sink = Sink::unconnected(&Target::Stdout, "", token, capacity);
        sink.link.attach(socket, Poll(Some((registry, token))), Instant::now());
        match sink.link.state() {
            State::Down(error) => Err(SinkError::Output(error)),
            _ => Ok(sink),
        }
    }

    fn unconnected(target: &Target, hostname: &str, token: Token, capacity: Capacity) -> Sink {
        Sink {
            framer: Framer::new(target, hostname),
            log_framer: Framer::of_log(target, hostname),
            queue: Queue::new(capacity.messages, capacity.line_bytes),
            link: Link::new(target.clone(), Instant::now()),
            token,
            refused: Lost::default(),
            sent_messages: 0,
            sent_events: 0,
        }
    }

    /// The host has this name from now on, for remote receivers.
    pub fn set_hostname(&mut self, hostname: &str) {
        self.framer.set_hostname(hostname);
        if let Some(framer) = &mut self.log_framer {
            framer.set_hostname(hostname);
        }
    }

    /// Queues a payload that carries `events` events, and writes what can be written.
    /// `if_lost` is what is counted if it is lost: a loss record in it tells of more events
    /// than itself. The payload is a line of printable text: it is sent as it is.
    pub fn offer(&mut self, class: Class, events: u32, if_lost: u64, payload: &[u8]) {
        let load = Load::new(class, events, if_lost);
        if self.framer.push(&mut self.queue, load, Severity::LOG_INFO, payload).is_err() {
            self.refused.add(load.if_lost);
        }
        self.flush();
    }

    /// Queues a line of the sensor's own log. Nothing is counted if it finds no room: it is
    /// on standard error too.
    pub fn offer_log(&mut self, level: Level, line: &str) {
        let Some(framer) = &self.log_framer else { return };
        let severity = match level {
            Level::Error => Severity::LOG_ERR,
            Level::Warning => Severity::LOG_WARNING,
            Level::Info => Severity::LOG_INFO,
            Level::Debug => Severity::LOG_DEBUG,
        };
        // Events are worth more.
        if !self.queue.has_room() {
            return;
        }
        let load = Load::of_log();
        let _ = framer.push(&mut self.queue, load, severity, line.as_bytes());
        self.flush();
    }

    /// Acts on readiness of the sink's token.
    pub fn ready(&mut self, registry: &Registry, event: &Event) {
        let now = Instant::now();
        let ended = match self.link.socket() {
            Some(socket) if socket.is_stream() => socket.discard_input().err(),
            // EPOLLERR of a pipe: no reader (linux `fs/pipe.c`, `pipe_poll`).
            Some(socket) if socket.is_output() && (event.is_error() || event.is_write_closed()) => {
                self.link.close();
                None
            }
            _ => None,
        };
        match ended {
            Some(error) => self.lose(error, now),
            None => self.link.advance(Poll(Some((registry, self.token))), now),
        }
        self.flush();
    }

    /// Connects, gives up a connect, or tries a write again, if it is time.
    pub fn tick(&mut self, registry: &Registry, now: Instant) {
        if self.deadline().is_some_and(|at| now >= at) {
            self.link.advance(Poll(Some((registry, self.token))), now);
            self.flush();
        }
    }

    /// When [`Sink::tick`] is wanted next.
    pub fn deadline(&self) -> Option<Instant> {
        self.link.deadline()
    }

    /// Messages that wait. While there are any, batches had better fill up.
    pub fn backlog(&self) -> usize {
        self.queue.backlog()
    }

    /// What was lost here since the last call.
    pub fn take_shed(&mut self) -> Shed {
        Shed { queue: self.queue.take_shed(), refused: core::mem::take(&mut self.refused) }
    }

    /// Writes what waits, blocking until `until` at the latest. The last call to a sink:
    /// a connection made here is not registered with the loop.
    pub fn drain(&mut self, until: Instant) {
        self.link.hurry(Instant::now());
        loop {
            let now = Instant::now();
            self.link.advance(Poll(None), now);
            self.flush();
            if self.backlog() == 0 || self.is_closed() || now >= until {
                return;
            }
            self.link.wait(until, now);
        }
    }

    /// Messages that the kernel took, each counted once. One that was taken and then lost
    /// with its receiver is also in [`Sink::take_shed`].
    pub fn sent_messages(&self) -> u64 {
        self.sent_messages
    }

    /// Events of those messages.
    pub fn sent_events(&self) -> u64 {
        self.sent_events
    }

    /// How delivery stands, with the last error if it does not.
    pub fn state(&self) -> State {
        self.link.state()
    }

    /// Whether the reader of standard output is gone: time to end, with success.
    pub fn is_closed(&self) -> bool {
        self.link.state() == State::Closed
    }

    /// Writes until the queue is empty or the receiver takes no more.
    fn flush(&mut self) {
        while let Some(socket) = self.link.socket()
            && let Some((bytes, progress)) = self.queue.head()
        {
            let unread = socket.unread_bytes();
            match socket.send(&bytes[progress..]) {
                Outcome::Sent(sent) if progress + sent < bytes.len() => {
                    self.queue.advance(sent);
                    self.link.unblock();
                }
                Outcome::Sent(sent) => {
                    let weight = unread.map(|before| weight_bytes(socket, before, progress, sent));
                    // The receiver lived when it took this, so `unread` was not zero just
                    // because it had closed its socket.
                    if let Some(unread) = unread {
                        self.queue.confirm(own_unread(unread, progress));
                    }
                    if let Some(events) = self.queue.sent(weight) {
                        self.sent_messages += 1;
                        self.sent_events += u64::from(events);
                    }
                    self.link.unblock();
                }
                Outcome::Blocked { wakes } => return self.link.block(wakes, None, Instant::now()),
                Outcome::Failed(error) => {
                    return self.link.block(false, Some(error), Instant::now());
                }
                Outcome::TooLarge => {
                    if let Some(lost) = self.queue.refuse() {
                        self.refused.add(lost);
                    }
                }
                Outcome::Lost(error) => return self.lose(error, Instant::now()),
                Outcome::Closed => return self.link.close(),
            }
        }
    }

    fn lose(&mut self, error: Errno, now: Instant) {
        if let Some(socket) = self.link.socket()
            && socket.unread_outlives_connection()
            && let Some(unread) = socket.unread_bytes()
        {
            let progress = self.queue.head().map_or(0, |(_, progress)| progress);
            self.queue.confirm(own_unread(unread, progress));
        }
        self.queue.rewind();
        self.link.lose(error, now);
    }
}

/// Unread bytes without those of a message that a stream has taken in part.
fn own_unread(unread_bytes: u64, progress: usize) -> u64 {
    unread_bytes.saturating_sub(progress as u64)
}

/// A lower bound for what a message just sent adds to the unread bytes. Unix sockets
/// count their buffers, more than the payload: what the number grew by is closer, and
/// never too much, because reading only lowers it.
fn weight_bytes(socket: &Socket, unread_before: u64, progress: usize, sent: usize) -> u64 {
    let grown = socket.unread_bytes().map_or(0, |after| after.saturating_sub(unread_before));
    grown.max(sent as u64) + progress as u64
}
