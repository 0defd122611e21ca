//! A receiver's directory while it is used: what is kept in it, and for how long.

use super::error::SpoolError;
use super::line::Line;
use super::log::Log;
use super::position::{POSITION, Position};
use crate::claim::{LOCK, claim};
use crate::directory::Directory;
use crate::event::Class;
use crate::limits::{SPOOL_RESENT_ENTRIES, SPOOL_RESENT_MESSAGES};
use crate::sink::account::{Delivered, Lost};
use core::time::Duration;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

/// What a receiver took so long before its connection ended is sent again.
pub(super) const RESENT: Duration = Duration::from_secs(10);

/// How exactly it is known when something was delivered.
const RESENT_STEP: Duration = Duration::from_millis(250);

/// The same in messages, where many go in that time.
const RESENT_STEP_MESSAGES: u64 = SPOOL_RESENT_MESSAGES / 16;

pub(super) struct Open {
    /// Of the directory, as long as this is here.
    _claim: File,
    /// By [`Class`].
    pub(super) logs: [Log; 2],
    position: Position,
    /// By [`Class`]: where more was delivered.
    recent: [heapless::Deque<Step, SPOOL_RESENT_ENTRIES>; 2],
    /// By [`Class`]: messages delivered until now.
    messages: [u64; 2],
}

/// More was delivered.
#[derive(Clone, Copy)]
struct Step {
    at: Instant,
    /// Up to where it was before.
    place: u64,
    /// How many messages it was before.
    messages: u64,
}

impl Open {
    pub(super) fn new(path: &Path, buffer: &mut Vec<u8>) -> Result<Open, SpoolError> {
        let errno = |error: std::io::Error| {
            SpoolError::Directory(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        let dir = Directory::make(path).map_err(errno)?;
        let position = dir
            .open_file(POSITION, OFlags::RDWR | OFlags::CREATE)
            .map_err(SpoolError::Directory)?;
        let claim = claim(&dir, LOCK).map_err(SpoolError::Unclaimed)?;
        let position = Position::of(position).map_err(SpoolError::Open)?;
        let noted = position.noted();
        let mut log = |class: Class, dir| {
            Log::open(class, dir, noted.map(|noted| noted[class as usize]), buffer)
        };
        let other = dir.try_clone().map_err(errno)?;
        let logs = [log(Class::Priority, dir)?, log(Class::Bulk, other)?];
        let mut open = Open {
            _claim: claim,
            logs,
            position,
            recent: [const { heapless::Deque::new() }; 2],
            messages: [0; 2],
        };
        // Where less is there than was noted, what comes next would count as delivered.
        open.note_position().map_err(SpoolError::Write)?;
        Ok(open)
    }

    /// Removes what is not needed any more, and then the oldest files, of bulk before priority, until
    /// those that are left have no more than `most_bytes` and another one finds room. Whether that is
    /// so.
    pub(super) fn make_room(
        &mut self,
        class: Class,
        most_bytes: u64,
        buffer: &mut Vec<u8>,
        lost: &mut Lost,
    ) -> bool {
        loop {
            let bytes: u64 = self.logs.iter().map(Log::bytes).sum();
            let is_full = self.logs[class as usize].is_full();
            if bytes <= most_bytes && !is_full {
                return true;
            }
            let [priority, bulk] = &self.logs;
            let done = Class::ALL.into_iter().find(|class| self.logs[*class as usize].is_done());
            let oldest = match (class, done) {
                _ if is_full => class,
                (_, Some(done)) => done,
                // The last file of a class goes for what is worth more, and where it alone is too
                // large: more was allowed when it was written.
                (Class::Priority, _) if bulk.count() > 0 => Class::Bulk,
                (Class::Priority, _) if priority.count() > 0 => Class::Priority,
                (Class::Bulk, _) if bulk.count() > 1 || bulk.bytes() > most_bytes => Class::Bulk,
                _ => return false,
            };
            if !self.remove_oldest(oldest, buffer, lost) {
                return false;
            }
        }
    }

    /// Removes the oldest file of a class, and counts what nobody has taken out of it: the rest is in
    /// memory still. Whether it did: there may be none, or one that can be read later only.
    pub(super) fn remove_oldest(
        &mut self,
        class: Class,
        buffer: &mut Vec<u8>,
        lost: &mut Lost,
    ) -> bool {
        let log = &mut self.logs[class as usize];
        let end = log.first_end();
        while log.read_place() < end {
            let next = match log.next(buffer) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(_) => return false,
            };
            if next.end > end {
                // The rest of the file is damaged; this is of the next one.
                log.read_from(next.end - next.line.bytes() as u64);
                break;
            }
            let Line { events, if_lost, .. } = next.line;
            lost.add(Lost::message(class, events, if_lost));
        }
        let was_there = log.count() > 0;
        log.remove_first();
        was_there
    }

    pub(super) fn delivered(&mut self, class: Class, delivered: Delivered, now: Instant) {
        let log = &mut self.logs[class as usize];
        let Delivered { end, messages } = delivered;
        if end <= log.delivered {
            return;
        }
        let recent = &mut self.recent[class as usize];
        let count = &mut self.messages[class as usize];
        let is_new = recent.back().is_none_or(|last| {
            now.saturating_duration_since(last.at) >= RESENT_STEP
                || *count - last.messages >= RESENT_STEP_MESSAGES
        });
        if is_new {
            if recent.is_full() {
                recent.pop_front();
            }
            let _ = recent.push_back(Step { at: now, place: log.delivered, messages: *count });
        }
        *count += messages;
        log.delivered = end;
        self.remove_delivered(class, now, false);
    }

    /// Removes files of which nothing need be sent again.
    pub(super) fn remove_delivered(&mut self, class: Class, now: Instant, also_last: bool) {
        let place = self.needed_from(class, now);
        self.logs[class as usize].remove_before(place, also_last);
    }

    /// Where the messages begin that may have to be sent again.
    pub(super) fn needed_from(&mut self, class: Class, now: Instant) -> u64 {
        let delivered = self.logs[class as usize].delivered;
        let count = self.messages[class as usize];
        let recent = &mut self.recent[class as usize];
        let is_old = |step: &Step| {
            now.saturating_duration_since(step.at) > RESENT
                || count - step.messages > SPOOL_RESENT_MESSAGES
        };
        while recent.front().is_some_and(is_old) {
            recent.pop_front();
        }
        recent.front().map_or(delivered, |step| step.place)
    }

    /// What is delivered now.
    pub(super) fn note_position(&mut self) -> Result<(), Errno> {
        self.position.note(self.logs.each_ref().map(|log| log.delivered))
    }
}
