//! What did not reach the receiver.

use crate::event::{Class, Loss, LossPlace};
use crate::say::Level;

/// Events and messages that did not reach the receiver. Of a message that was sent and
/// perhaps not read nobody knows: they are at most so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events that nobody learns of without messages of [`Class::Priority`]: those in them, and
    /// those that loss records in them count.
    pub priority_events: u64,
    /// The same of messages of [`Class::Bulk`].
    pub bulk_events: u64,
    /// Of both, those in the messages: the others were lost before, and counted then.
    pub new_events: u64,
    /// Messages that carried them.
    pub messages: u64,
}

impl Lost {
    /// Of both classes.
    pub(super) fn events(&self) -> u64 {
        self.priority_events.saturating_add(self.bulk_events)
    }

    /// A message of so many events, `if_lost` with those that its loss records count.
    pub(super) fn message(class: Class, events: u32, if_lost: u64) -> Lost {
        let (priority_events, bulk_events) = match class {
            Class::Priority => (if_lost, 0),
            Class::Bulk => (0, if_lost),
        };
        Lost { priority_events, bulk_events, new_events: events.into(), messages: 1 }
    }

    pub(super) fn add(&mut self, other: Lost) {
        self.priority_events = self.priority_events.saturating_add(other.priority_events);
        self.bulk_events = self.bulk_events.saturating_add(other.bulk_events);
        self.new_events = self.new_events.saturating_add(other.new_events);
        self.messages = self.messages.saturating_add(other.messages);
    }
}

/// What a message carries, and where it comes from.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) class: Class,
    /// For the count of what was sent.
    pub(super) events: u32,
    /// For the count of what was not.
    pub(super) if_lost: Lost,
    /// A line of the sensor's own log; `None`: a record.
    pub(super) log: Option<Level>,
    /// When it was offered, as Unix time in nanoseconds.
    pub(super) offered_ns: i64,
    /// Where it ends in the spool's log of its class. `None`: it is not in the spool.
    pub(super) spooled: Option<u64>,
}

impl Load {
    /// No event is in it, and none is missing without it.
    pub(super) fn of_log(level: Level) -> Load {
        Load { if_lost: Lost::default(), log: Some(level), ..Load::new(Class::Bulk, 0, 0) }
    }

    pub(super) fn new(class: Class, events: u32, if_lost: u64) -> Load {
        Load {
            class,
            events,
            if_lost: Lost::message(class, events, if_lost),
            log: None,
            offered_ns: unix_time_ns(),
            spooled: None,
        }
    }
}

/// Messages of a class from the spool that need not be sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Where the last one ends in the log of the class.
    pub(super) end: u64,
    /// How many.
    pub(super) messages: u64,
}

/// The time of day, for what a message says of itself.
fn unix_time_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// What was not delivered, since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// The queue was full.
    pub queue: Lost,
    /// The message was longer than a line or than the kernel takes, or had no header.
    pub refused: Lost,
    /// The spool was full.
    pub spool: Lost,
}

impl Shed {
    /// Messages of all these.
    pub fn messages(&self) -> u64 {
        self.queue.messages + self.refused.messages + self.spool.messages
    }

    /// See [`Lost::new_events`].
    pub fn new_events(&self) -> u64 {
        let [queue, refused, spool] = [self.queue, self.refused, self.spool].map(|l| l.new_events);
        queue.saturating_add(refused).saturating_add(spool)
    }

    /// Events of all these for loss records; counts may be 0. `receiver`: see [`Loss::receiver`].
    pub fn losses(&self, receiver: Option<u8>) -> impl Iterator<Item = Loss> {
        [
            (LossPlace::SyslogQueue, self.queue),
            (LossPlace::SyslogRefused, self.refused),
            (LossPlace::Spool, self.spool),
        ]
        .into_iter()
        .flat_map(move |(place, lost)| {
            [(Class::Priority, lost.priority_events), (Class::Bulk, lost.bulk_events)].map(
                |(class, count)| Loss { place, class: Some(class), cpu: None, receiver, count },
            )
        })
    }
}
