//! Messages on disk until their receiver has them, for receivers that stay away for hours and
//! sensors that are restarted.
//!
//! Every message is written to the spool before it is sent, so that nothing is lost with the
//! process. Nothing waits for the disk: a host that goes down loses what the kernel had not written
//! yet, half a minute at most. What a receiver took in the last seconds before its connection ended
//! is sent again when it is back: it may have had it in memory only. `mote decode` leaves out what
//! comes twice.
//!
//! A receiver has a directory of its own, of which one sensor has the lock. In it are the files of
//! two logs, one for each class ([`log`]), of which each line is a message ([`line`]), and
//! `position`: up to where each log is delivered.

mod error;
pub(crate) mod files;
pub(crate) mod line;
pub(crate) mod log;
mod open;
pub(crate) mod position;

pub use error::{Damage, SpoolError};
pub(super) use line::LINE_MORE_BYTES;

use super::account::{Delivered, Load, Lost};
use super::receiver::Receiver;
use crate::event::Class;
use crate::limits::{LINE_BYTES, SPOOL_FILE_BYTES_LEAST, SPOOL_FILES};
use core::time::Duration;
use line::{Line, SPOOL_LINE_BYTES};
use log::Log;
use open::Open;
use position::{POSITION, Position};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// When it is tried again to open a spool.
const RETRY: Duration = Duration::from_secs(10);

/// How long a spool is said to fail after it did.
const CALM: Duration = Duration::from_secs(10);

/// Where the spools of all receivers are, and how much each of them holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The directory, in which each receiver has one.
    pub dir: PathBuf,
    /// Of all files of a receiver.
    pub bytes: u64,
}

/// Where a message is.
pub(super) enum Kept {
    /// In the spool. `is_next`: all before it, of its class, has been taken out.
    Spooled { is_next: bool },
    /// Nowhere: there is no room for one of its class. It is counted.
    Lost,
    /// Nowhere: the spool cannot be written.
    No,
}

pub(super) struct Spool {
    dir: PathBuf,
    most_bytes: u64,
    file_bytes: u64,
    open: Option<Open>,
    error: Option<SpoolError>,
    /// When a message could not be written last, and whether one could be since then: on a full disk a
    /// short one may find the room that a long one did not.
    failed_at: Instant,
    has_written: bool,
    retry_at: Instant,
    buffer: Vec<u8>,
    lost: Lost,
    /// Of logs that were closed.
    damage: Damage,
}

impl Spool {
    /// One that cannot be opened is tried again: meanwhile messages wait in memory.
    pub(super) fn new(options: &SpoolOptions, receiver: &str, now: Instant) -> Spool {
        let files = SPOOL_FILES as u64 / 3;
        let mut spool = Spool {
            dir: options.dir.join(directory(receiver)),
            most_bytes: options.bytes,
            file_bytes: (options.bytes / files).max(SPOOL_FILE_BYTES_LEAST),
            open: None,
            error: None,
            failed_at: now,
            has_written: false,
            retry_at: now,
            buffer: Vec::with_capacity(SPOOL_LINE_BYTES),
            lost: Lost::default(),
            damage: Damage::default(),
        };
        spool.tick(now);
        spool
    }

    /// Opens it, if it is time to try that again. Whether it is opened now: places that were known
    /// before are of no use any more.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        if let Some(open) = &mut self.open {
            if let Some(SpoolError::Write(Errno::NOSPC | Errno::DQUOT)) = self.error {
                // The room of what is delivered may be all that the disk lacks.
                Class::ALL.into_iter().for_each(|class| open.remove_delivered(class, now, true));
            }
            if self.has_written && now >= self.failed_at + CALM {
                self.error = None;
            }
            return false;
        }
        if now < self.retry_at {
            return false;
        }
        self.retry_at = now + RETRY;
        match Open::new(&self.dir, &mut self.buffer) {
            Ok(open) => (self.open, self.error) = (Some(open), None),
            Err(error) => self.error = Some(error),
        }
        self.open.is_some()
    }

    /// Whether nothing can be read or written.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// What keeps messages from being written.
    pub(super) fn error(&self) -> Option<&SpoolError> {
        self.error.as_ref()
    }

    /// What could not be read, since the start.
    pub(super) fn damage(&self) -> Damage {
        let logs = self.open.iter().flat_map(|open| &open.logs);
        logs.fold(self.damage, |damage, log| damage.plus(log.damage))
    }

    /// Bytes that are not taken out.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.open.iter().flat_map(|open| &open.logs).map(Log::waiting_bytes).sum()
    }

    /// Whether half of its room is taken by what waits.
    pub(super) fn is_filling(&self) -> bool {
        self.waiting_bytes() > self.most_bytes / 2
    }

    /// Bytes of it that are not delivered.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.open.iter().flat_map(|open| &open.logs).map(Log::undelivered_bytes).sum()
    }

    /// What was removed to make room, or found none, since the last call.
    pub(super) fn take_lost(&mut self) -> Lost {
        core::mem::take(&mut self.lost)
    }

    /// Writes a message, and notes in `load` where it is.
    pub(super) fn append(&mut self, load: &mut Load, payload: &[u8]) -> Kept {
        let Some(open) = &mut self.open else { return Kept::No };
        let line = Line {
            events: load.events,
            if_lost: load.if_lost.events(),
            offered_ns: load.offered_ns,
            payload_bytes: payload.len(),
        };
        if line.payload_bytes > LINE_BYTES {
            return Kept::No;
        }
        let most_bytes = self.most_bytes.saturating_sub(line.bytes() as u64);
        if !open.make_room(load.class, most_bytes, &mut self.buffer, &mut self.lost) {
            self.lost.add(load.if_lost);
            return Kept::Lost;
        }
        let is_next = open.logs[load.class as usize].is_read();
        let result = loop {
            if line.write(&mut self.buffer, payload).is_none() {
                return Kept::No;
            }
            match open.logs[load.class as usize].append(&self.buffer, self.file_bytes) {
                // Priority takes the room of bulk, as in a spool that is full.
                Err(Errno::NOSPC | Errno::DQUOT)
                    if load.class == Class::Priority
                        && open.remove_oldest(Class::Bulk, &mut self.buffer, &mut self.lost) => {}
                result => break result,
            }
        };
        match result {
            Ok(end) => {
                load.spooled = Some(end);
                self.has_written = true;
                Kept::Spooled { is_next }
            }
            Err(error) => {
                self.fail(error);
                // Somebody has removed the directory.
                if error == Errno::NOENT {
                    self.close();
                }
                Kept::No
            }
        }
    }

    /// The message of this class that was written last is taken: it need not be read.
    pub(super) fn skip_to_end(&mut self, class: Class) {
        if let Some(open) = &mut self.open {
            open.logs[class as usize].skip_to_end();
        }
    }

    /// Takes out the next message of a class.
    pub(super) fn next(&mut self, class: Class) -> Option<(Load, &[u8])> {
        let log = &mut self.open.as_mut()?.logs[class as usize];
        let next = match log.next(&mut self.buffer) {
            Ok(next) => next?,
            Err(error) => {
                // A disk that does not give back what it has: what comes can still be sent.
                self.error = Some(SpoolError::Open(error));
                self.close();
                return None;
            }
        };
        let Line { events, if_lost, offered_ns, payload_bytes } = next.line;
        let load = Load {
            class,
            events: if next.is_inherited { 0 } else { events },
            if_lost: Lost::message(class, events, if_lost),
            log: None,
            offered_ns,
            spooled: Some(next.end),
        };
        Some((load, &self.buffer[line::HEADER_BYTES..][..payload_bytes]))
    }

    fn close(&mut self) {
        self.damage = self.damage();
        self.open = None;
        self.retry_at = Instant::now() + RETRY;
    }

    /// By [`Class`]: messages up to there need not be sent again.
    pub(super) fn delivered(&mut self, ends: [Option<Delivered>; 2], now: Instant) {
        let Some(open) = &mut self.open else { return };
        for class in Class::ALL {
            let Some(delivered) = ends[class as usize] else { continue };
            open.delivered(class, delivered, now);
        }
        if let Err(error) = open.note_position() {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Errno) {
        self.error = Some(SpoolError::Write(error));
        self.failed_at = Instant::now();
        self.has_written = false;
    }

    /// The connection ended: what was not delivered, and what was in the last seconds, is taken
    /// out again.
    pub(super) fn rewind(&mut self, now: Instant) {
        let Some(open) = &mut self.open else { return };
        for class in Class::ALL {
            let place = open.needed_from(class, now);
            open.logs[class as usize].read_from(place);
        }
    }

    /// Whether a message is still in the spool.
    pub(super) fn keeps(&self, load: &Load) -> bool {
        match (&self.open, load.spooled) {
            (Some(open), Some(end)) => open.logs[load.class as usize].keeps(end),
            _ => false,
        }
    }
}

/// Receivers' directories with messages that wait, other than those of `receivers`.
pub fn spooled_for_others(options: &SpoolOptions, receivers: &[Receiver]) -> Vec<PathBuf> {
    let own: Vec<PathBuf> = receivers
        .iter()
        .map(|receiver| options.dir.join(directory(&receiver.to_string())))
        .collect();
    let entries = std::fs::read_dir(&options.dir).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).filter(|path| !own.contains(path));
    others.filter(|path| has_waiting(path)).collect()
}

/// Whether a log in this directory goes beyond what is noted as delivered.
fn has_waiting(dir: &Path) -> bool {
    let position = std::fs::File::open(dir.join(POSITION)).ok();
    let position = position.and_then(|file| Position::of(file.into()).ok()?.noted());
    let end_of = |file: std::fs::DirEntry| {
        let name = file.file_name();
        let name = name.to_str()?;
        let class = Class::ALL.into_iter().find(|class| name.starts_with(class.name()))?;
        let start = files::start_of(class, name)?;
        let bytes = file.metadata().ok()?.len().checked_sub(files::VERSION_LINE.len() as u64)?;
        Some((class, start + bytes, bytes))
    };
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(end_of).any(|(class, end, bytes)| {
        bytes > 0 && position.is_none_or(|delivered| end > delivered[class as usize])
    })
}

/// The name of a receiver's directory: unlike any other's.
fn directory(receiver: &str) -> String {
    receiver.replace('%', "%25").replace('_', "%5f").replace('/', "_")
}

#[cfg(test)]
mod tests;
