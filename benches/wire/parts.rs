//! What the bytes are spent on, by a reading of its own (docs/record-format.md).

use base64ct::{Base64UrlUnpadded, Encoding};
use mote::event::Action;
use mote::record::{PREFIX, find};
use std::collections::HashSet;

/// Bytes by [`Part`].
#[derive(Default)]
pub struct Parts([u64; NAMES.len()]);

#[derive(Clone, Copy)]
enum Part {
    Header,
    Base64,
    Batch,
    Strings,
    Lineages,
    Actors,
    Length,
    Time,
    Sequence,
    Syscall,
    Result,
    Flags,
    Asked,
    PathStart,
    Path,
    FromStart,
    From,
    Args,
    Rest,
}

/// In the order of [`Part`].
const NAMES: [&str; Part::Rest as usize + 1] = [
    "syslog header, own log",
    "m1: and base64's third",
    "batch header, counts",
    "directories, programs",
    "lineages",
    "actors",
    "event: length, what it has, action",
    "event: time",
    "event: sequence, actor",
    "event: system call",
    "event: result",
    "event: flags, truncated",
    "event: the call's flags, mode",
    "event: path, its beginning",
    "event: path, rest",
    "event: other name, its beginning",
    "event: other name, rest",
    "event: arguments",
    "event: the rest",
];

impl Parts {
    pub fn of(lines: &[Vec<u8>]) -> Parts {
        let mut parts = Parts::default();
        for line in lines {
            let Some(payload) = find(line) else {
                parts.0[Part::Header as usize] += line.len() as u64;
                continue;
            };
            let mut room = vec![0; payload.len()];
            let batch = Base64UrlUnpadded::decode(&payload[PREFIX.len()..], &mut room).unwrap();
            parts.0[Part::Header as usize] += (line.len() - payload.len()) as u64;
            parts.0[Part::Base64 as usize] += (payload.len() - batch.len()) as u64;
            parts.batch(batch);
        }
        parts
    }

    pub fn bytes(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn print(&self, events: u64) {
        println!("| part | bytes per event | share |\n| --- | --- | --- |");
        for (name, bytes) in NAMES.iter().zip(self.0) {
            let share = 100.0 * bytes as f64 / self.bytes() as f64;
            println!("| {name} | {:.2} | {share:.1} % |", bytes as f64 / events as f64);
        }
    }

    fn batch(&mut self, bytes: &[u8]) {
        let mut at = Cursor { bytes, at: 0 };
        at.skip(2 + 4 + 16);
        at.number();
        at.skip(2);
        at.blob();
        at.number();
        at.number();
        at.optional();
        let strings: Vec<&[u8]> = {
            let count = at.number();
            self.spend(Part::Batch, &mut at);
            (0..count).map(|_| at.blob()).collect()
        };
        let strings_bytes = at.take();
        let actors: Vec<&[u8]> = {
            let count = at.number();
            self.spend(Part::Batch, &mut at);
            (0..count).map(|_| at.blob()).collect()
        };
        self.spend(Part::Actors, &mut at);
        let numbers: HashSet<u64> = actors.iter().filter_map(|actor| lineage(actor)).collect();
        let with_length = |number: &u64| {
            let bytes = strings[*number as usize - 1].len() as u64;
            bytes + if bytes < 128 { 1 } else { 2 }
        };
        let lineages: u64 = numbers.iter().map(with_length).sum();
        self.0[Part::Lineages as usize] += lineages;
        self.0[Part::Strings as usize] += strings_bytes - lineages;
        let count = at.number();
        self.spend(Part::Batch, &mut at);
        let mut action = 0;
        for _ in 0..count {
            let event = at.blob();
            self.0[Part::Length as usize] += at.take() - event.len() as u64;
            action = self.event(event, action);
        }
        at.at = at.bytes.len();
        self.spend(Part::Batch, &mut at);
    }

    /// Gives the event's action, of that before it.
    fn event(&mut self, bytes: &[u8], action_before: u8) -> u8 {
        let mut at = Cursor { bytes, at: 0 };
        let bits = at.number();
        let has = |bit: u32| bits & 1 << bit != 0;
        let action = if has(0) { at.byte() } else { action_before };
        self.spend(Part::Length, &mut at);
        at.number();
        self.spend(Part::Time, &mut at);
        for _ in (1..=2).filter(|bit| has(*bit)) {
            at.number();
        }
        self.spend(Part::Sequence, &mut at);
        if has(3) {
            at.optional();
        }
        self.spend(Part::Syscall, &mut at);
        if has(4) {
            at.optional();
        }
        self.spend(Part::Result, &mut at);
        if has(5) {
            at.number();
            at.number();
        }
        self.spend(Part::Flags, &mut at);
        for _ in (6..=7).filter(|bit| has(*bit)) {
            at.optional();
        }
        self.spend(Part::Asked, &mut at);
        let mut name = |start: Part, rest: Part, at: &mut Cursor| {
            at.number();
            self.spend(start, at);
            at.blob();
            self.spend(rest, at);
        };
        match Action::from_number(action) {
            Some(Action::Rename | Action::Link | Action::Symlink) => {
                name(Part::FromStart, Part::From, &mut at);
                name(Part::PathStart, Part::Path, &mut at);
            }
            Some(Action::Exec) => {
                name(Part::PathStart, Part::Path, &mut at);
                at.blob();
                self.spend(Part::Args, &mut at);
            }
            Some(
                Action::Open
                | Action::Unlink
                | Action::Rmdir
                | Action::Mkdir
                | Action::Chmod
                | Action::Chown
                | Action::Truncate
                | Action::Utime
                | Action::Setxattr
                | Action::Mknod
                | Action::Umount
                | Action::Mount,
            ) => name(Part::PathStart, Part::Path, &mut at),
            _ => {}
        }
        at.at = at.bytes.len();
        self.spend(Part::Rest, &mut at);
        action
    }

    fn spend(&mut self, part: Part, at: &mut Cursor) {
        self.0[part as usize] += at.take();
    }
}

/// The number of the lineage in the strings.
fn lineage(actor: &[u8]) -> Option<u64> {
    let mut at = Cursor { bytes: actor, at: 0 };
    at.number();
    at.number();
    at.optional();
    at.number();
    at.number();
    at.blob();
    at.number();
    at.blob();
    if at.at == actor.len() {
        return None;
    }
    at.optional();
    Some(at.number()).filter(|number| *number > 0)
}

/// Bytes that are taken are those before `at`.
struct Cursor<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl<'s> Cursor<'s> {
    fn take(&mut self) -> u64 {
        self.bytes = &self.bytes[self.at..];
        std::mem::take(&mut self.at) as u64
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        for group in 0.. {
            let byte = self.byte();
            number |= u64::from(byte & 127) << (7 * group);
            if byte < 128 {
                break;
            }
        }
        number
    }

    fn optional(&mut self) {
        if self.byte() == 1 {
            self.number();
        }
    }

    fn blob(&mut self) -> &'s [u8] {
        let length = self.number() as usize;
        self.at += length;
        &self.bytes[self.at - length..self.at]
    }
}
