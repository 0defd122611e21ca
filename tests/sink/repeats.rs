//! Messages that are sent twice: over UDP, over TCP to a receiver that ends, and where there is
//! no room for that.

use crate::inet::{accept, listener, read_messages, split};
use crate::rig::{PATIENCE, Rig, small};
use crate::unix::Place;
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
    assert_eq!(daemon.read_all(), ["a", "b"]);
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
