//! Messages of one class, in the order in which they were offered: a line each, in files that
//! follow one another.
//!
//! A place in the log is a number of bytes since its first file ever; a file is named by the place
//! that it begins at. Behind its first line, which names the format's version, it has lines only.

use super::error::{Damage, SpoolError};
use super::files::{Files, Found, VERSION_LINE, read_all, write_all};
use super::line::{Bad, Line, SPOOL_LINE_BYTES};
use crate::directory::Directory;
use crate::event::Class;
use crate::limits::SPOOL_FILES;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Where it begins in the log.
    start: u64,
    /// Bytes of its lines.
    bytes: u64,
    /// Some of it could not be read: it is set aside in place of being removed.
    damaged: bool,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.bytes
    }
}

pub(crate) struct Log {
    files: Files,
    /// In their order. The last one is written to.
    segments: heapless::Deque<Segment, SPOOL_FILES>,
    /// The last one.
    writer: Option<OwnedFd>,
    /// The one that begins there.
    reader: Option<(u64, OwnedFd)>,
    /// Where the next line is written.
    end: u64,
    /// Where the next line is read.
    read: u64,
    /// Lines of earlier runs of the sensor end here.
    inherited: u64,
    /// Lines before were delivered, and need not be sent again.
    pub(super) delivered: u64,
    pub(crate) damage: Damage,
}

/// A line that was read.
pub(crate) struct Next {
    pub(crate) line: Line,
    /// Where it ends.
    pub(crate) end: u64,
    /// An earlier run of the sensor wrote it.
    pub(super) is_inherited: bool,
}

impl Log {
    /// What is there of this class in a directory. `delivered` is what was noted of it.
    pub(crate) fn open(
        class: Class,
        dir: Directory,
        delivered: Option<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<Log, SpoolError> {
        let mut log = Log {
            files: Files { class, dir },
            segments: heapless::Deque::new(),
            writer: None,
            reader: None,
            end: 0,
            read: 0,
            inherited: 0,
            delivered: 0,
            damage: Damage::default(),
        };
        let mut starts = log.files.starts()?;
        starts.sort_unstable();
        // Of more than there can be the oldest go: the directory was changed by somebody else.
        let skipped = starts.len().saturating_sub(SPOOL_FILES - 1);
        for start in &starts[..skipped] {
            log.set_foreign_aside(*start);
        }
        for start in &starts[skipped..] {
            match log.files.look_at(*start)? {
                // Places never go back.
                Found::Lines(bytes) if *start >= log.end => {
                    log.end = start + bytes;
                    let segment = Segment { start: *start, bytes, damaged: false };
                    let _ = log.segments.push_back(segment);
                }
                Found::Lines(_) | Found::Foreign => log.set_foreign_aside(*start),
                Found::Begun => log.files.remove(*start),
            }
        }
        log.cut_torn_line(buffer)?;
        log.inherited = log.end;
        let first = log.segments.front().map_or(log.end, |segment| segment.start);
        log.delivered = delivered.unwrap_or(first).clamp(first, log.end);
        log.read = log.delivered;
        Ok(log)
    }

    /// The last line that was written may be there in part: whoever wrote it was killed, or the
    /// host went down.
    fn cut_torn_line(&mut self, buffer: &mut Vec<u8>) -> Result<(), SpoolError> {
        let Some(Segment { start, bytes, .. }) = self.segments.back().copied() else {
            return Ok(());
        };
        let file = self.files.open(start, OFlags::RDWR).map_err(SpoolError::Open)?;
        let tail = bytes.min(SPOOL_LINE_BYTES as u64);
        buffer.resize(tail as usize, 0);
        let at = VERSION_LINE.len() as u64 + bytes - tail;
        let read = rustix::io::pread(&file, &mut *buffer, at).map_err(SpoolError::Open)?;
        let ends_at = buffer[..read].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = bytes - tail + ends_at as u64;
        if whole < bytes {
            rustix::fs::ftruncate(&file, VERSION_LINE.len() as u64 + whole)
                .map_err(SpoolError::Open)?;
            if let Some(segment) = self.segments.back_mut() {
                segment.bytes = whole;
                // More than a line has no end: what comes next begins another file.
                segment.damaged = ends_at == 0 && whole > 0;
            }
            self.end = start + whole;
        }
        Ok(())
    }

    /// Bytes of all its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes + VERSION_LINE.len() as u64).sum()
    }

    /// Bytes that wait to be read.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.end - self.read
    }

    /// Bytes that are not delivered.
    pub(super) fn undelivered_bytes(&self) -> u64 {
        self.end - self.delivered
    }

    /// Whether all of it was read.
    pub(crate) fn is_read(&self) -> bool {
        self.read == self.end
    }

    /// How many files there are.
    pub(super) fn count(&self) -> usize {
        self.segments.len()
    }

    /// Whether its oldest file is there, and all of it is delivered and not to be read again.
    pub(super) fn is_done(&self) -> bool {
        let first = self.segments.front();
        first.is_some_and(|first| first.end() <= self.delivered.min(self.read))
    }

    /// Whether there cannot be another file.
    pub(super) fn is_full(&self) -> bool {
        self.segments.is_full()
    }

    /// Adds a line: where it ends. A new file is begun if the last one has `file_bytes`.
    pub(super) fn append(&mut self, line: &[u8], file_bytes: u64) -> Result<u64, Errno> {
        if self.segments.back().is_none_or(|last| last.bytes >= file_bytes || last.damaged) {
            self.begin_file()?;
        }
        let Some(last) = self.segments.back().copied() else { return Err(Errno::NOSPC) };
        if self.writer.is_none() {
            self.writer = Some(self.files.open(last.start, OFlags::WRONLY)?);
        }
        let Some(writer) = &self.writer else { return Err(Errno::BADF) };
        let at = VERSION_LINE.len() as u64 + last.bytes;
        if let Err(error) = write_all(writer, line, at) {
            // What is there in part is written over by the next one, or cut at the next start.
            let _ = rustix::fs::ftruncate(writer, at);
            // A limit of the size of files is one of each.
            if error == Errno::FBIG && last.bytes > 0 && !self.segments.is_full() {
                self.begin_file()?;
                return self.append(line, file_bytes);
            }
            if last.bytes == 0 {
                // An empty file is of no use, and would be removed for the next one over and over.
                self.remove_last();
            }
            return Err(error);
        }
        if let Some(last) = self.segments.back_mut() {
            last.bytes += line.len() as u64;
        }
        self.end += line.len() as u64;
        Ok(self.end)
    }

    /// The line that was added last has been taken: it need not be read.
    pub(super) fn skip_to_end(&mut self) {
        self.read = self.end;
    }

    fn remove_last(&mut self) {
        self.writer = None;
        if let Some(last) = self.segments.pop_back() {
            self.files.remove(last.start);
        }
    }

    fn begin_file(&mut self) -> Result<(), Errno> {
        let start = self.end;
        self.writer = None;
        let file = self.files.open(start, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        if let Err(error) = write_all(&file, VERSION_LINE, 0) {
            self.files.remove(start);
            return Err(error);
        }
        self.writer = Some(file);
        self.segments
            .push_back(Segment { start, bytes: 0, damaged: false })
            .map_err(|_| Errno::NOSPC)
    }

    /// Reads the next line into `buffer`, from its first byte on.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Next>, Errno> {
        while self.read < self.end {
            let is_next = |segment: &&Segment| segment.bytes > 0 && self.read < segment.end();
            let Some(segment) = self.segments.iter().find(is_next).copied() else {
                self.read = self.end;
                break;
            };
            // What lies between two files is gone.
            self.read = self.read.max(segment.start);
            let left = (segment.end() - self.read).min(SPOOL_LINE_BYTES as u64) as usize;
            match self.read_bytes(segment.start, left, buffer) {
                Ok(()) => {}
                // It can be read later.
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(error),
                Err(_) => buffer.clear(),
            }
            let read = buffer.len();
            match Line::read(buffer) {
                Ok(line) => {
                    self.read += line.bytes() as u64;
                    let is_inherited = self.read <= self.inherited;
                    return Ok(Some(Next { line, end: self.read, is_inherited }));
                }
                Err(Bad::Short | Bad::Damaged) => {
                    // The next line that is whole, if there is one.
                    let end = line_behind(buffer);
                    let skipped = match end {
                        Some(bytes) => bytes as u64,
                        // The file was cut, or has no lines from here on.
                        None if read < left => segment.end() - self.read,
                        None => read as u64,
                    };
                    self.read += skipped.max(1);
                    if end.is_some() || self.read >= segment.end() {
                        self.damage.lines += 1;
                    }
                    self.mark_damaged(segment.start);
                }
            }
        }
        Ok(None)
    }

    fn mark_damaged(&mut self, start: u64) {
        let found = self.segments.iter_mut().find(|segment| segment.start == start);
        found.into_iter().for_each(|segment| segment.damaged = true);
    }

    /// Reads so many bytes of a file from the next line on, or what there is of them.
    fn read_bytes(&mut self, start: u64, count: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
        if self.reader.as_ref().is_none_or(|(of, _)| *of != start) {
            self.reader = Some((start, self.files.open(start, OFlags::RDONLY)?));
        }
        let Some((_, reader)) = &self.reader else { return Err(Errno::BADF) };
        buffer.resize(count, 0);
        let read = read_all(reader, buffer, VERSION_LINE.len() as u64 + self.read - start)?;
        buffer.truncate(read);
        Ok(())
    }

    /// Reads again from this place on, or from the first line that is there.
    pub(super) fn read_from(&mut self, place: u64) {
        let first = self.segments.front().map_or(self.end, |segment| segment.start);
        self.read = place.clamp(first, self.end);
    }

    /// Whether the line that ends there is still there.
    pub(super) fn keeps(&self, end: u64) -> bool {
        self.segments.front().is_some_and(|first| end > first.start)
    }

    /// Removes the files that were read, and of which nothing is needed from this place on; the last
    /// one, which is written to, only if told.
    pub(super) fn remove_before(&mut self, place: u64, also_last: bool) {
        while let Some(first) = self.segments.front().copied()
            && first.end() <= place.min(self.read)
            && (self.segments.len() > 1 || also_last)
        {
            self.remove_first();
        }
    }

    /// Removes the oldest file, whatever is in it.
    pub(super) fn remove_first(&mut self) {
        let Some(first) = self.segments.pop_front() else { return };
        if self.segments.is_empty() {
            self.writer = None;
        }
        if self.reader.as_ref().is_some_and(|(of, _)| *of == first.start) {
            self.reader = None;
        }
        match first.damaged {
            true => self.files.set_aside(first.start),
            false => self.files.remove(first.start),
        }
        self.read = self.read.max(first.end());
        self.delivered = self.delivered.max(first.end());
    }

    fn set_foreign_aside(&mut self, start: u64) {
        self.files.set_aside(start);
        self.damage.foreign_files += 1;
    }

    /// Where the next line is read.
    pub(super) fn read_place(&self) -> u64 {
        self.read
    }

    /// Where the oldest file ends.
    pub(super) fn first_end(&self) -> u64 {
        self.segments.front().map_or(self.end, Segment::end)
    }
}

/// Where a line may begin behind bytes that are none: after a line's end, or after zeros, which file
/// systems leave where something was not written.
fn line_behind(bytes: &[u8]) -> Option<usize> {
    let begins = |pair: &[u8]| pair[0] == b'\n' || (pair[0] == 0 && pair[1] != 0);
    let within = bytes.windows(2).position(begins).map(|at| at + 1);
    within.or_else(|| (bytes.last() == Some(&b'\n')).then_some(bytes.len()))
}
