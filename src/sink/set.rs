//! All receivers of one sensor. What one of them does not take keeps nothing from the others.

use super::{Capacity, Receiver, Shed, Sink, SinkError, SpoolOptions, State};
use crate::event::{Class, IfLost};
use crate::limits::RECEIVERS;
use crate::say::Level;
use mio::event::Event;
use mio::{Registry, Token};
use std::time::Instant;

/// The end of the pipeline.
pub struct Sinks {
    /// Made once: there is room for no more than there are.
    sinks: Box<[Sink]>,
    first_token: usize,
}

impl Sinks {
    /// Takes all storage and begins to connect. Of more than [`RECEIVERS`] the first ones count.
    /// The tokens are those from `first` on.
    pub fn open(
        receivers: &[Receiver],
        hostname: &str,
        registry: &Registry,
        first: Token,
        spool: Option<&SpoolOptions>,
        capacity: Capacity,
    ) -> Result<Sinks, SinkError> {
        let open = |(place, receiver)| {
            let token = Token(first.0 + place);
            let mut sink =
                Sink::with_capacity(receiver, hostname, registry, token, spool, capacity)?;
            sink.outgoing.set_place(place);
            Ok(sink)
        };
        let sinks: Result<Box<[Sink]>, SinkError> =
            receivers.iter().enumerate().take(RECEIVERS).map(open).collect();
        Ok(Sinks { sinks: sinks?, first_token: first.0 })
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Sink> {
        self.sinks.iter()
    }

    /// Acts on readiness of a token. Whether it is one of theirs.
    pub fn ready(&mut self, registry: &Registry, event: &Event) -> bool {
        let number = event.token().0.checked_sub(self.first_token);
        let Some(sink) = number.and_then(|number| self.sinks.get_mut(number)) else {
            return false;
        };
        sink.ready(registry, event);
        true
    }

    /// See [`Sink::tick`].
    pub fn tick(&mut self, registry: &Registry, now: Instant) {
        self.sinks.iter_mut().for_each(|sink| sink.tick(registry, now));
    }

    /// When [`Sinks::tick`] is wanted next.
    pub fn deadline(&self) -> Option<Instant> {
        self.iter().filter_map(Sink::deadline).min()
    }

    /// See [`Sink::offer`].
    pub fn offer(&mut self, class: Class, events: u32, if_lost: &IfLost, payload: &[u8]) {
        for (place, sink) in self.sinks.iter_mut().enumerate() {
            sink.offer(class, events, if_lost.of(place), payload);
        }
    }

    /// See [`Sink::offer_log`].
    pub fn offer_log(&mut self, level: Level, line: &str) {
        self.sinks.iter_mut().for_each(|sink| sink.offer_log(level, line));
    }

    /// The host has this name from now on.
    pub fn set_hostname(&mut self, hostname: &str) {
        self.sinks.iter_mut().for_each(|sink| sink.set_hostname(hostname));
    }

    /// What was lost since the last call, by each.
    pub fn take_shed(&mut self) -> impl Iterator<Item = Shed> {
        self.sinks.iter_mut().map(Sink::take_shed)
    }

    /// See [`Sink::drain`]: one after the other, with an equal part of the time that is left.
    pub fn drain(&mut self, until: Instant) {
        self.drain_each(until, Sink::drain);
    }

    /// See [`Sink::drain_repeats`]: in the same way.
    pub fn drain_repeats(&mut self, until: Instant) {
        self.drain_each(until, Sink::drain_repeats);
    }

    fn drain_each(&mut self, until: Instant, drain: impl Fn(&mut Sink, Instant)) {
        let mut left = self.sinks.len() as u32;
        for sink in &mut self.sinks {
            let now = Instant::now();
            drain(sink, now + until.saturating_duration_since(now) / left);
            left -= 1;
        }
    }

    /// Whether one takes all that it is given.
    pub fn any_is_empty(&self) -> bool {
        self.iter().any(|sink| sink.backlog() == 0)
    }

    /// Whether one is connected.
    pub fn any_is_ready(&self) -> bool {
        self.iter().any(|sink| sink.state() == State::Ready)
    }

    /// Events of messages that every receiver took which is sent all; without such a one, the most
    /// that one took.
    pub fn sent_events(&self) -> u64 {
        let of_all = self.iter().filter(|sink| sink.receiver().class.is_none());
        let least = of_all.map(Sink::sent_events).min();
        least.or_else(|| self.iter().map(Sink::sent_events).max()).unwrap_or(0)
    }

    /// Whether there is one whose messages outlive the process.
    pub fn any_has_spool(&self) -> bool {
        self.iter().any(Sink::has_spool)
    }

    /// Whether the reader of standard output is gone: time to end, with success.
    pub fn is_closed(&self) -> bool {
        self.iter().any(Sink::is_closed)
    }
}
