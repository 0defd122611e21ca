//! Each system call in each of its forms, made directly: exactly the right event for it,
//! and none for what is not reported.

#[path = "../support/mod.rs"]
mod support;

mod actors;
mod call;
mod connections;
mod descriptors;
mod exits;
mod files;
mod names;
mod order;
mod processes;
#[cfg(target_arch = "aarch64")]
mod tags;

use call::{Case, Place};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::ExitCode;
use support::expect::{assert_complete, assert_same, at};
use support::{Sensor, decode, require_live, scratch};

fn main() -> ExitCode {
    support::runner::run(&[
        ("operations_on_files", || play(files::CASES)),
        ("operations_from_descriptors", || play(descriptors::CASES)),
        ("operations_on_names", || play(names::CASES)),
        ("operations_on_processes", || play(processes::CASES)),
        ("operations_that_end_processes", || play(exits::CASES)),
        ("operations_on_connections", || play(connections::CASES)),
        ("operations_by_others", || play(actors::CASES)),
        #[cfg(target_arch = "aarch64")]
        ("operations_with_tagged_addresses", || play(tags::CASES)),
        ("events_of_two_cpus_keep_their_order", order::events_of_two_cpus_keep_their_order),
    ])
}

/// Plays the cases under one sensor and compares all that this process and its children
/// did: an event too many fails as well.
fn play(cases: &[Case]) {
    require_live();
    let (_guard, dir) = scratch();
    let cases: Vec<&Case> = cases.iter().filter(|case| can_be_played(case)).collect();
    let places: Vec<Place> = cases.iter().map(|case| Place::new(&dir, case)).collect();
    let sensor = Sensor::start_to_file(&dir);
    // Descriptors stay open until the sensor has looked them up.
    let mut made: Vec<call::Made> = Vec::new();
    for (case, place) in cases.iter().zip(&places) {
        place.enter();
        let mut one = call::Made::default();
        (case.act)(place, &mut one);
        made.push(one);
    }
    sensor.stop();
    let rows: Vec<_> = made.iter().flat_map(|one| one.rows.iter().cloned()).collect();
    let mut pids: BTreeSet<u64> =
        made.iter().flat_map(|one| one.children.iter().map(|pid| u64::from(*pid))).collect();
    pids.insert(std::process::id().into());
    let events = decode(&Sensor::records(&dir));
    let ours: Vec<&Value> = events
        .iter()
        .filter(|event| at(event, "process.pid").as_u64().is_some_and(|pid| pids.contains(&pid)))
        .collect();
    // What was lost explains what is missing.
    assert_complete(&events);
    assert_same(&rows, &ours, true);
}

/// Whether this kernel has the system call that a case is named after.
fn can_be_played(case: &Case) -> bool {
    let newer = [
        ("execveat", libc::SYS_execveat),
        ("openat2", libc::SYS_openat2),
        ("clone3", libc::SYS_clone3),
        ("fchmodat2", support::sys::numbers::SYS_fchmodat2),
    ];
    let Some((name, number)) = newer.iter().find(|(name, _)| case.name.starts_with(name)) else {
        return true;
    };
    // With nothing but what every kernel refuses.
    #[allow(unsafe_code)]
    // SAFETY: null pointers, which the kernel refuses to follow.
    let result = unsafe { libc::syscall(*number, -1, 0, 0, 0, 0) };
    assert_eq!(result, -1);
    let absent = std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
    if absent {
        println!("not on this kernel: {name}, so not \"{}\"", case.name);
    }
    !absent
}
