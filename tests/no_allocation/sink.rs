//! Line → syslog message → socket.
//!
//! The queue and the sockets take nothing from the heap. The `syslog` crate does, for the
//! header of each message: of RFC 3164 it parses its description of the timestamp anew, of
//! RFC 5424 it makes the timestamp a string. All of it is given back before the next
//! message, so that it cannot grow.

use crate::allocator::{Heap, heap_of};
use crate::common::line_of_all_actions;
use fastrand::Rng;
use mio::{Poll, Token};
use mote::event::Class;
use mote::limits::{LINE_BYTES, QUEUE_MESSAGES};
use mote::sink::{Capacity, Form, GivenReceiver, Receiver, Sink, SpoolOptions, Target};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

const MESSAGES: usize = 100;
const LINE: [u8; LINE_BYTES / 2] = [b'x'; LINE_BYTES / 2];

/// Of RFC 3164, the larger one, it is 3 of 559 bytes in all with syslog 7.0.0 and time 0.3.
const HEADER_ALLOCATIONS: u64 = 4;
const HEADER_BYTES: u64 = 1024;

fn sink(poll: &Poll, target: &str) -> Sink {
    let given: GivenReceiver = target.parse().unwrap();
    let (receiver, capacity) = (given.or_form(Form::Compact), Capacity::default());
    Sink::with_capacity(&receiver, "host", poll.registry(), Token(1), None, capacity).unwrap()
}

/// What one message costs, which has to be the same for all and is given back.
fn heap_of_each(sink: &mut Sink, mut receive: impl FnMut()) -> Heap {
    let mut costs = (0..MESSAGES).map(|_| {
        let heap = heap_of(|| sink.offer(Class::Bulk, 1, 1, &LINE));
        receive();
        heap
    });
    let first = costs.next().unwrap();
    for (cost, n) in costs.zip(1..) {
        assert_eq!(cost, first, "message {n}");
    }
    assert_eq!(first.allocated_bytes, first.freed_bytes);
    assert_eq!(sink.sent_messages(), MESSAGES as u64);
    first
}

#[test]
fn a_message_to_a_unix_socket_costs_its_header_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let poll = Poll::new().unwrap();
    let mut sink = sink(&poll, &format!("unix:{}", path.display()));
    let mut buffer = [0; LINE_BYTES];
    let cost = heap_of_each(&mut sink, || {
        assert!(receiver.recv(&mut buffer).unwrap() > LINE.len());
    });
    assert!(cost.allocations <= HEADER_ALLOCATIONS, "{cost:?}");
    assert!(cost.allocated_bytes <= HEADER_BYTES, "{cost:?}");
}

#[test]
fn a_message_over_udp_costs_its_header_only() {
    let receiver = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let poll = Poll::new().unwrap();
    let mut sink = sink(&poll, &format!("udp:{}", receiver.local_addr().unwrap()));
    let mut buffer = [0; LINE_BYTES];
    let cost = heap_of_each(&mut sink, || {
        assert!(receiver.recv(&mut buffer).unwrap() > LINE.len());
    });
    assert!(cost.allocations <= HEADER_ALLOCATIONS, "{cost:?}");
    assert!(cost.allocated_bytes <= HEADER_BYTES, "{cost:?}");
}

#[test]
fn a_line_on_standard_output_costs_nothing() {
    let poll = Poll::new().unwrap();
    let file = tempfile::tempfile().unwrap();
    let mut sink =
        Sink::on_output(file.as_fd(), poll.registry(), Token(1), Capacity::default()).unwrap();
    assert_eq!(heap_of_each(&mut sink, || ()), Heap::default());
}

/// Nor does what makes a message of each event.
#[test]
fn an_event_a_line_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let record = line_of_all_actions(&mut Rng::with_seed(5));
    let events = u64::try_from(mote::event::Action::ALL.len()).unwrap();
    for form in ["json", "ocsf", "cef", "text"] {
        let poll = Poll::new().unwrap();
        let mut sink = sink(&poll, &format!("unix:{},format={form}", path.display()));
        let mut buffer = [0; LINE_BYTES];
        receiver.set_nonblocking(true).unwrap();
        let heap = heap_of(|| {
            sink.offer(Class::Bulk, 1, 1, &record);
            while sink.backlog() > 0 {
                while receiver.recv(&mut buffer).is_ok() {}
                sink.drain(Instant::now());
            }
        });
        while receiver.recv(&mut buffer).is_ok() {}
        assert!(heap.allocations <= events * HEADER_ALLOCATIONS, "{form}: {heap:?}");
        assert_eq!(heap.allocated_bytes, heap.freed_bytes);
    }
}

/// Nor does a second time.
#[test]
fn a_repetition_costs_its_header_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let poll = Poll::new().unwrap();
    let mut sink = sink(&poll, &format!("unix:{},repeat=60", path.display()));
    let mut buffer = [0; LINE_BYTES];
    for _ in 0..MESSAGES {
        let heap = heap_of(|| {
            sink.offer(Class::Bulk, 1, 1, &LINE);
            sink.drain_repeats(Instant::now());
        });
        for _ in 0..2 {
            assert!(receiver.recv(&mut buffer).unwrap() > LINE.len());
        }
        assert!(heap.allocations <= 2 * HEADER_ALLOCATIONS, "{heap:?}");
        assert_eq!(heap.allocated_bytes, heap.freed_bytes);
    }
}

/// A spool neither, once its first file is there.
#[test]
fn a_message_on_disk_costs_its_header_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let poll = Poll::new().unwrap();
    let target: Target = format!("unix:{}", path.display()).parse().unwrap();
    let (to, capacity) = (Receiver::from(target), Capacity::default());
    let spool = SpoolOptions { dir: directory.path().join("spool"), bytes: 1 << 20 };
    let (registry, spool) = (poll.registry(), Some(&spool));
    let mut sink = Sink::with_capacity(&to, "host", registry, Token(1), spool, capacity).unwrap();
    let mut buffer = [0; LINE_BYTES];
    let cost = heap_of_each(&mut sink, || {
        assert!(receiver.recv(&mut buffer).unwrap() > LINE.len());
    });
    assert!(cost.allocations <= HEADER_ALLOCATIONS, "{cost:?}");
    assert!(cost.allocated_bytes <= HEADER_BYTES, "{cost:?}");
}

/// The queue sheds, the connection is tried again: none of it needs the heap.
#[test]
fn a_receiver_that_is_away_costs_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let poll = Poll::new().unwrap();
    let mut sink = sink(&poll, &format!("unix:{}", path.display()));
    let heap = heap_of(|| {
        for _ in 0..2 * QUEUE_MESSAGES {
            sink.offer(Class::Bulk, 1, 1, &LINE);
            sink.tick(poll.registry(), Instant::now());
        }
    });
    assert_eq!(sink.backlog(), QUEUE_MESSAGES);
    assert!(heap.allocations <= 2 * QUEUE_MESSAGES as u64 * HEADER_ALLOCATIONS, "{heap:?}");
    assert_eq!(heap.allocated_bytes, heap.freed_bytes);
}
