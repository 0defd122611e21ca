//! Line → syslog message → socket.
//!
//! The queue and the sockets take nothing from the heap. The `syslog` crate does, for the
//! header of each message: of RFC 3164 it parses its description of the timestamp anew, of
//! RFC 5424 it makes the timestamp a string. All of it is given back before the next
//! message, so that it cannot grow.

use crate::allocator::{Heap, heap_of};
use mio::{Poll, Token};
use mote::event::Class;
use mote::limits::{LINE_BYTES, QUEUE_MESSAGES};
use mote::sink::{Capacity, Sink, Target};
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
    let target: Target = target.parse().unwrap();
    Sink::with_capacity(&target, "host", poll.registry(), Token(1), Capacity::default()).unwrap()
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
