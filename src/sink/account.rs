//! What did not reach the receiver.

use crate::event::{Class, Loss, LossPlace};

/// Events and messages that did not reach the receiver. Of a message that was sent and
/// perhaps not read nobody knows: they are at most so many. A lost loss record counts as
/// the events that it counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events of messages of [`Class::Priority`].
    pub priority_events: u64,
    /// Events of messages of [`Class::Bulk`].
    pub bulk_events: u64,
    /// Messages that carried them.
    pub messages: u64,
}

impl Lost {
    pub(super) fn add(&mut self, other: Lost) {
        self.priority_events = self.priority_events.saturating_add(other.priority_events);
        self.bulk_events = self.bulk_events.saturating_add(other.bulk_events);
        self.messages = self.messages.saturating_add(other.messages);
    }
}

/// What a message carries.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) class: Class,
    /// For the count of what was sent.
    pub(super) events: u32,
    /// For the count of what was not.
    pub(super) if_lost: Lost,
}

impl Load {
    /// No event is in it, and none is missing without it.
    pub(super) fn of_log() -> Load {
        Load { class: Class::Bulk, events: 0, if_lost: Lost::default() }
    }

    pub(super) fn new(class: Class, events: u32, if_lost: u64) -> Load {
        let (priority_events, bulk_events) = match class {
            Class::Priority => (if_lost, 0),
            Class::Bulk => (0, if_lost),
        };
        Load { class, events, if_lost: Lost { priority_events, bulk_events, messages: 1 } }
    }
}

/// What was not delivered, since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// The queue was full.
    pub queue: Lost,
    /// The message was longer than a line or than the kernel takes, or had no header.
    pub refused: Lost,
}

impl Shed {
    /// The same for loss records; counts may be 0.
    pub fn losses(&self) -> impl Iterator<Item = Loss> {
        [(LossPlace::SyslogQueue, self.queue), (LossPlace::SyslogRefused, self.refused)]
            .into_iter()
            .flat_map(|(place, lost)| {
                [(Class::Priority, lost.priority_events), (Class::Bulk, lost.bulk_events)]
                    .map(|(class, count)| Loss { place, class: Some(class), cpu: None, count })
            })
    }
}
