//! What rings have no room for, by process and by system call.

use crate::files;
use crate::support::runner::{Test, again};
use crate::support::worker::Worker;
use crate::support::{release, require_live, skip};
use crate::watch::Watch;
use mote::event::Action;
use mote::limits::UNSENT_PROCESSES;
use mote::source::ebpf::object::Kernel;
use mote::source::ebpf::shared;
use std::fs;
use std::os::fd::RawFd;

pub const TESTS: &[Test] = &[
    ("what_rings_lose_is_counted", what_rings_lose_is_counted),
    ("slots_of_dead_processes_are_free_again", slots_of_dead_processes_are_free_again),
    ("slots_that_cannot_be_claimed_are_mended", slots_that_cannot_be_claimed_are_mended),
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
    const PROCESSES: usize = UNSENT_PROCESSES + 100;
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
        watch.expect(excluded == Some([2, 0, 0]), &format!("{excluded:?} of process {n}"));
    }
    watch.expect(!watch.unsent.contains_key(&None), &format!("{:?}", watch.unsent));
}

/// As a claim leaves them that comes while a slot is given back, where maps are not mapped.
#[allow(unsafe_code)]
fn slots_that_cannot_be_claimed_are_mended() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = Watch::start_on(|kernel| Kernel { maps_arrays: false, ..kernel });
    let mut worker = Worker::start(&dir);
    watch.exclude(&worker);
    let Some(map) = unsent_map() else {
        skip("this kernel does not tell what a descriptor of a map is open on");
    };
    const HOLDERS_AND_REST: [u64; 8] = [u64::MAX, 0, 0, 0, 0, 0, 0, 0];
    for slot in 0..UNSENT_PROCESSES as u32 {
        // SAFETY: the values of this map have 64 bytes.
        unsafe { shared::update(map, slot, HOLDERS_AND_REST.as_ptr().cast()) }.unwrap();
    }
    // Found so the first time, given back the second.
    let counted = [0, 0, 2].map(|expected| {
        worker.ask("renames 2");
        watch.look();
        (watch.excluded(worker.pid()), expected)
    });
    let as_expected = counted.iter().all(|(excluded, expected)| excluded == expected);
    watch.expect(as_expected, &format!("{counted:?}"));
    watch.expect(watch.excluded_in_all() == 6, &format!("{:?}", watch.unsent));
}

/// Our descriptor of the map of processes whose events are not sent.
fn unsent_map() -> Option<RawFd> {
    let is_it = |fdinfo: &str| {
        let number = |field: &str| {
            let line = fdinfo.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().parse::<usize>().ok()
        };
        number("value_size:") == Some(64) && number("max_entries:") > Some(UNSENT_PROCESSES)
    };
    let mut descriptors = fs::read_dir("/proc/self/fdinfo").unwrap().map(|fd| fd.unwrap().path());
    let found = descriptors.find(|fd| fs::read_to_string(fd).is_ok_and(|text| is_it(&text)))?;
    found.file_name()?.to_str()?.parse().ok()
}
