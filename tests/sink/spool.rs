//! Messages on disk: of a sensor that is killed, for a receiver that is away or ends.

use crate::rig::{Rig, large, small};
use crate::unix::Place;
use mote::claim::{Holder, Unclaimed};
use mote::event::Class;
use mote::sink::{Lost, SpoolError, SpoolOptions};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Disk(tempfile::TempDir);

impl Disk {
    pub fn new() -> Disk {
        Disk(tempfile::tempdir().unwrap())
    }

    pub fn options(&self) -> SpoolOptions {
        SpoolOptions { dir: self.0.path().join("spool"), bytes: 1 << 20 }
    }
}

fn rig(place: &Place, disk: &Disk) -> Rig {
    Rig::spooling(&place.target(), small(8), Some(&disk.options()))
}

pub fn names(class: &str, numbers: core::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("m1:{class}{number}")).collect()
}

pub fn offer(rig: &mut Rig, class: Class, numbers: core::ops::Range<u32>) {
    for name in names(class.name(), numbers) {
        rig.sink.offer(class, 1, 1, name.as_bytes());
    }
}

/// Without those that came before.
pub fn once(messages: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    messages.into_iter().filter(|message| seen.insert(message.clone())).collect()
}

#[test]
fn a_receiver_that_is_away_costs_nothing() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut rig = rig(&place, &disk);
    offer(&mut rig, Class::Bulk, 0..100);
    offer(&mut rig, Class::Priority, 0..50);
    // Those in memory too.
    assert!(rig.sink.spooled_bytes().unwrap() > 5_000);
    assert_eq!(rig.sink.spooled_bytes(), rig.sink.kept_bytes());
    assert_eq!(rig.sink.unkept(), 0);
    let daemon = place.daemon();
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        got.len() == 150 || sink.is_closed()
    });
    let of = |class| got.iter().filter(|name| name.contains(class)).cloned().collect::<Vec<_>>();
    assert_eq!(of("bulk"), names("bulk", 0..100));
    assert_eq!(of("priority"), names("priority", 0..50));
    // But for some of bulk that were in memory before, what cannot wait came first.
    assert_eq!(got.iter().take(60).filter(|name| name.contains("priority")).count(), 50);
    assert_eq!(rig.sink.sent_events(), 150);
    assert_eq!(rig.sink.take_shed().messages(), 0);
}

#[test]
fn what_a_sensor_had_that_was_killed_is_sent_by_the_next() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut first = rig(&place, &disk);
    offer(&mut first, Class::Bulk, 0..30);
    drop(first);
    let mut second = rig(&place, &disk);
    offer(&mut second, Class::Bulk, 30..40);
    let daemon = place.daemon();
    let mut got = Vec::new();
    second.run("deliver", |_| {
        got.extend(daemon.read_all());
        got.len() == 40
    });
    assert_eq!(got, names("bulk", 0..40));
    assert_eq!(second.sink.sent_events(), 10, "those of this run");
    // What is delivered is not sent again.
    second.sink.drain(Instant::now());
    drop(second);
    let mut third = rig(&place, &disk);
    offer(&mut third, Class::Bulk, 40..41);
    assert_eq!(daemon.read_all(), names("bulk", 40..41));
}

/// rsyslogd that is killed loses what it had read and not written.
#[test]
fn a_receiver_that_ended_gets_again_what_it_had_just_read() {
    let (place, disk) = (Place::new(), Disk::new());
    let daemon = place.daemon();
    let mut rig = rig(&place, &disk);
    let mut got = Vec::new();
    for number in 0..50 {
        offer(&mut rig, Class::Bulk, number..number + 1);
        got.extend(daemon.read_all());
    }
    assert_eq!(got, names("bulk", 0..50));
    drop(daemon);
    let daemon = place.daemon();
    let mut again = Vec::new();
    offer(&mut rig, Class::Bulk, 50..51);
    rig.run("deliver", |_| {
        again.extend(daemon.read_all());
        again.len() == 51
    });
    assert_eq!(again, names("bulk", 0..51));
    assert_eq!(rig.sink.sent_events(), 51, "each is counted once");
    assert_eq!(rig.sink.take_shed().messages(), 0);
}

#[test]
fn receivers_that_end_again_and_again_get_all() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut rig = rig(&place, &disk);
    let mut got = Vec::new();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut offered = [0; 2];
    for _ in 0..15 {
        // It reads some of what it is sent, and is gone.
        let daemon = place.daemon();
        for _ in 0..rng.u32(..30) {
            let class = Class::ALL[rng.usize(..2)];
            let number = &mut offered[class as usize];
            offer(&mut rig, class, *number..*number + 1);
            *number += 1;
            rig.turn();
            if rng.bool() {
                got.extend(daemon.read_all());
            }
        }
        if rng.bool() {
            rig = Rig::spooling(&place.target(), small(8), Some(&disk.options()));
        }
    }
    let daemon = place.daemon();
    // Only what is sent tells that a receiver is gone.
    offer(&mut rig, Class::Bulk, offered[1]..offered[1] + 1);
    offered[1] += 1;
    let all: usize = offered.iter().sum::<u32>() as usize;
    rig.run("deliver", |_| {
        got.extend(daemon.read_all());
        once(got.clone()).len() == all
    });
    assert_eq!(rig.sink.take_shed().messages(), 0);
}

#[test]
fn a_full_spool_is_counted() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut rig = rig(&place, &disk);
    let payload = "x".repeat(500);
    for _ in 0..3000 {
        rig.sink.offer(Class::Bulk, 2, 3, payload.as_bytes());
    }
    let shed = rig.sink.take_shed();
    assert!(shed.spool.messages > 500 && shed.spool.bulk_events == 3 * shed.spool.messages);
    assert_eq!((shed.queue, shed.refused), (Lost::default(), Lost::default()));
    let daemon = place.daemon();
    let mut count = 0;
    rig.run("deliver", |sink| {
        count += daemon.read_all().len() as u64;
        sink.spooled_bytes() == Some(0) && sink.backlog() == 0
    });
    count += daemon.read_all().len() as u64;
    assert_eq!(count + shed.spool.messages, 3000);
}

/// The lock is a process's: the test runs itself again as another one.
#[test]
fn two_sensors_do_not_share_a_spool() {
    const DIR: &str = "MOTE_TEST_SPOOL";
    if let Some(dir) = std::env::var_os(DIR) {
        let options = SpoolOptions { dir: dir.into(), bytes: 1 << 20 };
        let mut rig = Rig::spooling(&Place::new().target(), small(8), Some(&options));
        assert_eq!(rig.sink.spool_error(), None, "another receiver has another directory");
        rig = Rig::spooling("unix:/nonexistent/log", small(8), Some(&options));
        let unclaimed = Unclaimed::Other(Holder(Some(std::os::unix::process::parent_id())));
        assert_eq!(rig.sink.spool_error(), Some(&SpoolError::Unclaimed(unclaimed)));
        offer(&mut rig, Class::Bulk, 0..3);
        assert_eq!((rig.sink.backlog(), rig.sink.unkept()), (3, 3));
        return;
    }
    let disk = Disk::new();
    let _first = Rig::spooling("unix:/nonexistent/log", small(8), Some(&disk.options()));
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spool::two_sensors_do_not_share_a_spool"])
        .env(DIR, disk.options().dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Places in a spool that is gone are nothing in the one that is made anew.
#[test]
fn a_spool_that_was_removed_begins_anew() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut rig = Rig::spooling(&place.target(), small(40), Some(&disk.options()));
    let payload = |number: u32| format!("m1:{number:05}{}", "x".repeat(500));
    let offer = |rig: &mut Rig, numbers: core::ops::Range<u32>| {
        numbers.for_each(|n| rig.sink.offer(Class::Bulk, 1, 1, payload(n).as_bytes()));
    };
    offer(&mut rig, 0..100);
    std::fs::remove_dir_all(disk.options().dir).unwrap();
    let mut number = 100;
    while rig.sink.spool_error().is_none() {
        offer(&mut rig, number..number + 1);
        number += 1;
        assert!(number < 1000);
    }
    rig.sink.take_shed();
    let daemon = place.daemon();
    rig.tick_at(Instant::now() + Duration::from_secs(11));
    assert_eq!(rig.sink.spool_error(), None);
    // What was in memory is delivered.
    assert!(rig.sink.sent_messages() > 5);
    let mut got = daemon.read_all();
    assert_eq!(rig.sink.kept_bytes(), Some(0));
    offer(&mut rig, number..number + 40);
    got.extend(daemon.read_all());
    drop(daemon);
    // As a process that is killed.
    drop(rig);
    let mut rig = Rig::spooling(&place.target(), small(40), Some(&disk.options()));
    let daemon = place.daemon();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.backlog() == 0 && sink.spooled_bytes() == Some(0)
    });
    got.extend(daemon.read_all());
    let missing: Vec<u32> = (number..number + 40).filter(|n| !got.contains(&payload(*n))).collect();
    assert!(missing.is_empty(), "{missing:?} of {number} and what follows");
}

/// A receiver that takes all at once, as long as it lives, and where it is.
fn fast() -> (std::net::UdpSocket, String) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("udp:{}", socket.local_addr().unwrap());
    (socket, target)
}

#[test]
fn a_turn_sends_a_part_of_what_waits() {
    let disk = Disk::new();
    let (_fast, target) = fast();
    let mut rig = Rig::spooling(&format!("{target},rate=1"), small(8), Some(&disk.options()));
    offer(&mut rig, Class::Bulk, 0..3000);
    drop(rig);
    let mut rig = Rig::spooling(&target, small(8), Some(&disk.options()));
    let first = rig.sink.sent_messages();
    assert!(first > 0 && first < 500, "{first}");
    assert!(rig.sink.deadline().unwrap() <= Instant::now(), "the next turn is at once");
    rig.run("deliver", |sink| sink.spooled_bytes() == Some(0) && sink.backlog() == 0);
    drop(rig);
    let rig = Rig::spooling(&target, small(8), Some(&disk.options()));
    assert_eq!(rig.sink.kept_bytes(), Some(0));
}

/// A journal would throw them away, and they would be gone on disk too.
#[test]
fn what_is_on_disk_does_not_go_faster_at_the_end() {
    let disk = Disk::new();
    let (_fast, target) = fast();
    let target = format!("{target},rate=1");
    let mut rig = Rig::spooling(&target, small(8), Some(&disk.options()));
    offer(&mut rig, Class::Bulk, 0..100);
    assert_eq!(rig.sink.unkept(), 0);
    rig.sink.drain(Instant::now() + Duration::from_secs(1));
    assert!(rig.sink.sent_messages() < 10, "{}", rig.sink.sent_messages());
    assert!(rig.sink.kept_bytes().unwrap() > 5_000);
    // What is not on disk would be lost.
    let mut rig = Rig::spooling(&target, large(512), None);
    offer(&mut rig, Class::Bulk, 0..4);
    rig.sink.drain(Instant::now());
    assert_eq!(rig.sink.sent_messages(), 4);
}

#[test]
fn the_log_of_the_sensor_is_not_lost_with_it() {
    let (place, disk) = (Place::new(), Disk::new());
    let mut rig = rig(&place, &disk);
    rig.sink.offer_log(mote::say::Level::Info, "it is on standard error too");
    assert_eq!((rig.sink.backlog(), rig.sink.unkept()), (1, 0));
}
