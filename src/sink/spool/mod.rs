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
mod line;
mod log;

pub use error::{Damage, SpoolError};

use super::account::{Delivered, Load, Lost};
use super::receiver::Receiver;
use crate::claim::Claim;
use crate::event::Class;
use crate::limits::{
    LINE_BYTES, SPOOL_FILE_BYTES_LEAST, SPOOL_FILES, SPOOL_RESENT_ENTRIES, SPOOL_RESENT_MESSAGES,
};
use core::time::Duration;
use line::{Line, SPOOL_LINE_BYTES};
use log::Log;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a receiver took so long before its connection ended is sent again.
const RESENT: Duration = Duration::from_secs(10);

/// How exactly it is known when something was delivered.
const RESENT_STEP: Duration = Duration::from_millis(250);

/// The same in messages, where many go in that time.
const RESENT_STEP_MESSAGES: u64 = SPOOL_RESENT_MESSAGES / 16;

/// When it is tried again to open a spool.
const RETRY: Duration = Duration::from_secs(10);

/// Up to where the logs are delivered.
const POSITION: &str = "position";

/// `CRC PRIORITY BULK` and a line feed, as in [`line`].
const POSITION_BYTES: usize = 8 + 1 + 16 + 1 + 16 + 1;

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
    retry_at: Instant,
    buffer: Vec<u8>,
    lost: Lost,
    /// Of logs that were closed.
    damage: Damage,
}

struct Open {
    /// Of the directory, as long as this is here.
    _claim: Claim,
    /// By [`Class`].
    logs: [Log; 2],
    position: OwnedFd,
    /// As it is in the file.
    written: [u64; 2],
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
        if self.open.is_some() || now < self.retry_at {
            return false;
        }
        self.retry_at = now + RETRY;
        match Open::new(&self.dir, &mut self.buffer) {
            Ok(open) => (self.open, self.error) = (Some(open), None),
            Err(error) => self.error = Some(error),
        }
        self.open.is_some()
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

    /// Bytes that wait in it, and not in memory too.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.open.iter().flat_map(|open| &open.logs).map(Log::waiting_bytes).sum()
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
        if line.write(&mut self.buffer, payload).is_none() {
            return Kept::No;
        }
        let log = &mut open.logs[load.class as usize];
        let is_next = log.is_read();
        match log.append(&self.buffer, self.file_bytes) {
            Ok(end) => {
                load.spooled = Some(end);
                self.error = None;
                Kept::Spooled { is_next }
            }
            Err(error) => {
                self.error = Some(SpoolError::Write(error));
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
            if_lost: Lost::of(class, if_lost, 1),
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
        if let Err(error) = open.write_position() {
            self.error = Some(SpoolError::Write(error));
        }
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

impl Open {
    fn new(path: &Path, buffer: &mut Vec<u8>) -> Result<Open, SpoolError> {
        let errno = |error: std::io::Error| {
            SpoolError::Directory(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(errno)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open_dir =
            || rustix::fs::open(path, flags, Mode::empty()).map_err(SpoolError::Directory);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let position = rustix::fs::openat(open_dir()?, POSITION, flags, mode)
            .map_err(SpoolError::Directory)?;
        let claim = match Claim::make(path) {
            Claim::Own(file) => Claim::Own(file),
            Claim::Other(pid) => return Err(SpoolError::Claimed(pid)),
            Claim::None => return Err(SpoolError::Lock),
        };
        let noted = read_position(&position).map_err(SpoolError::Open)?;
        let log = |class: Class, buffer: &mut Vec<u8>| {
            Log::open(class, open_dir()?, noted.map(|noted| noted[class as usize]), buffer)
        };
        let logs = [log(Class::Priority, buffer)?, log(Class::Bulk, buffer)?];
        let mut open = Open {
            _claim: claim,
            logs,
            position,
            written: noted.unwrap_or([u64::MAX; 2]),
            recent: [const { heapless::Deque::new() }; 2],
            messages: [0; 2],
        };
        // Where less is there than was noted, what comes next would count as delivered.
        open.write_position().map_err(SpoolError::Write)?;
        Ok(open)
    }

    /// Removes what is not needed any more, and then the oldest files, of bulk before priority, until
    /// those that are left have no more than `most_bytes` and another one finds room. Whether that is
    /// so.
    fn make_room(
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
                (Class::Priority, _) if bulk.files() > 0 => Class::Bulk,
                (Class::Priority, _) if priority.files() > 0 => Class::Priority,
                (Class::Bulk, _) if bulk.files() > 1 || bulk.bytes() > most_bytes => Class::Bulk,
                _ => return false,
            };
            let log = &mut self.logs[oldest as usize];
            let end = log.first_end();
            // What was taken out is in memory still.
            while log.read_place() < end
                && let Ok(Some(next)) = log.next(buffer)
            {
                lost.add(Lost::of(oldest, next.line.if_lost, 1));
            }
            log.remove_first();
        }
    }

    fn delivered(&mut self, class: Class, delivered: Delivered, now: Instant) {
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
        let place = self.needed_from(class, now);
        self.logs[class as usize].remove_before(place);
    }

    /// Where the messages begin that may have to be sent again.
    fn needed_from(&mut self, class: Class, now: Instant) -> u64 {
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

    fn write_position(&mut self) -> Result<(), Errno> {
        let [priority, bulk] = self.logs.each_ref().map(|log| log.delivered);
        if self.written == [priority, bulk] {
            return Ok(());
        }
        let mut text = [0; POSITION_BYTES];
        let mut rest = &mut text[9..];
        writeln!(rest, "{priority:016x} {bulk:016x}").map_err(|_| Errno::INVAL)?;
        let crc = crc32fast::hash(&text[9..]);
        let mut rest = &mut text[..9];
        write!(rest, "{crc:08x} ").map_err(|_| Errno::INVAL)?;
        // In one page: it is there as a whole, or not at all.
        rustix::io::pwrite(&self.position, &text, 0)?;
        self.written = [priority, bulk];
        Ok(())
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
    let position = position.and_then(|file| read_position(&file.into()).ok().flatten());
    let end_of = |file: std::fs::DirEntry| {
        let name = file.file_name();
        let name = name.to_str()?;
        let class = Class::ALL.into_iter().find(|class| name.starts_with(class.name()))?;
        let start = log::start_of(class, name)?;
        let bytes = file.metadata().ok()?.len().checked_sub(log::VERSION_LINE.len() as u64)?;
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

/// `None`: it is new, or damaged. Then all that is there is sent.
fn read_position(file: &OwnedFd) -> Result<Option<[u64; 2]>, Errno> {
    let mut text = [0; POSITION_BYTES];
    let read = rustix::io::pread(file, &mut text, 0)?;
    let number = |at: usize, digits: usize| {
        let text = core::str::from_utf8(text.get(at..at + digits)?).ok()?;
        u64::from_str_radix(text, 16).ok()
    };
    let is_whole =
        read == POSITION_BYTES && number(0, 8) == Some(u64::from(crc32fast::hash(&text[9..])));
    Ok(number(9, 16)
        .zip(number(26, 16))
        .filter(|_| is_whole)
        .map(|(priority, bulk)| [priority, bulk]))
}

#[cfg(test)]
mod tests;
