//! A spool on a disk that is full, or cannot be written.

use crate::rig::{PATIENCE, Rig, large, skipped, small};
use crate::spool::{names, offer, once};
use crate::unix::{Daemon, Place};
use mote::event::Class;
use mote::sink::{Capacity, SpoolOptions};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

/// A file system of its own, as long as it lives.
struct Mount(tempfile::TempDir);

impl Mount {
    /// For a test of this name, which is skipped where nothing can be mounted.
    fn new(test: &str, options: &str) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "mote-test"]).arg(dir.path());
        if !command.output().is_ok_and(|output| output.status.success()) {
            skipped(test, "nothing can be mounted (needs root)");
            return None;
        }
        Some(Mount(dir))
    }

    /// With a spool of some files.
    fn options(&self) -> SpoolOptions {
        SpoolOptions { dir: self.0.path().join("spool"), bytes: 1 << 20 }
    }

    fn rig(&self, place: &Place, capacity: Capacity) -> Rig {
        Rig::spooling(&place.target(), capacity, Some(&self.options()))
    }

    /// A child that another test has just forked has what was removed open, until it executes.
    fn wait_for_room(&self) {
        let end = Instant::now() + PATIENCE;
        let free_blocks = || rustix::fs::statvfs(self.0.path()).unwrap().f_bfree;
        while free_blocks() < 8 {
            assert!(Instant::now() < end, "{} free blocks", free_blocks());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn again(&self, options: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", options]).arg(self.0.path());
        assert!(command.status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Runs until nothing waits any more: what the daemon got.
fn delivered(rig: &mut Rig, daemon: &Daemon) -> Vec<String> {
    let mut got = Vec::new();
    rig.run("deliver", |sink| {
        got.extend(daemon.read_all());
        sink.spooled_bytes() == Some(0) && sink.backlog() == 0
    });
    got.extend(daemon.read_all());
    got
}

/// Offers until a message finds no room on disk: how many.
fn until_full(rig: &mut Rig) -> u32 {
    let full = (0..10_000).find(|number| {
        offer(rig, Class::Bulk, *number..*number + 1);
        rig.sink.spool_error().is_some()
    });
    full.expect("a disk that is full") + 1
}

#[test]
fn a_full_disk_leaves_the_rest_in_memory_until_there_is_room() {
    let Some(mount) = Mount::new("a_full_disk", "size=64k") else { return };
    let place = Place::new();
    let mut rig = mount.rig(&place, small(8));
    let fill = mount.0.path().join("fill");
    std::fs::write(&fill, vec![0; 40 << 10]).unwrap();
    let offered = until_full(&mut rig);
    let error = rig.sink.spool_error().unwrap();
    assert!(error.remedy().contains("make room"), "{error}");
    assert_eq!(rig.sink.unkept(), 1);
    // What finds no room in memory either is counted.
    offer(&mut rig, Class::Bulk, offered..offered + 20);
    let shed = rig.sink.take_shed().queue;
    assert!(shed.bulk_events > 10, "{shed:?}");
    std::fs::remove_file(fill).unwrap();
    offer(&mut rig, Class::Bulk, offered + 20..offered + 30);
    assert!(rig.sink.spool_error().is_some(), "it may be short messages that find room");
    let daemon = place.daemon();
    let got = delivered(&mut rig, &daemon);
    assert_eq!(got.len() as u64 + shed.messages, u64::from(offered) + 30);
    assert_eq!(once(got.clone()).len(), got.len());
    rig.tick_at(Instant::now() + Duration::from_secs(11));
    assert_eq!(rig.sink.spool_error(), None);
}

#[test]
fn a_disk_that_the_spool_itself_has_filled_has_room_again_when_all_is_delivered() {
    let Some(mount) = Mount::new("a_disk_that_the_spool_itself_has_filled", "size=64k") else {
        return;
    };
    let place = Place::new();
    let mut rig = mount.rig(&place, small(8));
    until_full(&mut rig);
    // What tells more takes the place of what tells less.
    offer(&mut rig, Class::Priority, 0..10);
    let spooled = rig.sink.spooled_bytes();
    assert_eq!(spooled, rig.sink.kept_bytes(), "what lost its file is in memory only");
    let shed = rig.sink.take_shed().spool;
    assert!(shed.bulk_events > 100 && shed.priority_events == 0, "{shed:?}");
    // Until it has all the room.
    let mut offered = 10;
    let mut kept = rig.sink.kept_bytes();
    loop {
        offer(&mut rig, Class::Priority, offered..offered + 1);
        offered += 1;
        assert!(offered < 10_000);
        if core::mem::replace(&mut kept, rig.sink.kept_bytes()) == rig.sink.kept_bytes() {
            break;
        }
    }
    let daemon = place.daemon();
    let got = delivered(&mut rig, &daemon);
    let got: BTreeSet<String> = got.into_iter().collect();
    let missing = names("priority", 0..offered).into_iter().filter(|name| !got.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new());
    rig.sink.take_shed();
    // A datagram proves that those before it were read.
    offer(&mut rig, Class::Bulk, 0..1);
    assert!(rig.sink.spool_error().is_some());
    rig.tick_at(Instant::now() + Duration::from_secs(11));
    mount.wait_for_room();
    offer(&mut rig, Class::Bulk, 1..2);
    assert_eq!(rig.sink.take_shed().messages(), 0);
    assert!(rig.sink.spool_error().is_some(), "it may be a short message that found room");
    rig.tick_at(Instant::now() + Duration::from_secs(22));
    assert_eq!(rig.sink.spool_error(), None);
}

/// A disk may have room for the first line of a file, and not for a message.
#[test]
fn long_messages_end_on_a_full_disk() {
    let Some(mount) = Mount::new("long_messages_end_on_a_full_disk", "size=64k") else { return };
    let place = Place::new();
    let mut rig = mount.rig(&place, large(8_000));
    let payload = format!("m1:{}", "x".repeat(7_000));
    let mut offered = 0;
    while rig.sink.spool_error().is_none() {
        rig.sink.offer(Class::Bulk, 1, 1, payload.as_bytes());
        offered += 1;
    }
    rig.sink.offer(Class::Priority, 1, 1, payload.as_bytes());
    assert_eq!(rig.sink.kept_bytes().map(|bytes| bytes / 7_000), Some(1));
    let shed = rig.sink.take_shed();
    assert_eq!(rig.sink.unkept() as u64 + shed.messages(), offered, "{shed:?}");
}

#[test]
fn a_read_only_disk_is_told_and_taken_when_it_can_be_written() {
    let Some(mount) = Mount::new("a_read_only_disk", "size=1m") else { return };
    let place = Place::new();
    let mut rig = mount.rig(&place, small(8));
    offer(&mut rig, Class::Bulk, 0..2);
    drop(rig);
    mount.again("remount,ro");
    let daemon = place.daemon();
    let mut rig = mount.rig(&place, small(8));
    assert!(rig.sink.spool_error().unwrap().to_string().contains("Read-only"));
    offer(&mut rig, Class::Bulk, 2..4);
    assert_eq!(daemon.read_all(), names("bulk", 2..4), "it goes on without");
    drop(rig);
    mount.again("remount,rw");
    let mut rig = mount.rig(&place, small(8));
    assert_eq!(rig.sink.spool_error(), None);
    offer(&mut rig, Class::Bulk, 4..5);
    let mut got = daemon.read_all();
    rig.run("deliver", |_| {
        got.extend(daemon.read_all());
        got.len() == 3
    });
    assert_eq!(got, [names("bulk", 0..2), names("bulk", 4..5)].concat());
}
