//! What did not reach the receiver.

use crate::event::Class;

/// Events and messages that did not reach the receiver. Of a message that was sent and
/// perhaps not read nobody knows: they are at most so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events of [`Class::Priority`].
    pub priority_events: u64,
    /// Events of [`Class::Bulk`].
    pub bulk_events: u64,
    /// Messages that carried them.
    pub messages: u64,
}

impl Lost {
    /// One message.
    pub(super) fn message(class: Class, events: u64) -> Lost {
        let (priority_events, bulk_events) = match class {
            Class::Priority => (events, 0),
            Class::Bulk => (0, events),
        };
        Lost { priority_events, bulk_events, messages: 1 }
    }

    pub(super) fn add(&mut self, other: Lost) {
        self.priority_events = self.priority_events.saturating_add(other.priority_events);
        self.bulk_events = self.bulk_events.saturating_add(other.bulk_events);
        self.messages = self.messages.saturating_add(other.messages);
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
