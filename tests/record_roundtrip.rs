//! What is encoded is decoded, and no larger than it was when these tests were written.

mod common;

use common::world::World;
use common::{bytes, context, random_event};
use fastrand::Rng;
use mote::event::{Action, Bytes, Class, Event, Truncated};
use mote::limits::{ARGS_BYTES, BATCH_BYTES, BATCH_EVENTS, LINE_BYTES, PATH_BYTES};
use mote::record::{Batch, Encoder, PREFIX, PushError, Scratch};

const OFFSET_NS: i64 = 1_800_000_000_000_000_000;

fn decode(line: &[u8]) -> Vec<Event> {
    let mut scratch = Scratch::new();
    let mut batch = Batch::parse(line, &mut scratch).unwrap();
    assert_eq!(batch.origin(), &context().origin());
    let mut event = Event::new();
    let mut events = Vec::new();
    while let Some(result) = batch.next(&mut event) {
        result.unwrap();
        events.push(event.clone());
    }
    assert_eq!((batch.unknown_events(), batch.unknown_fields()), (0, 0));
    events
}

/// A hundred thousand events of every action, in lines as full as they get.
#[test]
fn random_events_come_back_equal() {
    let mut rng = Rng::with_seed(1);
    let mut encoder = Encoder::new(Class::Bulk, context());
    let mut line = Bytes::<LINE_BYTES>::new();
    let mut expected = Vec::new();
    let (mut sequence, mut time_ns, mut lines) = (0u64, 1_000_000_000u64, 0);
    for _ in 0..100_000 {
        let action = Action::ALL[rng.usize(..Action::ALL.len())];
        let mut event = random_event(&mut rng, action);
        sequence += 1 + u64::from(rng.u8(..)) / 128;
        time_ns = (time_ns + rng.u64(..1_000_000)).saturating_sub(rng.u64(..200_000));
        (event.sequence, event.time_ns) = (sequence, time_ns);
        match encoder.push(&event) {
            Ok(()) => {}
            Err(PushError::Full) => {
                assert_eq!(encoder.len(), expected.len());
                assert_eq!(encoder.finish(OFFSET_NS, &mut line), expected.len());
                assert!(decode(&line) == expected);
                expected.clear();
                lines += 1;
                encoder.push(&event).unwrap();
            }
            Err(PushError::TooLarge) => continue,
        }
        event.time_ns += OFFSET_NS as u64;
        expected.push(event);
    }
    assert!(lines > 100, "only {lines} lines were full");
}

/// Batches that repeat actors and names as a host does, and what is pushed behind an event that did not
/// fit. One encoder writes all: nothing is left of the batch before.
#[test]
fn events_that_share_actors_and_names_come_back_equal() {
    let mut encoder = Encoder::new(Class::Bulk, context());
    let (mut line, mut fresh_line) = (Bytes::new(), Bytes::new());
    let (mut behind_a_refusal, mut most) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::new(&mut rng);
        let (mut expected, mut refused) = (vec![], 0);
        while refused < 20 {
            let event = world.event(&mut rng);
            match encoder.push(&event) {
                Ok(()) => {
                    behind_a_refusal += usize::from(refused > 0);
                    expected.push(event);
                }
                Err(error) => {
                    assert_eq!(error, PushError::Full);
                    refused += 1;
                }
            }
        }
        let offset_ns = [0, -7, i64::MIN, i64::MAX, OFFSET_NS][rng.usize(..5)];
        assert_eq!(encoder.finish(offset_ns, &mut line), expected.len());
        let mut fresh = Encoder::new(Class::Bulk, context());
        expected.iter().for_each(|event| fresh.push(event).unwrap());
        fresh.finish(offset_ns, &mut fresh_line);
        assert!(line == fresh_line, "{seed}: something is left of another event or batch");
        for event in &mut expected {
            event.time_ns = event.time_ns.wrapping_add_signed(offset_ns);
        }
        assert!(decode(&line) == expected, "{seed}");
        most = most.max(expected.len());
    }
    assert!(behind_a_refusal > 1000 && most == BATCH_EVENTS, "{behind_a_refusal}, {most}");
}

/// As `ps` has it: a clock that is set moves it.
#[test]
fn a_batch_tells_when_its_host_booted() {
    let mut encoder = Encoder::new(Class::Bulk, context());
    let mut scratch = Scratch::new();
    let mut line = Bytes::new();
    for boot_time_ns in [1_790_000_000_000_000_000, -5, i64::MIN] {
        encoder.set_boot_time(boot_time_ns);
        let mut fork = shell();
        fork.action = Action::Fork;
        encoder.push(&fork).unwrap();
        encoder.push(&fork).unwrap();
        encoder.finish(0, &mut line);
        let mut batch = Batch::parse(&line, &mut scratch).unwrap();
        assert_eq!(batch.origin().boot_time_ns, Some(boot_time_ns));
        let mut event = Event::new();
        assert_eq!(std::iter::from_fn(|| batch.next(&mut event)).count(), 2);
        assert_eq!(batch.unknown_fields(), 0);
    }
}

#[test]
fn sequence_and_time_may_jump_anywhere() {
    let mut encoder = Encoder::new(Class::Priority, context());
    let mut expected = Vec::new();
    for (sequence, time_ns) in [(9, 500), (u64::MAX, 0), (0, u64::MAX), (3, 7), (2, 7)] {
        let mut event = Event::new();
        event.action = Action::Fork;
        (event.sequence, event.time_ns) = (sequence, time_ns);
        encoder.push(&event).unwrap();
        expected.push(event);
    }
    let mut line = Bytes::new();
    encoder.finish(0, &mut line);
    assert_eq!(decode(&line), expected);
}

/// The largest event is beyond a batch; without what can be shed, none is.
#[test]
fn an_event_beyond_a_batch_is_refused_and_fits_without_what_it_sheds() {
    let mut encoder = Encoder::new(Class::Bulk, context());
    let mut event = Event::new();
    event.action = Action::Rename;
    event.sequence = 1;
    event.pid = 1;
    event.executable = bytes(&[b'a'; PATH_BYTES]);
    event.lineage.parent_executable = bytes(&[b'e'; PATH_BYTES]);
    event.path = bytes(&[b'b'; PATH_BYTES]);
    event.from = bytes(&[b'c'; PATH_BYTES]);
    let before = event.clone();
    assert_eq!(encoder.push(&event), Err(PushError::TooLarge));
    assert_eq!((encoder.len(), &event), (0, &before));
    event.shed();
    assert_eq!(event.truncated, Truncated::EXECUTABLE.union(Truncated::PARENT_EXECUTABLE));
    encoder.push(&event).unwrap();
    let mut other = event.clone();
    other.path = bytes(&[b'g'; PATH_BYTES]);
    assert_eq!(encoder.push(&other), Err(PushError::Full));

    let mut line = Bytes::new();
    assert_eq!(encoder.finish(0, &mut line), 1);
    assert_eq!(decode(&line)[0].from, event.from);
    assert_eq!(encoder.finish(0, &mut line), 0);
    assert!(line.is_empty(), "of an empty batch");

    event.action = Action::Exec;
    event.from.clear();
    event.executable = bytes(&[b'a'; PATH_BYTES]);
    event.args = bytes(&[b'd'; ARGS_BYTES]);
    event.lineage.parent_executable = bytes(&[b'e'; PATH_BYTES]);
    event.working_directory = bytes(&[b'f'; PATH_BYTES]);
    assert_eq!(encoder.push(&event), Err(PushError::TooLarge));
    event.shed();
    assert!(event.truncated.contains(Truncated::WORKING_DIRECTORY));
    encoder.push(&event).unwrap();
}

/// Every refusal leaves the batch exactly as it was: the line equals that of an encoder
/// that was never asked.
#[test]
fn a_refused_event_leaves_no_trace() {
    let mut rng = Rng::with_seed(2);
    let mut asked = Encoder::new(Class::Bulk, context());
    let mut spared = Encoder::new(Class::Bulk, context());
    let mut refused = 0;
    for sequence in 1..2000 {
        let action = Action::ALL[rng.usize(..Action::ALL.len())];
        let mut event = random_event(&mut rng, action);
        event.sequence = sequence;
        match asked.push(&event) {
            Ok(()) => spared.push(&event).unwrap(),
            Err(_) => refused += 1,
        }
    }
    let (mut line, mut other) = (Bytes::new(), Bytes::new());
    asked.finish(0, &mut line);
    spared.finish(0, &mut other);
    assert!(refused > 1000);
    assert!(line == other);
}

fn shell() -> Event {
    let mut event = Event::new();
    event.time_ns = 5_000_000_000;
    (event.pid, event.tid, event.ppid) = (4242, 4242, Some(4200));
    (event.uid, event.gid) = (1000, 1000);
    event.comm = bytes(b"bash");
    event.executable = bytes(b"/usr/bin/bash");
    event
}

/// Bytes of a line's batch, before base64.
fn batch_bytes(events: &[Event]) -> usize {
    let mut encoder = Encoder::new(Class::Bulk, context());
    for (i, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event.sequence = 1 + i as u64;
        event.time_ns += 40_000 * i as u64;
        encoder.push(&event).unwrap();
    }
    let mut line = Bytes::<LINE_BYTES>::new();
    encoder.finish(OFFSET_NS, &mut line);
    let bytes = (line.len() - PREFIX.len()) * 3 / 4;
    assert!(bytes <= BATCH_BYTES);
    bytes
}

/// What one more event costs when its actor and directories are in the batch.
fn cost(event: &Event) -> usize {
    let one = std::slice::from_ref(event);
    (batch_bytes(&vec![event.clone(); 51]) - batch_bytes(one)).div_ceil(50)
}

/// Against what it was when this was written, which no document promises: whoever makes the
/// format larger should know it.
#[test]
fn events_have_not_grown() {
    let mut rename = shell();
    rename.action = Action::Rename;
    (rename.syscall, rename.ret) = (Some(82), Some(0));
    rename.path = bytes(b"/var/lib/app/a.txt");
    rename.from = bytes(b"/var/lib/app/b.txt");
    let mut exec = shell();
    exec.action = Action::Exec;
    (exec.syscall, exec.ret) = (Some(59), Some(0));
    exec.path = exec.executable.clone();
    exec.args = bytes(b"bash\0-c\0true\0");
    exec.args_count = Some(3);
    let mut exit = shell();
    exit.action = Action::Exit;
    exit.exit_status = Some(256);
    let sizes = [&rename, &exec, &exit].map(cost);
    println!("bytes of a rename, exec, exit: {sizes:?}; of a batch of one: {}", {
        batch_bytes(&[rename.clone()])
    });
    assert!(sizes[0] <= 12, "rename: {}", sizes[0]);
    assert!(sizes[1] <= 25, "exec: {}", sizes[1]);
    assert!(sizes[2] <= 8, "exit: {}", sizes[2]);
}
