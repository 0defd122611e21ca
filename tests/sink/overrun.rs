//! A local daemon that stops reading while more is sent than the queue holds.

use crate::rig::{Rig, small};
use crate::unix::{Daemon, Place};
use mote::sink::{Shed, State};

const MESSAGES: usize = 4;

/// Offers until the daemon's socket and the queue are full and nothing is shed: what was
/// sent has given up its place. Gives the number of messages.
fn overrun(rig: &mut Rig) -> usize {
    let mut offered = 0;
    while rig.sink.backlog() < MESSAGES {
        rig.offer(&[&format!("m1:{offered}")]);
        offered += 1;
        assert!(offered < 100_000);
    }
    assert!(offered > 2 * MESSAGES, "the daemon's socket took only {offered}");
    offered
}

fn deliver(rig: &mut Rig, daemon: &Daemon) -> Vec<String> {
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.backlog() == 0 && sink.state() == State::Ready
    });
    got.extend(daemon.read_all());
    got
}

#[test]
fn what_a_dead_daemon_did_not_read_is_sent_again_or_counted() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(MESSAGES));
    let offered = overrun(&mut rig);
    assert_eq!(rig.sink.take_shed(), Shed::default());
    drop(daemon);
    let daemon = place.daemon();
    rig.run("notice", |sink| sink.state() != State::Ready);
    let got = deliver(&mut rig, &daemon);
    let shed = rig.sink.take_shed();
    assert_eq!(got.len(), MESSAGES);
    assert_eq!(shed.queue.bulk_events, (offered - MESSAGES) as u64);
    assert_eq!(shed.queue.messages, shed.queue.bulk_events);
    assert_eq!(rig.sink.sent_events(), offered as u64, "the kernel took them");
}

#[test]
fn what_a_late_daemon_read_is_not_counted() {
    let place = Place::new();
    let daemon = place.daemon();
    let mut rig = Rig::new(&place.target(), small(MESSAGES));
    let offered = overrun(&mut rig);
    assert_eq!(deliver(&mut rig, &daemon).len(), offered);
    // Its success proves that all before it was read.
    rig.offer(&["after"]);
    drop(daemon);
    let daemon = place.daemon();
    rig.offer(&["again"]);
    assert_eq!(deliver(&mut rig, &daemon), ["after", "again"]);
    assert_eq!(rig.sink.take_shed(), Shed::default());
}
