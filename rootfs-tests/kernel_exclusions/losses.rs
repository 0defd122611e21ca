//! What rings have no room for, by process and by system call.

use crate::files;
use crate::support::runner::{Test, again};
use crate::support::worker::Worker;
use crate::support::{release, require_live};
use crate::watch::Watch;
use mote::event::Action;

pub const TESTS: &[Test] = &[
    ("what_rings_lose_is_counted", what_rings_lose_is_counted),
    ("slots_of_dead_processes_are_free_again", slots_of_dead_processes_are_free_again),
];

fn what_rings_lose_is_counted() {
    require_live();
    const RENAMES: u64 = 20_000;
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    worker.ask(&format!("renames {RENAMES}"));
    let arrived = watch.count(&worker, Action::Rename);
    // Before 5.1 a ring tells of it with the next record that it takes.
    worker.ask("renames 2");
    let arrived = arrived + watch.count(&worker, Action::Rename);
    watch.look();
    let lost = watch.lost(worker.pid());
    watch.expect(watch.ring_full != 0, &format!("a full ring: {arrived} arrived"));
    if lost == 0 && release() < (5, 1) {
        // A program is not told that a ring is full: only the ring counts, and of all processes.
        assert!(arrived + watch.ring_full >= RENAMES + 2, "{arrived}, {} by ring", watch.ring_full);
        return;
    }
    watch.expect(arrived + lost == RENAMES + 2, &format!("{arrived} arrived, {lost} lost"));
    watch.expect(watch.ring_full >= lost, &format!("{lost} lost, {} by ring", watch.ring_full));
    let number = libc::SYS_renameat as u32;
    if watch.seen.iter().any(|seen| seen.syscall == Some(number)) {
        again("somebody else makes the same call");
    }
    let by_call = watch.unsent_calls.get(&number).copied();
    watch.expect(by_call == Some(lost), &format!("{lost} lost, by call {by_call:?}"));
    println!("{arrived} renames arrived, {lost} were lost");
    assert_eq!(watch.excluded(worker.pid()), 0, "no process is excluded");
}

/// More processes than there are slots, one after another.
fn slots_of_dead_processes_are_free_again() {
    require_live();
    const PROCESSES: u64 = 1100;
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    for n in 0..PROCESSES {
        let mut worker = Worker::start(&dir);
        watch.exclude(&worker);
        worker.ask("renames 2");
        let pid = worker.pid();
        drop(worker);
        watch.look();
        watch.ebpf.include(pid);
        let excluded = watch.unsent.remove(&Some(pid));
        watch.expect(excluded == Some((2, 0)), &format!("{excluded:?} of process {n}"));
    }
    watch.expect(!watch.unsent.contains_key(&None), &format!("{:?}", watch.unsent));
    let all = watch.ebpf.excluded_events();
    watch.expect(all == 2 * PROCESSES, &format!("{all} in all"));
}
