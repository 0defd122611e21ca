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
    PathStart,
    Path,
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
    "event: length, action",
    "event: time",
    "event: sequence, actor",
    "event: system call",
    "event: result",
    "event: flags, truncated",
    "event: path, directory's number",
    "event: path, rest",
    "event: other name",
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
        at.skip(2 + 16);
        at.number();
        at.skip(2);
        at.blob();
        at.number();
        at.number();
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
        for _ in 0..count {
            let event = at.blob();
            self.0[Part::Length as usize] += at.take() - event.len() as u64;
            self.event(event);
        }
        at.at = at.bytes.len();
        self.spend(Part::Batch, &mut at);
    }

    fn event(&mut self, bytes: &[u8]) {
        let mut at = Cursor { bytes, at: 0 };
        let action = Action::from_number(at.byte());
        self.spend(Part::Length, &mut at);
        at.number();
        self.spend(Part::Time, &mut at);
        at.number();
        at.number();
        self.spend(Part::Sequence, &mut at);
        at.optional();
        self.spend(Part::Syscall, &mut at);
        at.optional();
        self.spend(Part::Result, &mut at);
        at.number();
        at.number();
        self.spend(Part::Flags, &mut at);
        if let Some(
            Action::Connect | Action::Bind | Action::Listen | Action::Accept | Action::Send,
        )
        | Some(Action::Loss | Action::Heartbeat | Action::Capability)
        | Some(
            Action::Fork | Action::Exit | Action::Setuid | Action::Setgid | Action::Setsid,
        )
        | Some(Action::Pause | Action::Resume | Action::Ptrace | Action::Kill)
        | Some(Action::Unshare | Action::Setns | Action::ClockSet | Action::IoUring)
        | None = action
        {
            at.at = at.bytes.len();
            return self.spend(Part::Rest, &mut at);
        }
        at.number();
        self.spend(Part::PathStart, &mut at);
        at.blob();
        self.spend(Part::Path, &mut at);
        match action {
            Some(Action::Exec) => {
                at.blob();
                self.spend(Part::Args, &mut at);
            }
            Some(Action::Rename | Action::Link | Action::Symlink | Action::Mount) => {
                at.number();
                at.blob();
                self.spend(Part::From, &mut at);
            }
            _ => {}
        }
        at.at = at.bytes.len();
        self.spend(Part::Rest, &mut at);
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
