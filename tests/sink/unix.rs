//! The local daemon's socket: slow, absent, restarted, of the other kind.

use crate::rig::{PATIENCE, Rig, large, small};
use mote::event::Class;
use mote::sink::{Errno, Lost, State};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    pub fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        Place { _directory: directory, path }
    }

    pub fn target(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    pub fn daemon(&self) -> Daemon {
        let _ = std::fs::remove_file(&self.path);
        Daemon::new(&self.path)
    }
}

pub struct Daemon(UnixDatagram);

impl Daemon {
    fn new(path: &Path) -> Daemon {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Daemon(socket)
    }

    /// The payload of the next message.
    pub fn read(&self) -> Option<String> {
        let mut buffer = vec![0; 1 << 20];
        match self.0.recv(&mut buffer) {
            Ok(bytes) => {
                let text = core::str::from_utf8(&buffer[..bytes]).unwrap();
                assert!(text.starts_with("<86>") && !text.ends_with('\0'), "{text:?}");
                Some(text.split_once("]: ").unwrap().1.to_owned())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn read_all(&self) -> Vec<String> {
        std::iter::from_fn(|| self.read()).collect()
    }
}

#[test]
fn messages_arrive_in_order() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(4));
    assert_eq!(rig.sink.state(), State::Ready);
    rig.offer(&["m1:a", "m1:b"]);
    assert_eq!(daemon.read_all(), ["m1:a", "m1:b"]);
    assert_eq!((rig.sink.sent_messages(), rig.sink.sent_events()), (2, 2));
    assert_eq!(rig.sink.deadline(), None);
}

#[test]
fn a_slow_daemon_costs_bulk_first_and_all_is_counted() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(4));
    // The kernel takes what fits into the daemon's queue (max_dgram_qlen); one waits.
    let mut filled = 0;
    while rig.sink.backlog() == 0 {
        rig.offer(&[&format!("fill{filled}")]);
        filled += 1;
        assert!(filled < 100_000);
    }
    for n in 0..5 {
        rig.sink.offer(Class::Bulk, 10, 10, format!("bulk{n}").as_bytes());
        rig.sink.offer(Class::Priority, 3, 3, format!("priority{n}").as_bytes());
    }
    assert_eq!(rig.sink.backlog(), 4);
    // Four of eleven stay: the last four priority messages.
    let shed = rig.sink.take_shed();
    assert_eq!(
        shed.queue,
        Lost { bulk_events: 51, priority_events: 3, new_events: 54, messages: 7 }
    );
    assert_eq!(shed.refused, Lost::default());
    assert_eq!(rig.sink.take_shed().queue, Lost::default());
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.backlog() == 0
    });
    got.extend(daemon.read_all());
    let expected: Vec<String> = (0..filled - 1)
        .map(|n| format!("fill{n}"))
        .chain((1..5).map(|n| format!("priority{n}")))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn a_blocked_sink_is_woken_by_the_daemon() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(4));
    while rig.sink.backlog() == 0 {
        rig.offer(&["fill"]);
    }
    // What readiness there was before the daemon read is not what is looked for.
    rig.react(Duration::ZERO);
    assert_eq!(rig.sink.backlog(), 1);
    daemon.read_all();
    // Without a tick, so not by the retry.
    rig.react(PATIENCE);
    assert_eq!(rig.sink.backlog(), 0);
}

#[test]
fn an_absent_daemon_is_waited_for() {
    let place = Place::new();
    let mut rig = Rig::new(&place.target(), small(4));
    assert_eq!(rig.sink.state(), State::Down(Errno::NOENT));
    assert_eq!(rig.sink.state().to_string(), "No such file or directory (os error 2)");
    let first = rig.sink.deadline().unwrap().saturating_duration_since(Instant::now());
    assert!(first <= Duration::from_millis(100), "{first:?}");
    rig.offer(&["a", "b"]);
    assert_eq!(rig.sink.backlog(), 2);
    rig.run("fail again", |sink| {
        sink.deadline().unwrap() > Instant::now() + Duration::from_millis(150)
    });
    let daemon = place.daemon();
    rig.run_empty();
    assert_eq!(daemon.read_all(), ["a", "b"]);
    assert_eq!(rig.sink.state(), State::Ready);
}

#[test]
fn what_a_closed_daemon_had_not_read_is_sent_again() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(16));
    rig.offer(&["a", "b", "c", "d", "e"]);
    assert_eq!(rig.sink.backlog(), 0);
    assert_eq!(daemon.read().as_deref(), Some("a"));
    assert_eq!(daemon.read().as_deref(), Some("b"));
    // Its success proves that `a` and `b` were read.
    rig.offer(&["f"]);
    drop(daemon);
    let daemon = place.daemon();
    rig.offer(&["g"]);
    assert_eq!(rig.sink.state(), State::Down(Errno::CONNREFUSED));
    rig.run_empty();
    assert_eq!(daemon.read_all(), ["c", "d", "e", "f", "g"]);
    assert_eq!(rig.sink.sent_messages(), 7);
    assert_eq!(rig.sink.take_shed().queue, Lost::default());
}

#[test]
fn a_daemon_that_restarts_often_misses_nothing() {
    let place = Place::new();
    let mut daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(64));
    let mut random = fastrand::Rng::with_seed(11);
    let (mut got, mut total) = (Vec::new(), 0);
    for n in 0..60 {
        rig.offer(&[&format!("{n:02}{}", "x".repeat(random.usize(0..300)))]);
        total += 1;
        for _ in 0..random.usize(0..3) {
            got.extend(daemon.read());
        }
        if n % 20 == 13 {
            drop(daemon);
            daemon = place.daemon();
        }
        // The default queue of a receiver is 10 messages: let it be reached, not stay.
        if n % 20 == 19 {
            rig.run("deliver", |sink| {
                got.extend(daemon.read_all());
                sink.backlog() == 0
            });
        }
    }
    got.extend(daemon.read_all());
    let numbers: BTreeSet<&str> = got.iter().map(|text| &text[..2]).collect();
    assert_eq!(numbers.len(), total, "{numbers:?}");
    // Each restart repeats the messages not known to be read: few, as most were read.
    assert!(got.len() < total + 3 * 14, "{} of {total}", got.len());
    assert_eq!(rig.sink.sent_messages(), total as u64);
}

#[test]
fn a_stream_daemon_gets_messages_closed_by_nul() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.path).unwrap();
    let mut rig = Rig::new(&place.target(), small(4));
    assert_eq!(rig.sink.state(), State::Ready);
    rig.offer(&["a", "b"]);
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).unwrap();
    let text = core::str::from_utf8(&bytes[..read]).unwrap();
    let ends: Vec<&str> =
        text.split_terminator('\0').map(|line| line.split_once("]: ").unwrap().1).collect();
    assert_eq!(ends, ["a", "b"]);
    assert!(text.ends_with("b\0"));
    // It goes away with a message unread, and its successor gets that one.
    rig.offer(&["c"]);
    drop(stream);
    rig.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    rig.run("connect", |sink| sink.state() == State::Ready);
    let (mut stream, _) = listener.accept().unwrap();
    rig.run_empty();
    let read = stream.read(&mut bytes).unwrap();
    let text = core::str::from_utf8(&bytes[..read]).unwrap();
    assert!(text.ends_with("]: c\0"), "{text:?}");
}

#[test]
fn a_datagram_too_large_is_refused_and_the_next_one_goes() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), large(1 << 20));
    // Above any `net.core.wmem_default` in use, which is 208 KiB.
    rig.sink.offer(Class::Bulk, 9, 9, &vec![b'x'; 1 << 19]);
    rig.sink.offer(Class::Priority, 5, 5, &vec![b'x'; 1 << 21]);
    rig.offer(&["next"]);
    assert_eq!(daemon.read_all(), ["next"]);
    let refused = rig.sink.take_shed().refused;
    assert_eq!(refused, Lost { bulk_events: 9, priority_events: 5, new_events: 14, messages: 2 });
}

#[test]
fn drain_waits_for_a_slow_daemon_and_not_for_an_absent_one() {
    let place = Place::new();
    let mut rig = Rig::new(&place.target(), small(4));
    rig.offer(&["a"]);
    let start = Instant::now();
    rig.sink.drain(start + Duration::from_millis(150));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(rig.sink.backlog(), 1);

    let daemon = place.daemon();
    while rig.sink.backlog() < 4 {
        rig.offer(&["b"]);
    }
    let reader = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        daemon.read_all().len()
    });
    rig.sink.drain(Instant::now() + Duration::from_secs(5));
    assert_eq!(rig.sink.backlog(), 0);
    assert!(reader.join().unwrap() > 0);
}

#[test]
fn an_unused_queue_is_not_resident() {
    let resident_kib = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let place = Place::new();
    let before_kib = resident_kib();
    let rig =
        Rig::new(&place.target(), mote::sink::Capacity { messages: 512, line_bytes: 1 << 20 });
    // Other tests run at the same time and use some megabytes; the queue has 512 MiB.
    assert!(resident_kib() < before_kib + (256 << 10));
    drop(rig);
}
