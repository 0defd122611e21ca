//! Each system call in each of its forms, made directly: exactly the right event for it,
//! and none for what is not reported.

#[path = "../support/mod.rs"]
mod support;

mod actors;
mod attributes;
mod call;
#[cfg(target_arch = "x86_64")]
mod compat;
#[cfg(target_arch = "x86_64")]
mod compat_calls;
mod connections;
mod containers;
mod datagrams;
mod descriptors;
mod exits;
mod files;
mod identities;
mod names;
mod order;
mod privileges;
mod processes;
mod programs;
mod sessions;
#[cfg(target_arch = "aarch64")]
mod tags;
mod uring;

use call::{Case, Place};
use mote::source::ebpf::tracefs::Tracefs;
use mote::syscalls::{Effect, SYSCALLS, Syscall};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use support::expect::{assert_complete, assert_same, at};
use support::runner::skip;
use support::{Sensor, decode, require_live, scratch};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [datagrams::SENDER, fd, port] = &args.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return datagrams::send_on(fd.parse().unwrap(), port.parse().unwrap());
    }
    support::runner::run(&[
        ("operations_on_files", || play(files::CASES)),
        ("operations_on_attributes", || play(attributes::CASES)),
        ("operations_from_descriptors", || play(descriptors::CASES)),
        ("operations_on_names", || play(names::CASES)),
        ("operations_on_processes", || play(processes::CASES)),
        ("operations_that_end_processes", || play(exits::CASES)),
        ("operations_with_privileges", || play(privileges::CASES)),
        ("operations_on_connections", || play(connections::CASES)),
        ("operations_with_datagrams", || play(datagrams::CASES)),
        ("operations_by_others", || play(actors::CASES)),
        ("operations_through_io_uring", || {
            if !uring::is_here() {
                skip("this kernel has no io_uring, or it is switched off");
            }
            play(uring::CASES);
        }),
        #[cfg(target_arch = "aarch64")]
        ("operations_with_tagged_addresses", || play(tags::CASES)),
        #[cfg(target_arch = "x86_64")]
        ("operations_by_32_bit_calls", || {
            play_under(compat::CASES, compat::start);
        }),
        #[cfg(target_arch = "x86_64")]
        ("each_32_bit_call_is_told", compat_calls::each_32_bit_call_is_told),
        ("parents_are_who_forked", identities::parents_are_who_forked),
        ("a_start_is_told_as_a_time", identities::a_start_is_told_as_a_time),
        ("short_lives_are_told_in_full", identities::short_lives_are_told_in_full),
        ("a_container_is_known_by_its_cgroup", containers::a_container_is_known_by_its_cgroup),
        (
            "programs_without_a_file_are_told_apart",
            programs::programs_without_a_file_are_told_apart,
        ),
        (
            "an_exec_tells_its_directory_and_its_words",
            programs::an_exec_tells_its_directory_and_its_words,
        ),
        ("a_session_is_its_leaders", sessions::a_session_is_its_leaders),
        (
            "a_login_uid_is_told_once_it_is_written",
            sessions::a_login_uid_is_told_once_it_is_written,
        ),
        ("a_send_is_told_again_after_its_time", datagrams::a_send_is_told_again_after_its_time),
        ("events_of_two_cpus_keep_their_order", order::events_of_two_cpus_keep_their_order),
        // The last: it may mount tracefs, and then has mounts of its own.
        ("every_call_is_made_here", every_call_is_made_here),
    ])
}

thread_local! {
    /// Action and call of every event that was as expected, and how many tables were played.
    static SEEN: RefCell<(BTreeSet<(String, String)>, usize)> = RefCell::default();
}

/// The rows of docs/coverage.md, as far as this kernel has their calls.
fn every_call_is_made_here() {
    let (seen, played) = SEEN.take();
    if played < tables() {
        skip("it needs all other tests of this program to have passed");
    }
    let tracefs = Tracefs::find_or_mount().unwrap();
    let is_here = |call: &Syscall| {
        // The tracepoint has the name of the kernel's function.
        let name = if call.name == "umount2" { "umount" } else { call.name };
        tracefs.format("syscalls", &format!("sys_exit_{name}")).unwrap().is_some()
    };
    let mut missing = Vec::new();
    for call in SYSCALLS.iter().filter(|call| is_here(call)) {
        let (Effect::Report(action) | Effect::Both(action, _)) = call.effect else { continue };
        if !seen.contains(&(action.name().to_owned(), call.name.to_owned())) {
            missing.push(call.name);
        }
    }
    println!(
        "{} calls of {} actions",
        seen.len(),
        seen.iter().map(|(action, _)| action).collect::<BTreeSet<_>>().len()
    );
    assert!(missing.is_empty(), "no case makes these calls: {missing:?}");
}

/// How many tables of cases there are.
fn tables() -> usize {
    10 + usize::from(cfg!(target_arch = "aarch64")) + usize::from(uring::is_here())
}

/// Plays the cases, and notes what was seen.
fn play(cases: &[Case]) {
    let events = play_under(cases, Sensor::start_to_file);
    let text = |event: &Value, field| at(event, field).as_str().unwrap_or_default().to_owned();
    SEEN.with_borrow_mut(|(seen, played)| {
        *played += 1;
        seen.extend(
            events
                .iter()
                .map(|event| (text(event, "event.action"), text(event, "mote.syscall_name"))),
        );
    });
}

/// Plays the cases under one sensor and compares all that this process and its children
/// did: an event too many fails as well.
fn play_under(cases: &[Case], start: impl FnOnce(&Path) -> Sensor) -> Vec<Value> {
    require_live();
    let (_guard, dir) = scratch();
    let cases: Vec<&Case> = cases.iter().filter(|case| can_be_played(case)).collect();
    let places: Vec<Place> = cases.iter().map(|case| Place::new(&dir, case)).collect();
    let sensor = start(&dir);
    // Descriptors stay open until the sensor has looked them up.
    let mut made: Vec<call::Made> = Vec::new();
    for (case, place) in cases.iter().zip(&places) {
        place.enter();
        let mut one = call::Made::default();
        (case.act)(place, &mut one);
        made.push(one);
    }
    sensor.leave();
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
    ours.into_iter().cloned().collect()
}

/// Whether this kernel has the system call that a case is named after.
fn can_be_played(case: &Case) -> bool {
    let newer = [
        ("execveat", libc::SYS_execveat),
        ("openat2", libc::SYS_openat2),
        ("clone3", libc::SYS_clone3),
        ("fchmodat2", support::sys::numbers::SYS_fchmodat2),
        ("pidfd_getfd", libc::SYS_pidfd_getfd),
        ("move_mount", libc::SYS_move_mount),
        ("fsopen", libc::SYS_fsopen),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("open_tree_attr", support::sys::numbers::SYS_open_tree_attr),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("removexattrat", support::sys::numbers::SYS_removexattrat),
    ];
    if case.name.starts_with("IPv6") && !connections::has_ipv6() {
        println!("not on this kernel: IPv6, so not \"{}\"", case.name);
        return false;
    }
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
