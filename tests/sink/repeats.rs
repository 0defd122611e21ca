//! Messages that are sent twice: over UDP, over TCP to a receiver that ends, and where there is
//! no room for that.

use crate::inet::{accept, listener, read_messages, split};
use crate::rig::{PATIENCE, Rig, small};
use crate::spool::Disk;
use crate::unix::Place;
use mote::sink::State;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

#[test]
fn the_second_one_is_the_first_later() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let mut rig =
        Rig::spooling(&format!("udp:{},repeat=1", receiver.local_addr().unwrap()), small(4), None);
    let begin = Instant::now();
    rig.offer(&["a", "b"]);
    let mut got: Vec<(Vec<u8>, Duration)> = Vec::new();
    rig.run("send all twice", |_| {
        let mut buffer = [0; 512];
        while let Ok(read) = receiver.recv(&mut buffer) {
            got.push((buffer[..read].to_vec(), begin.elapsed()));
        }
        got.len() == 4
    });
    // With the time at which it was offered, too.
    assert_eq!((&got[2].0, &got[3].0), (&got[0].0, &got[1].0));
    assert!(got[1].1 < Duration::from_secs(1) && got[2].1 >= Duration::from_secs(1), "{got:?}");
    assert_eq!((rig.sink.sent_messages(), rig.sink.sent_events()), (2, 2));
    assert_eq!(rig.sink.deadline(), None, "nothing is left to send");
}

#[test]
fn what_a_receiver_had_not_read_when_it_ended_comes_again() {
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::spooling(&format!("tcp:127.0.0.1:{port},repeat=1"), small(4), None);
    let stream = accept(&mut rig, &listener);
    rig.offer(&["a", "b"]);
    rig.run("be acknowledged", |sink| {
        sink.backlog() == 0 && stream.peek(&mut [0; 512]).is_ok_and(|bytes| bytes > 100)
    });
    drop(stream);
    let mut stream = accept(&mut rig, &listener);
    let bytes = read_messages(&mut rig, &mut stream, 2);
    assert_eq!(split(&bytes).0, [b"a", b"b"]);
    assert_eq!(rig.sink.sent_messages(), 2);
}

#[test]
fn at_the_end_it_comes_at_once() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::spooling(&format!("{},repeat=60", place.target()), small(4), None);
    rig.offer(&["a", "b"]);
    assert_eq!(daemon.read_all(), ["a", "b"]);
    assert_eq!(rig.sink.unkept(), 0, "it was sent");
    rig.sink.drain(Instant::now() + PATIENCE);
    assert!(daemon.read_all().is_empty());
    rig.sink.drain_repeats(Instant::now() + PATIENCE);
    assert_eq!(daemon.read_all(), ["a", "b"]);
}

/// More than the sink writes before others have their turn.
#[test]
fn at_the_end_all_of_them_come() {
    const MESSAGES: usize = 400;
    let listener = listener(0);
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::spooling(&format!("tcp:127.0.0.1:{port},repeat=60"), small(4), None);
    let mut stream = accept(&mut rig, &listener);
    rig.run("connect", |sink| sink.state() == State::Ready);
    for number in 0..MESSAGES {
        rig.offer(&[&number.to_string()]);
    }
    rig.sink.drain_repeats(Instant::now() + PATIENCE);
    assert_eq!(rig.sink.deadline(), None, "some were left");
    let (bytes, twice) = (read_messages(&mut rig, &mut stream, 2 * MESSAGES as u64), 2 * MESSAGES);
    assert_eq!(split(&bytes).0.len(), twice);
    assert_eq!(split(&bytes).0[..MESSAGES], split(&bytes).0[MESSAGES..]);
}

#[test]
fn the_end_waits_for_no_second_time() {
    let listener = listener(0);
    let target = format!("tcp:{},repeat=60", listener.local_addr().unwrap());
    let mut away = Rig::spooling(&target, small(4), None);
    let stream = accept(&mut away, &listener);
    let limited = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("udp:{},repeat=60,rate=2", limited.local_addr().unwrap());
    let mut limited = Rig::spooling(&target, small(16), None);
    away.offer(&["a"]);
    limited.offer(&["a", "b"]);
    away.run_empty();
    drop((stream, listener));
    away.run("notice", |sink| matches!(sink.state(), State::Down(_)));
    for rig in [&mut away, &mut limited] {
        let begin = Instant::now();
        rig.sink.drain(begin + PATIENCE);
        rig.sink.drain_repeats(begin + PATIENCE);
        assert!(begin.elapsed() < PATIENCE / 2, "{}", rig.sink.receiver());
    }
    assert_eq!(limited.sink.sent_messages(), 2);
}

/// The second ones have what the limit leaves.
#[test]
fn a_limit_is_for_the_first_ones_first() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let target = format!("udp:{},repeat=1,rate=40", receiver.local_addr().unwrap());
    let mut rig = Rig::spooling(&target, small(8), None);
    let (begin, mut next, mut got) = (Instant::now(), 0, 0);
    while begin.elapsed() < Duration::from_secs(4) {
        // Thirty a second, of which each has gone before the next one comes, but behind what was begun.
        if begin.elapsed() >= Duration::from_millis(33) * next {
            assert!(rig.sink.backlog() <= 2, "{} wait", rig.sink.backlog());
            rig.offer(&[&next.to_string()]);
            next += 1;
        }
        rig.turn();
        while receiver.recv(&mut [0; 512]).is_ok() {
            got += 1;
        }
    }
    assert_eq!(rig.sink.take_shed().messages(), 0);
    assert!(got > u64::from(next), "none came again");
}

/// What waits on disk can wait: it does not keep what was sent from being sent again.
#[test]
fn it_goes_by_turns_with_a_spool() {
    const MESSAGES: usize = 600;
    let (place, disk) = (Place::new(), Disk::new());
    let target = format!("{},repeat=1", place.target());
    let mut rig = Rig::spooling(&target, small(8), Some(&disk.options()));
    for number in 0..MESSAGES {
        rig.offer(&[&number.to_string()]);
    }
    let daemon = place.daemon();
    let (mut got, mut distinct) = (Vec::new(), BTreeSet::new());
    let mut again_behind = None;
    rig.run("send all twice", |_| {
        // Two hundred a second.
        got.extend((0..4).filter_map(|_| daemon.read()));
        std::thread::sleep(Duration::from_millis(20));
        distinct.extend(got.iter().cloned());
        if got.len() > distinct.len() {
            again_behind.get_or_insert(distinct.len());
        }
        got.len() == 2 * MESSAGES
    });
    assert_eq!(distinct.len(), MESSAGES);
    assert!(again_behind.is_some_and(|behind| behind < MESSAGES), "{again_behind:?}");
    assert_eq!((rig.sink.take_shed().messages(), rig.sink.sent_messages()), (0, MESSAGES as u64));
}

/// A receiver that takes less than there is: the second ones are what gives way, and nobody waits
/// for them.
#[test]
fn the_first_ones_have_the_room() {
    let place = Place::new();
    let daemon = place.daemon();
    let target = format!("{},repeat=1,rate=20", place.target());
    let mut rig = Rig::spooling(&target, small(8), None);
    let (begin, mut next, mut turns) = (Instant::now(), 0, 0);
    let mut got: Vec<String> = Vec::new();
    while begin.elapsed() < Duration::from_secs(3) {
        // Fifty a second.
        while begin.elapsed() >= Duration::from_millis(20) * next {
            rig.offer(&[&next.to_string()]);
            next += 1;
        }
        rig.turn();
        turns += 1;
        got.extend(daemon.read_all());
    }
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), got.len(), "one came again");
    rig.run("send the first ones", |sink| {
        got.extend(daemon.read_all());
        sink.unkept() == 0
    });
    got.extend(daemon.read_all());
    let distinct = got.iter().collect::<BTreeSet<_>>().len() as u64;
    let shed = rig.sink.take_shed();
    assert!(shed.new_events() > 10, "there was no flood: {shed:?}");
    assert_eq!(
        (distinct + shed.new_events(), shed.queue.messages),
        (next.into(), shed.new_events())
    );
    assert_eq!(rig.sink.sent_events(), distinct);
    assert!(turns < 1_000, "the loop turned {turns} times");
}
