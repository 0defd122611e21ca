//! The sensor's end of the control socket: never blocks, and holds no more than its limits.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::socket_peercred;

use super::listener::Listener;
pub use super::listener::{BindError, LOCK};
use super::{Reply, Request};
use crate::claim::SoleDirectory;
use crate::exit;
use crate::limits::{CONTROL_CLIENTS, CONTROL_REQUEST_BYTES};

/// The listener's token; those of clients follow it.
pub const FIRST_TOKEN: usize = 16;

/// How long a client may take to write its request, and to read its reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many are accepted in a turn: a flood of connections waits in the listener's queue.
const ACCEPTS_PER_TURN: usize = 8;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId {
    slot: usize,
    /// Tells clients that had the same slot apart.
    serial: u64,
}

/// A request, and by whom.
#[derive(Debug)]
pub struct Asked {
    /// To be given to [`Server::reply`].
    pub client: ClientId,
    /// The client's process, as the kernel says.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What it wants.
    pub request: Request,
}

/// Where a client is with its request.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// It writes.
    Asks,
    /// The sensor works on it.
    Waits,
    /// It reads.
    Reads,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    serial: u64,
    pid: u32,
    uid: u32,
    gid: u32,
    phase: Phase,
    /// Of the request, then of the reply what is still to be written.
    bytes: Vec<u8>,
    written: usize,
    /// Whether more requests follow on this connection.
    stays: bool,
    until: Instant,
}

/// The listener and its clients.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    clients: [Option<Client>; CONTROL_CLIENTS],
    serial: u64,
    /// The listener's queue may not be empty, and epoll tells of it once.
    may_accept: bool,
}

impl Server {
    /// One that is to be reached in this directory. Nobody listens yet.
    pub fn new(directory: &Path) -> Server {
        Server {
            listener: Listener::new(directory, Token(FIRST_TOKEN)),
            clients: [const { None }; CONTROL_CLIENTS],
            serial: 0,
            may_accept: false,
        }
    }

    /// The directory, which is one sensor's at a time.
    pub fn directory(&mut self) -> &mut SoleDirectory {
        &mut self.listener.directory
    }

    /// Makes the directory and the socket in it, unless they are there and this sensor's. Clients stay.
    pub fn listen(&mut self, registry: &Registry) -> Result<(), BindError> {
        if !self.listener.is_there() {
            // Who has found it before waits for a turn in the queue of the one that was there.
            self.may_accept = true;
            self.accept(registry);
            if self.may_accept {
                return Ok(());
            }
        }
        self.listener.listen(registry)
    }

    /// Leaves the directory to the next sensor.
    pub fn leave(&mut self) {
        self.clients = [const { None }; CONTROL_CLIENTS];
        self.listener.leave();
    }

    /// Whether an event is this module's.
    pub fn has(token: Token) -> bool {
        (FIRST_TOKEN..=FIRST_TOKEN + CONTROL_CLIENTS).contains(&token.0)
    }

    /// Acts on readiness. A whole request is handed out.
    pub fn ready(&mut self, registry: &Registry, token: Token) -> Option<Asked> {
        if token.0 == FIRST_TOKEN {
            self.may_accept = true;
            self.accept(registry);
            return None;
        }
        let slot = token.0 - FIRST_TOKEN - 1;
        let client = self.clients.get_mut(slot)?.as_mut()?;
        match client.advance() {
            Ok(request) => request.map(|request| Asked {
                client: ClientId { slot, serial: client.serial },
                pid: client.pid,
                uid: client.uid,
                gid: client.gid,
                request,
            }),
            Err(Ended) => {
                self.close(registry, slot);
                None
            }
        }
    }

    /// Accepts whom there is room for, and ends whoever takes too long.
    pub fn tick(&mut self, registry: &Registry, now: Instant) {
        for slot in 0..self.clients.len() {
            if let Some(client) = &self.clients[slot]
                && client.phase != Phase::Waits
                && now >= client.until
            {
                self.close(registry, slot);
            }
        }
        self.accept(registry);
    }

    /// Answers. `stays`: further requests of the same client are expected.
    pub fn reply(&mut self, registry: &Registry, to: ClientId, reply: &Reply, stays: bool) {
        let Some(client) = self.clients[to.slot].as_mut().filter(|c| c.serial == to.serial) else {
            return;
        };
        client.answer(reply, stays);
        if let Err(Ended) = client.write() {
            self.close(registry, to.slot);
        }
    }

    /// Whether it is still there.
    pub fn is_connected(&self, client: ClientId) -> bool {
        self.clients[client.slot].as_ref().is_some_and(|found| found.serial == client.serial)
    }

    fn accept(&mut self, registry: &Registry) {
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.may_accept {
                return;
            }
            // The others wait in the listener's queue, which is as long as it is.
            let Some(slot) = self.clients.iter().position(Option::is_none) else { return };
            match self.listener.accept() {
                Ok(stream) => {
                    self.serial += 1;
                    self.clients[slot] = Client::greet(stream, self.serial, registry, slot);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.may_accept = false,
                // No descriptors, perhaps: it is tried again in the next turn.
                Err(_) => return,
            }
        }
    }

    fn close(&mut self, registry: &Registry, slot: usize) {
        if let Some(mut client) = self.clients[slot].take() {
            let _ = registry.deregister(&mut client.stream);
        }
    }
}

/// The connection is over.
struct Ended;

impl Client {
    fn greet(
        mut stream: UnixStream,
        serial: u64,
        registry: &Registry,
        slot: usize,
    ) -> Option<Client> {
        let peer = socket_peercred(&stream).ok()?;
        if !super::is_trusted(peer.uid) {
            return None;
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(FIRST_TOKEN + 1 + slot), interest).ok()?;
        Some(Client {
            stream,
            serial,
            pid: peer.pid.as_raw_nonzero().get() as u32,
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
            phase: Phase::Asks,
            bytes: Vec::new(),
            written: 0,
            stays: false,
            until: Instant::now() + PATIENCE,
        })
    }

    /// Reads or writes what is possible.
    fn advance(&mut self) -> Result<Option<Request>, Ended> {
        if self.phase == Phase::Reads {
            self.write()?;
        }
        if self.phase == Phase::Reads {
            return Ok(None);
        }
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Ended),
                // Who waits for a reply has nothing to say.
                Ok(_) if self.phase == Phase::Waits => return Err(Ended),
                Ok(bytes) => {
                    self.bytes.extend_from_slice(&chunk[..bytes]);
                    if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                        return self.parse(end);
                    }
                    if self.bytes.len() > CONTROL_REQUEST_BYTES {
                        return self.refuse(format!(
                            "the request has more than {CONTROL_REQUEST_BYTES} bytes without the \
                             end of a line"
                        ));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Ended),
            }
        }
    }

    fn parse(&mut self, end: usize) -> Result<Option<Request>, Ended> {
        match serde_json::from_slice(&self.bytes[..end]) {
            Ok(request) => {
                self.bytes.clear();
                self.phase = Phase::Waits;
                // Readiness is told once: whoever is gone already would not be noticed.
                match self.stream.read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(request)),
                    _ => Err(Ended),
                }
            }
            Err(error) => self.refuse(format!(
                "the sensor does not understand the request ({error}); it and the command have to \
                 be of the same version: start the sensor again after an update"
            )),
        }
    }

    fn refuse(&mut self, message: String) -> Result<Option<Request>, Ended> {
        self.answer(&Reply::refused(message, exit::USAGE), false);
        self.write().map(|()| None)
    }

    fn answer(&mut self, reply: &Reply, stays: bool) {
        self.bytes = serde_json::to_vec(reply).unwrap_or_default();
        self.bytes.push(b'\n');
        self.written = 0;
        self.phase = Phase::Reads;
        self.stays = stays;
        self.until = Instant::now() + PATIENCE;
    }

    fn write(&mut self) -> Result<(), Ended> {
        while self.written < self.bytes.len() {
            match self.stream.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(Ended),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Ended),
            }
        }
        if !self.stays {
            return Err(Ended);
        }
        // What it asks next may take as long as it likes.
        self.phase = Phase::Asks;
        self.bytes = Vec::new();
        self.until = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        Ok(())
    }
}
