//! A loop as the sensor has it, around one sink.

use mio::{Events, Poll, Token};
use mote::event::Class;
use mote::sink::{Capacity, Form, GivenReceiver, Sink, SpoolOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

const SINK: Token = Token(7);

/// Longer than any test should wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub const HOSTNAME: &str = "test-host";

pub struct Rig {
    poll: Poll,
    events: Events,
    pub sink: Sink,
}

impl Rig {
    pub fn new(target: &str, capacity: Capacity) -> Rig {
        Rig::spooling(target, capacity, None)
    }

    /// To a receiver with its options, with a spool.
    pub fn spooling(target: &str, capacity: Capacity, spool: Option<&SpoolOptions>) -> Rig {
        let poll = Poll::new().unwrap();
        let receiver = target.parse::<GivenReceiver>().unwrap().or_form(Form::Compact);
        let registry = poll.registry();
        let sink = Sink::with_capacity(&receiver, HOSTNAME, registry, SINK, spool, capacity);
        let sink = sink.unwrap();
        Rig { poll, events: Events::with_capacity(8), sink }
    }

    pub fn on_output(fd: BorrowedFd<'_>) -> Rig {
        let poll = Poll::new().unwrap();
        let sink = Sink::on_output(fd, poll.registry(), SINK, small(4)).unwrap();
        Rig { poll, events: Events::with_capacity(8), sink }
    }

    /// Offers bulk messages of one event.
    pub fn offer(&mut self, payloads: &[&str]) {
        for payload in payloads {
            self.sink.offer(Class::Bulk, 1, 1, payload.as_bytes());
        }
    }

    /// Acts on readiness, not on time.
    pub fn react(&mut self, timeout: Duration) {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            polled => polled.unwrap(),
        }
        for event in &self.events {
            assert_eq!(event.token(), SINK);
            self.sink.ready(self.poll.registry(), event);
        }
    }

    /// One turn of the loop, of 20 ms at most.
    pub fn turn(&mut self) {
        let now = Instant::now();
        let timeout = self
            .sink
            .deadline()
            .map_or(Duration::from_millis(20), |at| at.saturating_duration_since(now))
            .min(Duration::from_millis(20));
        self.react(timeout);
        self.sink.tick(self.poll.registry(), Instant::now());
    }

    /// As the loop does at that time.
    pub fn tick_at(&mut self, now: Instant) {
        self.sink.tick(self.poll.registry(), now);
    }

    /// Turns until `done`.
    pub fn run(&mut self, what: &str, mut done: impl FnMut(&mut Sink) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&mut self.sink) {
            assert!(Instant::now() < end, "{what}: not in {PATIENCE:?}, {}", self.sink.state());
            self.turn();
        }
    }

    pub fn run_empty(&mut self) {
        self.run("empty the queue", |sink| sink.backlog() == 0);
    }
}

/// Says that `test` was left out, for `scripts/test` to count. The macros that print are
/// captured while a test passes, a write is not; libtest may have begun a line.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("\nskipped: {test} {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

pub fn small(messages: usize) -> Capacity {
    Capacity { messages, line_bytes: 512 }
}

pub fn large(line_bytes: usize) -> Capacity {
    Capacity { messages: 4, line_bytes }
}
