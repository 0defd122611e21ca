//! Datagrams of the process connector: messages, what they mean, and what their numbers tell of those
//! that are missing.

use crate::event::{Action, Event};
use crate::source::netlink::decode::{ID, Message, Task, Told, What, messages};
use crate::source::netlink::sequence::Sequences;
use std::cell::RefCell;
use std::collections::HashMap;

/// `struct nlmsghdr`, `struct cn_msg` and `struct proc_event` up to its union.
const LEAST_BYTES: usize = 16 + 20 + 16;

thread_local! {
    static EVENT: RefCell<Box<Event>> = RefCell::new(Box::new(Event::new()));
}

/// See [`fuzzed`](super).
pub fn check(datagram: &[u8]) -> bool {
    let results: Vec<_> = messages(datagram).collect();
    let read: Vec<Message> = results.iter().flatten().copied().collect();
    let (lengths, is_whole) = lengths(datagram);
    assert_eq!(results.len(), lengths + usize::from(!is_whole), "each has its length in front");
    assert!(is_whole || results.last().is_some_and(Result::is_err));
    for error in results.iter().filter_map(|result| result.err()) {
        assert!(!error.to_string().is_empty());
    }
    assert!(read.len() * LEAST_BYTES <= datagram.len(), "each has its bytes");
    for message in &read {
        EVENT.with_borrow_mut(|event| tell(message, event));
        let again = messages(&bytes_of(message)).collect::<Vec<_>>();
        assert_eq!(again, [Ok(*message)], "what was read is written the same");
    }
    count_missing(&read);
    read.len() == results.len() && !read.is_empty()
}

/// How many messages have a length that can be, and whether nothing is behind them.
fn lengths(datagram: &[u8]) -> (usize, bool) {
    let (mut rest, mut count) = (datagram, 0);
    while let Some(length) = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes) as usize)
        && (16..=rest.len()).contains(&length)
    {
        count += 1;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (count, rest.is_empty())
}

fn tell(message: &Message, event: &mut Event) {
    event.clear();
    let told = message.tell(event);
    assert_eq!(event.time_ns, message.time_ns);
    let is_event = matches!(event.action, Action::Fork | Action::Exec | Action::Exit);
    assert_eq!(told == Told::Event, is_event, "{message:?}");
    if let What::Fork { child, .. } = message.what {
        assert_eq!((event.pid, event.tid), (child.pid, child.tid));
    }
}

/// A datagram with this message alone.
fn bytes_of(message: &Message) -> Vec<u8> {
    let pair = |task: Task| [task.tid, task.pid];
    let (what, ack, union): (u32, u32, Vec<u32>) = match message.what {
        What::Answer(ack, errno) => (0, ack, vec![errno]),
        What::Fork { parent, child } => (1, 0, [pair(parent), pair(child)].concat()),
        What::Exec(task) => (2, 0, pair(task).into()),
        What::User(task, user) => (4, 0, [&pair(task)[..], &[user]].concat()),
        What::Group(task, group) => (0x40, 0, [&pair(task)[..], &[group]].concat()),
        What::Session(task) => (0x80, 0, pair(task).into()),
        What::Traced(task, tracer) => (0x100, 0, [pair(task), pair(tracer)].concat()),
        What::Name(task, name) => {
            let mut words = pair(task).to_vec();
            let mut padded = name.to_vec();
            padded.resize(name.len().next_multiple_of(4), 0);
            words.extend(padded.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)));
            (0x200, 0, words)
        }
        What::CoreDump(task) => (0x4000_0000, 0, pair(task).into()),
        What::Exit { task, status, parent } => {
            (1 << 31, 0, [&pair(task)[..], &[status, 0, 0, parent.unwrap_or(0)]].concat())
        }
        What::Other(what) => (what, 0, Vec::new()),
    };
    let event_bytes = 16 + 4 * union.len() as u32;
    let (cpu, time_ns) = (message.cpu.unwrap_or(u32::MAX), message.time_ns.to_ne_bytes());
    let header = [16 + 20 + event_bytes, 3, 0, 0];
    let connector = [ID.0, ID.1, message.sequence, ack, event_bytes];
    let event = [what, cpu];
    let words = header.iter().chain(&connector).chain(&event);
    let mut bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
    bytes.extend(time_ns);
    bytes.extend(union.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}

/// Every number that was passed over is missing, or comes late, and none is told twice.
fn count_missing(messages: &[Message]) {
    let sequence = messages.iter().filter_map(|message| Some((message.cpu?, message.sequence)));
    let numbers: Vec<(u32, u32)> =
        sequence.filter(|(cpu, _)| *cpu < crate::limits::CONNECTOR_CPUS as u32).collect();
    if numbers.len() < 2 {
        return;
    }
    let mut sequences = Sequences::new();
    let (mut next, mut passed_over, mut late) = (HashMap::new(), 0u64, 0u64);
    let mut lost = 0;
    for (cpu, number) in numbers {
        lost += sequences.note(cpu, number, 0);
        let due = next.entry(cpu).or_insert(number);
        let ahead = number.wrapping_sub(*due) as i32;
        match u64::try_from(ahead) {
            Ok(ahead) => {
                passed_over += ahead;
                *due = number.wrapping_add(1);
            }
            Err(_) => late += 1,
        }
    }
    lost += sequences.give_up_all();
    assert!((passed_over.saturating_sub(late)..=passed_over).contains(&lost), "{lost}");
    assert_eq!(sequences.give_up_all(), 0, "a loss is told once");
}
