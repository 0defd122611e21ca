//! Process connector → message → event → known process → line.

use crate::allocator::without_heap;
use crate::records::{self, Lines, fork, pipeline};
use mote::event::{Action, Bytes, Class, Event, Flags, IfLost, Loss, LossPlace};
use mote::limits::LINE_BYTES;
use mote::record::{Batch, Scratch};
use mote::sensor::pipeline::{Output, monotonic_ns};
use mote::source::netlink::decode::{Message, messages};
use mote::source::netlink::{Netlink, Taken};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// Larger than the kernel gives.
const NO_PID: u32 = 5_000_000;

const FORK: u32 = 1;
const EXEC: u32 = 2;
const UID: u32 = 4;
const GID: u32 = 0x40;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// A datagram with one event.
fn datagram(what: u32, union: &[u32]) -> Vec<u8> {
    let mut fields = [0u32; 6];
    fields[..union.len()].copy_from_slice(union);
    let head = [76, 3, 7, 0, 1, 1, 7, 0, 40, what, 2, 0, 1 << 30];
    head.iter().chain(&fields).flat_map(|field| field.to_ne_bytes()).collect()
}

/// A process that is gone, with a thread, from its fork to its end.
fn life(pid: u32) -> Vec<Vec<u8>> {
    let own = std::process::id();
    [
        (FORK, [own, own, pid, pid]),
        (UID, [pid, pid, 1000, 1000]),
        (GID, [pid, pid, 100, 100]),
        (EXEC, [pid, pid, 0, 0]),
        (COMM, [pid, pid, 0x6d6d_6f63, 0]),
        (FORK, [own, own, pid + 1, pid]),
        (EXIT, [pid + 1, pid, 0, u32::MAX]),
        (EXIT, [pid, pid, 0x300, 17]),
    ]
    .map(|(what, union)| datagram(what, &union))
    .into()
}

#[test]
fn lives_told_by_ids_touch_no_heap() {
    const LIVES: u32 = 2_000;
    let lives: Vec<Vec<u8>> = (0..LIVES).flat_map(|n| life(NO_PID + 2 * n)).collect();
    let mut pipeline = pipeline();
    pipeline.scan_identities();
    let mut lines = Lines::default();
    without_heap(|| {
        for message in lives.iter().flat_map(|bytes| messages(bytes)).flatten() {
            pipeline.message(&message, &mut lines);
        }
        pipeline.flush(&mut lines);
    });
    // A fork, an exec and an exit of each.
    assert_eq!(lines.events, u64::from(3 * LIVES));
    assert_eq!(pipeline.totals().lost, 0);
}

/// A process that lives, which is looked up anew each time.
#[test]
fn a_look_at_what_is_executed_touches_no_heap() {
    let own = std::process::id();
    let exec = datagram(EXEC, &[own, own]);
    let exec: Message = messages(&exec).next().unwrap().unwrap();
    let mut pipeline = pipeline();
    let mut lines = Lines::default();
    let place = LossPlace::Connector;
    without_heap(|| {
        for _ in 0..100 {
            pipeline.message(&exec, &mut lines);
            pipeline.lose(Loss { place, class: None, cpu: None, receiver: None, count: 1 });
        }
        pipeline.flush(&mut lines);
    });
    // And the record of the losses.
    assert_eq!(lines.events, 100 + 1);
}

/// The last line.
struct Last(Box<Bytes<LINE_BYTES>>);

impl Output for Last {
    fn offer(&mut self, _: Class, _: u32, _: &IfLost, line: &[u8]) {
        self.0.clear();
        self.0.extend_from_slice(line).unwrap();
    }
}

/// While one provider takes over from the other: the connector tells of a child first, and eBPF
/// then where it works.
#[test]
fn a_child_that_both_tell_of_touches_no_heap_and_has_a_directory() {
    let own = std::process::id();
    let told = datagram(FORK, &[own, own, NO_PID, NO_PID]);
    let told: Message = messages(&told).next().unwrap().unwrap();
    let (forked, made) =
        (fork(NO_PID), records::at(1, records::call(libc::SYS_mkdirat, NO_PID, "new")));
    let mut pipeline = pipeline();
    pipeline.scan_processes();
    pipeline.begin_overlap();
    let mut last = Last(Box::new(Bytes::new()));
    without_heap(|| {
        pipeline.message(&told, &mut last);
        pipeline.record(Class::Priority, 0, &forked, &mut last);
        pipeline.record(Class::Bulk, 0, &made, &mut last);
        pipeline.flush(&mut last);
    });
    assert_eq!(pipeline.totals().received, 2, "a fork and a mkdir");
    let mut scratch = Scratch::new();
    let mut batch = Batch::parse(&last.0, &mut scratch).unwrap();
    let mut event = Event::new();
    batch.next(&mut event).unwrap().unwrap();
    assert_eq!(event.action, Action::Mkdir);
    let path = std::env::current_dir().unwrap().join("new");
    assert_eq!((&event.path[..], event.flags), (path.as_os_str().as_bytes(), Flags(0)));
}

/// From the socket on, where the kernel lets us.
#[test]
fn the_socket_touches_no_heap() {
    let mut netlink = match Netlink::start(monotonic_ns()) {
        Ok(netlink) => netlink,
        Err(error) => return println!("skipped: the_socket_touches_no_heap {error}"),
    };
    let mut pipeline = pipeline();
    pipeline.scan_identities();
    let mut lines = Lines::default();
    for _ in 0..20 {
        assert!(Command::new("/bin/true").status().unwrap().success());
    }
    without_heap(|| {
        while 0 < netlink
            .drain(monotonic_ns(), u64::MAX, false, 10, |taken| match taken {
                Taken::Message(message) => pipeline.message(message, &mut lines),
                Taken::Loss(loss) => pipeline.lose(loss),
            })
            .unwrap()
        {}
        netlink.count_overrun();
        netlink.look_after(monotonic_ns()).unwrap();
        pipeline.flush(&mut lines);
    });
    assert!(lines.events >= 3 * 20, "{}", lines.events);
}
