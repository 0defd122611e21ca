//! Datagrams of literal bytes: of this kernel, of 3.10, damaged.

use super::decode::{Malformed, Message, Task, Told, What, messages};
use crate::event::{Action, Change, Event};

/// As 6.18 sent it for the end of a child that exited with 3.
const EXIT: &str = "
    4c000000 0300 0000 09000000 00000000
    01000000 01000000 09000000 00000000 2800 0000
    00000080 00000000 dc123e63eb170000
    19320000 19320000 00030000 11000000 e4310000 e4310000";

/// The same in 3.10, whose exit has no parent: the union is as large.
const EXIT_3_10: &str = "
    4c000000 0300 0000 09000000 00000000
    01000000 01000000 09000000 00000000 2800 0000
    00000080 00000000 dc123e63eb170000
    19320000 19320000 00030000 11000000 00000000 00000000";

/// If the union ended with it.
const EXIT_SHORT: &str = "
    44000000 0300 0000 09000000 00000000
    01000000 01000000 09000000 00000000 2000 0000
    00000080 00000000 dc123e63eb170000
    19320000 19320000 00030000 11000000";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A datagram with one event, as the kernel pads it.
pub(crate) fn datagram(what: u32, union: &[u32]) -> Vec<u8> {
    let mut fields = [0u32; 6];
    fields[..union.len()].copy_from_slice(union);
    let head = [76, 3, 7, 0, 1, 1, 7, 0, 40, what, 2, 99, 0];
    head.iter().chain(&fields).flat_map(|field| field.to_ne_bytes()).collect()
}

fn one(datagram: &[u8]) -> Message {
    let mut messages = messages(datagram);
    let first = messages.next().unwrap().unwrap();
    assert_eq!(messages.next(), None);
    first
}

fn tell(what: u32, union: &[u32]) -> (Told, Event) {
    let mut event = Event::new();
    let told = one(&datagram(what, union)).tell(&mut event);
    (told, event)
}

#[test]
fn an_exit_of_every_age_is_read() {
    let task = Task { pid: 0x3219, tid: 0x3219 };
    for (hex, parent) in [(EXIT, Some(0x31e4)), (EXIT_3_10, None), (EXIT_SHORT, None)] {
        let expected = Message {
            cpu: Some(0),
            sequence: 9,
            time_ns: 0x17eb_633e_12dc,
            what: What::Exit { task, status: 0x300, parent },
        };
        assert_eq!(one(&bytes(hex)), expected);
    }
}

#[test]
fn what_is_reported_becomes_an_event() {
    // The thread's number comes first in each pair.
    let (told, fork) = tell(1, &[11, 10, 20, 20]);
    assert_eq!((told, fork.action, fork.pid, fork.tid), (Told::Event, Action::Fork, 20, 20));
    assert_eq!((fork.ppid, fork.ret, fork.time_ns), (Some(10), Some(20), 99));

    let (told, exec) = tell(2, &[20, 20]);
    assert_eq!((told, exec.action, exec.pid, exec.ret), (Told::Event, Action::Exec, 20, Some(0)));

    let (told, exit) = tell(0x8000_0000, &[21, 20, 0x8b, 17, 11, 10]);
    assert_eq!((told, exit.action, exit.pid, exit.tid), (Told::Event, Action::Exit, 20, 21));
    assert_eq!((exit.exit_status, exit.ppid), (Some(0x8b), Some(10)));
}

#[test]
fn what_changes_a_process_is_told() {
    let (told, event) = tell(4, &[20, 20, 1000, 0]);
    assert_eq!((told, event.pid, event.uid), (Told::Change(Change::User), 20, 1000));
    let (told, event) = tell(0x40, &[20, 20, 100, 0]);
    assert_eq!((told, event.pid, event.gid), (Told::Change(Change::Group), 20, 100));
    // A thread is not a child, and its parent is its process's.
    let (told, event) = tell(1, &[11, 10, 21, 20]);
    assert_eq!((told, event.pid, event.tid), (Told::Change(Change::Thread), 20, 21));
    let name = u32::from_ne_bytes(*b"pool");
    let (told, event) = tell(0x200, &[21, 20, name, 0, 0, 0]);
    assert_eq!((told, event.tid, &event.comm[..]), (Told::Change(Change::Name), 21, &b"pool"[..]));
    let (told, event) = tell(0x80, &[20, 20]);
    assert_eq!((told, event.pid), (Told::Change(Change::Session), 20));
    // Sixteen bytes without an end.
    let (_, event) = tell(0x200, &[21, 20, name, name, name, name]);
    assert_eq!(&event.comm[..], b"poolpoolpoolpoo");
}

#[test]
fn the_rest_is_read_and_not_reported() {
    let task = Task { pid: 20, tid: 21 };
    for (what, union, expected) in [
        (0, &[1][..], What::Answer(0, 1)),
        (0x100, &[21, 20, 31, 30], What::Traced(task, Task { pid: 30, tid: 31 })),
        (0x100, &[21, 20, 0, 0], What::Traced(task, Task { pid: 0, tid: 0 })),
        (0x4000_0000, &[21, 20, 11, 10], What::CoreDump(task)),
        (0x400, &[21, 20], What::Other(0x400)),
        (u32::MAX, &[], What::Other(u32::MAX)),
    ] {
        assert_eq!(one(&datagram(what, union)).what, expected);
        assert_eq!(tell(what, union).0, Told::Nothing);
    }
}

#[test]
fn an_answer_of_3_10_is_in_no_sequence() {
    let mut answer = datagram(0, &[1]);
    answer[40..44].copy_from_slice(&u32::MAX.to_ne_bytes());
    answer[28..32].copy_from_slice(&43u32.to_ne_bytes());
    let answer = one(&answer);
    assert_eq!((answer.cpu, answer.what), (None, What::Answer(43, 1)));
}

#[test]
fn several_messages_in_a_datagram_are_read() {
    let (fork, exec) = (datagram(1, &[1, 1, 2, 2]), datagram(2, &[2, 2]));
    let both = [&fork[..], &exec].concat();
    let whats: Vec<What> = messages(&both).map(|message| message.unwrap().what).collect();
    assert_eq!(whats, [one(&fork).what, one(&exec).what]);
    // A message of a length that is padded.
    let mut odd = exec.clone();
    odd.extend([0; 4]);
    odd[0] = 77;
    let both = [&odd[..], &fork].concat();
    assert_eq!(messages(&both).filter(Result::is_ok).count(), 2);
    // What follows a damaged one is not looked at.
    let cut = [&fork[..], &exec[..30], &fork].concat();
    let results: Vec<bool> = messages(&cut).map(|message| message.is_ok()).collect();
    assert_eq!(results[..2], [true, false]);
}

#[test]
fn what_is_cut_or_foreign_is_refused() {
    let whole = datagram(0x8000_0000, &[1, 1, 0, 17, 2, 2]);
    for length in 1..whole.len() {
        let first = messages(&whole[..length]).next().unwrap();
        assert_eq!(first, Err(Malformed::Short(length)), "{length}");
        // Cut by the headers' own account, whose length tells of less than there is.
        let mut cut = whole[..length].to_vec();
        if length >= 16 {
            cut[..4].copy_from_slice(&(length as u32).to_ne_bytes());
            assert!(messages(&cut).next().unwrap().is_err(), "{length}");
        }
    }
    assert_eq!(messages(&[]).next(), None);
    for (offset, idx, val) in [(16, 9, 1), (20, 1, 9)] {
        let mut foreign = whole.clone();
        foreign[offset] = 9;
        assert_eq!(messages(&foreign).next(), Some(Err(Malformed::Foreign(idx, val))));
    }
    // Lengths that wrap or lie.
    for length in [0, 15, 77, u32::MAX - 2, u32::MAX] {
        let mut lying = whole.clone();
        lying[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(messages(&lying).next(), Some(Err(Malformed::Short(76))));
    }
    let mut lying = whole;
    lying[32..34].copy_from_slice(&u16::MAX.to_ne_bytes());
    assert_eq!(messages(&lying).next(), Some(Err(Malformed::Short(60))));
}

/// Whatever comes: no panic, and no endless loop.
#[test]
fn damaged_datagrams_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(1);
    let kinds = [0, 1, 2, 4, 0x40, 0x80, 0x100, 0x200, 0x4000_0000, 0x8000_0000, 0x400];
    let mut event = Event::new();
    let mut read = 0;
    for _ in 0..200_000 {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(1..4) {
            let fields: [u32; 6] = core::array::from_fn(|_| random.u32(..));
            bytes.extend(datagram(kinds[random.usize(..kinds.len())], &fields));
        }
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        if random.bool() {
            bytes.truncate(random.usize(..=bytes.len()));
        }
        for message in messages(&bytes).flatten() {
            event.clear();
            message.tell(&mut event);
            read += 1;
        }
    }
    assert!(read > 100_000, "{read}");
}
