//! Delivery to syslog: queues payloads, frames them, and writes as the receiver takes
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
//! read. Against that each can be sent twice, some seconds apart ([`Receiver::repeat`]).
//!
//! With a [`spool`] the queue is a window of what is on disk: nothing is shed before that is
//! full, and what a receiver had just taken when it ended is sent again.
//!
//! System calls after the start: socket, connect, setsockopt, getsockopt, getpeername,
//! sendto, recvfrom, write, ioctl(SIOCOUTQ), poll, epoll_ctl, close; with a spool openat, pread64,
//! pwrite64, ftruncate, unlinkat, renameat, getdents64, fcntl.

mod account;
mod error;
mod expand;
mod frame;
mod link;
mod outgoing;
mod queue;
mod receiver;
mod repeats;
mod send;
mod set;
mod shaper;
pub(crate) mod spool;
mod target;
mod transport;

pub use account::{Lost, Shed};
pub use error::SinkError;
pub use link::State;
pub use receiver::{Form, GivenReceiver, Receiver, ReceiverError};
pub use rustix::io::Errno;
pub use set::Sinks;
pub use spool::{Damage, SpoolError, SpoolOptions, spooled_for_others};
pub use target::{Target, TargetError};

use crate::event::Class;
use crate::limits::{LINE_BYTES, QUEUE_MESSAGES};
use crate::say::Level;
use account::Load;
pub(crate) use error::RAISE_FILE_SIZE;
use link::{Link, Poll};
use mio::event::Event;
use mio::{Registry, Token};
use outgoing::Outgoing;
use queue::Queue;
use repeats::Repeats;
use rustix::fd::BorrowedFd;
use shaper::Shaper;
use spool::{Kept, Spool};
use std::time::Instant;
use transport::Socket;

/// Room of the queue; [`Capacity::default`] is that of `limits`.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Messages that wait or may have to be sent again.
    pub messages: usize,
    /// Bytes of the longest one, with header.
    pub line_bytes: usize,
}

impl Capacity {
    /// Of so many messages of a sensor.
    pub fn of_messages(messages: usize) -> Capacity {
        Capacity { messages, line_bytes: LINE_BYTES }
    }
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity::of_messages(QUEUE_MESSAGES)
    }
}

/// The way to one receiver.
pub struct Sink {
    receiver: Receiver,
    queue: Queue,
    spool: Option<Spool>,
    /// `None`: each message goes once.
    repeats: Option<Repeats>,
    outgoing: Outgoing,
    link: Link,
    shaper: Shaper,
    token: Token,
    refused: Lost,
    sent_messages: u64,
    sent_events: u64,
}

impl Sink {
    /// Takes all storage and begins to connect. `hostname` is for remote receivers.
    pub fn open(
        receiver: &Receiver,
        hostname: &str,
        registry: &Registry,
        token: Token,
        spool: Option<&SpoolOptions>,
    ) -> Result<Sink, SinkError> {
        Sink::with_capacity(receiver, hostname, registry, token, spool, Capacity::default())
    }

    /// [`Sink::open`] with a queue of another size.
    pub fn with_capacity(
        receiver: &Receiver,
        hostname: &str,
        registry: &Registry,
        token: Token,
        spool: Option<&SpoolOptions>,
        capacity: Capacity,
    ) -> Result<Sink, SinkError> {
        let mut sink = Sink::unconnected(receiver, hostname, token, capacity);
        if receiver.target == Target::Stdout {
            sink.attach(rustix::stdio::stdout(), registry)?;
        }
        let now = Instant::now();
        sink.spool = spool.map(|options| Spool::new(options, &receiver.target.to_string(), now));
        sink.tick(registry, now);
        sink.flush();
        Ok(sink)
    }

    /// A sink that writes lines to what `fd` is open on.
    pub fn on_output(
        fd: BorrowedFd<'_>,
        registry: &Registry,
        token: Token,
        capacity: Capacity,
    ) -> Result<Sink, SinkError> {
        let mut sink = Sink::unconnected(&Target::Stdout.into(), "", token, capacity);
        sink.attach(fd, registry)?;
        Ok(sink)
    }

    fn attach(&mut self, fd: BorrowedFd<'_>, registry: &Registry) -> Result<(), SinkError> {
        if transport::discards(fd).map_err(SinkError::Output)? {
            return Err(SinkError::Discarded);
        }
        let socket = Socket::output(fd).map_err(SinkError::Output)?;
        self.link.attach(socket, Poll(Some((registry, self.token))), Instant::now());
        match self.link.state() {
            State::Down(error) => Err(SinkError::Output(error)),
            _ => Ok(()),
        }
    }

    fn unconnected(receiver: &Receiver, hostname: &str, token: Token, capacity: Capacity) -> Sink {
        let now = Instant::now();
        Sink {
            receiver: receiver.clone(),
            queue: Queue::new(capacity.messages, capacity.line_bytes),
            spool: None,
            repeats: receiver.repeat.map(Repeats::new),
            outgoing: Outgoing::new(receiver, hostname),
            link: Link::new(receiver.target.clone(), now),
            shaper: Shaper::new(receiver.rate, &receiver.target, now),
            token,
            refused: Lost::default(),
            sent_messages: 0,
            sent_events: 0,
        }
    }

    /// Whom it leads to.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The host has this name from now on, for remote receivers.
    pub fn set_hostname(&mut self, hostname: &str) {
        self.outgoing.set_hostname(hostname);
    }

    /// Queues a payload that carries `events` events, and writes what can be written.
    /// `if_lost` is what is counted if it is lost: a loss record in it tells of more events
    /// than itself. The payload is a line of printable text: to a receiver of records it is sent as
    /// it is.
    pub fn offer(&mut self, class: Class, events: u32, if_lost: u64, payload: &[u8]) {
        if self.receiver.class.is_some_and(|only| only != class) {
            return;
        }
        let mut load = Load::new(class, events, if_lost);
        let kept = match &mut self.spool {
            Some(spool) => spool.append(&mut load, payload),
            None => Kept::No,
        };
        match (kept, &mut self.spool) {
            (Kept::Spooled { is_next: true }, Some(spool)) if self.queue.has_window(class) => {
                // As it is in memory already.
                spool.skip_to_end(class);
                self.push(load, payload);
            }
            // It is taken out when there is room.
            (Kept::Spooled { .. } | Kept::Lost, _) => {}
            (Kept::No, _) => self.push(load, payload),
        }
        self.flush();
    }

    fn push(&mut self, load: Load, payload: &[u8]) {
        if self.queue.push(load, payload).is_err() {
            self.refused.add(load.if_lost);
        }
    }

    /// Queues a line of the sensor's own log. Nothing is counted if it finds no room: it is
    /// on standard error too.
    pub fn offer_log(&mut self, level: Level, line: &str) {
        // Events are worth more.
        if self.outgoing.takes_log() && self.queue.has_room() {
            let _ = self.queue.push(Load::of_log(level), line.as_bytes());
            self.flush();
        }
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
        let is_opened = self.spool.as_mut().is_some_and(|spool| spool.tick(now));
        // What is not in it any more can give way to others.
        if is_opened || self.spool.as_ref().is_some_and(Spool::is_closed) {
            self.queue.forget_places();
        }
        if is_opened || self.deadline().is_some_and(|at| now >= at) {
            self.link.advance(Poll(Some((registry, self.token))), now);
            self.flush();
        }
    }

    /// When [`Sink::tick`] is wanted next.
    pub fn deadline(&self) -> Option<Instant> {
        let shaped = self.link.is_open() && self.queue.backlog() > 0;
        // With a backlog they go when that does.
        let repeats = self.repeats.as_ref().filter(|_| self.link.is_open() && !shaped);
        let repeated =
            repeats.and_then(Repeats::deadline).map(|at| at.max(self.shaper.next_spare()));
        let shaped = shaped.then(|| self.shaper.next());
        self.link.deadline().into_iter().chain(shaped).chain(repeated).min()
    }

    /// Messages that wait. While there are any, batches had better fill up.
    pub fn backlog(&self) -> usize {
        self.queue.backlog()
    }

    /// Messages that wait and are lost with the process.
    pub fn unkept(&self) -> usize {
        self.queue.unkept(|load| self.spool.as_ref().is_some_and(|spool| spool.keeps(load)))
    }

    /// What keeps messages from being kept on disk, if they are to be.
    pub fn spool_error(&self) -> Option<&SpoolError> {
        self.spool.as_ref()?.error()
    }

    /// What could not be read of what is on disk, since the start.
    pub fn spool_damage(&self) -> Damage {
        self.spool.as_ref().map_or(Damage::default(), Spool::damage)
    }

    /// Bytes on disk that are not sent. `None`: nothing is kept there.
    pub fn spooled_bytes(&self) -> Option<u64> {
        let spool = self.spool.as_ref()?;
        Some(spool.waiting_bytes() + self.queue.spooled_bytes(|load| spool.keeps(load)))
    }

    /// Bytes on disk of what the receiver is not known to have. `None`: nothing is kept there.
    pub fn kept_bytes(&self) -> Option<u64> {
        Some(self.spool.as_ref()?.kept_bytes())
    }

    /// Whether messages outlive the process.
    pub fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// What was lost here since the last call.
    pub fn take_shed(&mut self) -> Shed {
        Shed {
            queue: self.queue.take_shed(),
            refused: core::mem::take(&mut self.refused),
            spool: self.spool.as_mut().map_or(Lost::default(), Spool::take_lost),
        }
    }

    /// Writes what waits, blocking until `until` at the latest. What would be lost with the process
    /// goes whatever the receiver's limit is; what is on disk can wait for the next start.
    /// Only at the end: a connection made here is not registered with the loop.
    pub fn drain(&mut self, until: Instant) {
        self.link.hurry(Instant::now());
        if self.unkept() > 0 {
            self.shaper.lift();
        }
        self.write_until(until, |sink| sink.backlog() == 0);
        // A receiver that lives and has read all needs none of it again at the next start.
        if self.spool.is_some()
            && self.link.state() == State::Ready
            && let Some(unread) = self.link.socket().and_then(Socket::unread_bytes)
        {
            self.queue.confirm(unread.saturating_sub(self.outgoing.begun_bytes()));
            self.note_delivered();
        }
    }

    /// Sends at once what is to be sent a second time, behind all [`Sink::drain`]s, where the receiver is
    /// there and has no limit. Blocking until `until` at the latest.
    pub fn drain_repeats(&mut self, until: Instant) {
        if self.shaper.is_limited() || self.shaper.is_lifted() {
            return;
        }
        if let Some(repeats) = &mut self.repeats {
            repeats.hurry();
            self.write_until(until, |sink| {
                sink.link.socket().is_none() || sink.repeats.as_ref().is_none_or(Repeats::is_empty)
            });
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
}
