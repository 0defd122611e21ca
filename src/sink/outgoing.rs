//! The message that is sent next as it goes on the wire: one syslog message, or one for each of its
//! events.

use super::account::Lost;
use super::expand::Expander;
use super::frame::Framer;
use super::queue::Head;
use super::receiver::{Form, Receiver};
use crate::limits::{EXPANDED_BYTES, EXPANDED_LINES, LINE_BYTES, SYSLOG_HEADER_BYTES};
use crate::say::Level;
use syslog::Severity;

/// A syslog message.
pub(super) struct Framed {
    /// Where it ends in the bytes.
    pub(super) end: usize,
    pub(super) if_lost: Lost,
}

/// Syslog messages one behind the other.
pub(super) struct Messages {
    pub(super) bytes: Vec<u8>,
    pub(super) framed: heapless::Vec<Framed, EXPANDED_LINES>,
}

impl Messages {
    /// Whether another one finds room, however long it is.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.capacity() - self.bytes.len() >= LINE_BYTES + SYSLOG_HEADER_BYTES
            && !self.framed.is_full()
    }

    /// Adds the message of a payload; what it carries is missing if that has no header.
    pub(super) fn add(
        &mut self,
        framer: &Framer,
        offered_ns: i64,
        severity: Severity,
        payload: &[u8],
        if_lost: Lost,
    ) -> Result<(), Lost> {
        let before = self.bytes.len();
        let framed = framer.frame(&mut self.bytes, offered_ns, severity, payload);
        let end = self.bytes.len();
        if framed.is_err() || self.framed.push(Framed { end, if_lost }).is_err() {
            self.bytes.truncate(before);
            return Err(if_lost);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.framed.clear();
    }
}

pub(super) struct Outgoing {
    framer: Framer,
    log_framer: Option<Framer>,
    /// `None`: a batch is one message.
    expander: Option<Box<Expander>>,
    /// Which message this is of.
    of: Option<u64>,
    messages: Messages,
    /// The first that is not sent, and how much of it a stream has taken.
    at: usize,
    progress_bytes: usize,
    /// The rest of the events does not come after these.
    is_whole: bool,
    any_sent: bool,
    refused: Lost,
    /// What those that are sent add to the receiver's unread bytes, at least.
    weight_bytes: Option<u64>,
}

impl Outgoing {
    pub(super) fn new(receiver: &Receiver, hostname: &str) -> Outgoing {
        let expander = match receiver.form {
            Form::Compact => None,
            Form::Events(format) => Some(Box::new(Expander::new(format))),
        };
        let bytes = match expander {
            None => LINE_BYTES + SYSLOG_HEADER_BYTES,
            Some(_) => EXPANDED_BYTES,
        };
        Outgoing {
            framer: Framer::new(&receiver.target, hostname),
            log_framer: Framer::of_log(&receiver.target, hostname),
            expander,
            of: None,
            messages: Messages { bytes: Vec::with_capacity(bytes), framed: heapless::Vec::new() },
            at: 0,
            progress_bytes: 0,
            is_whole: false,
            any_sent: false,
            refused: Lost::default(),
            weight_bytes: None,
        }
    }

    /// See [`Expander::set_place`].
    pub(super) fn set_place(&mut self, place: usize) {
        if let Some(expander) = &mut self.expander {
            expander.set_place(place);
        }
    }

    /// The host has this name from now on.
    pub(super) fn set_hostname(&mut self, hostname: &str) {
        self.framer.set_hostname(hostname);
        if let Some(framer) = &mut self.log_framer {
            framer.set_hostname(hostname);
        }
    }

    /// Whether the sensor's own log goes to this receiver.
    pub(super) fn takes_log(&self) -> bool {
        self.log_framer.is_some()
    }

    /// Makes the next messages of `head`, unless there are some.
    pub(super) fn take_up(&mut self, head: &Head) {
        if self.of != Some(head.id) {
            self.reset();
            self.of = Some(head.id);
            if let Some(expander) = &mut self.expander {
                expander.begin();
            }
        } else if self.is_whole || self.at < self.messages.framed.len() {
            return;
        }
        self.messages.clear();
        self.at = 0;
        let (messages, time_ns) = (&mut self.messages, head.load.offered_ns);
        let if_lost = head.load.if_lost;
        self.is_whole = true;
        let added = match (head.load.log, &mut self.expander) {
            (Some(level), _) => match &self.log_framer {
                Some(framer) => {
                    messages.add(framer, time_ns, severity(level), head.payload, if_lost)
                }
                None => Ok(()),
            },
            (None, None) => {
                messages.add(&self.framer, time_ns, Severity::LOG_INFO, head.payload, if_lost)
            }
            (None, Some(expander)) => {
                let (is_whole, lost) = expander.fill(messages, &self.framer, head);
                self.is_whole = is_whole;
                Err(lost)
            }
        };
        self.refused.add(added.err().unwrap_or_default());
    }

    /// The message that is to be sent next, and how much of it a stream has taken. `None`: all
    /// are sent, of what was taken up last.
    pub(super) fn current(&self) -> Option<(&[u8], usize)> {
        let end = self.messages.framed.get(self.at)?.end;
        Some((&self.messages.bytes[self.start()..end], self.progress_bytes))
    }

    fn start(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |before| self.messages.framed[before].end)
    }

    /// Whether there are no more messages of the head than those that were made.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// A stream took `bytes` more of the current message, but not all.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.progress_bytes += bytes;
    }

    /// The current message is sent. With a weight the receiver may not have read it.
    pub(super) fn sent(&mut self, weight_bytes: Option<u64>) {
        self.at += 1;
        self.progress_bytes = 0;
        self.any_sent = true;
        if let Some(bytes) = weight_bytes {
            self.weight_bytes = Some(self.weight_bytes.unwrap_or(0).saturating_add(bytes));
        }
    }

    /// The current message cannot be sent.
    pub(super) fn refuse(&mut self) {
        if let Some(message) = self.messages.framed.get(self.at) {
            self.refused.add(message.if_lost);
        }
        self.at += 1;
        self.progress_bytes = 0;
    }

    /// What of the head cannot be sent, or no message could be made of.
    pub(super) fn refused(&self) -> Lost {
        self.refused
    }

    /// Whether no message of the head was sent.
    pub(super) fn is_refused(&self) -> bool {
        !self.any_sent
    }

    /// See [`super::queue::Queue::sent`].
    pub(super) fn weight_bytes(&self) -> Option<u64> {
        self.weight_bytes
    }

    /// How much of the receiver's unread bytes is of the head, at least, or before it is read.
    pub(super) fn begun_bytes(&self) -> u64 {
        self.weight_bytes.unwrap_or(0).saturating_add(self.progress_bytes as u64)
    }

    /// The head is done with, or starts over.
    pub(super) fn reset(&mut self) {
        self.of = None;
        self.messages.clear();
        self.at = 0;
        self.progress_bytes = 0;
        self.is_whole = false;
        self.any_sent = false;
        self.refused = Lost::default();
        self.weight_bytes = None;
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Info => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    }
}
