//! What of an excluded process is dropped, and how that is counted.

use crate::allocator::without_heap;
use crate::files;
use crate::support::runner::Test;
use crate::support::worker::Worker;
use crate::support::{release, require_live, skip};
use crate::watch::{Seen, Watch};
use mote::event::Action;
use mote::source::ebpf::object::Kernel;
use mote::source::ebpf::{Ebpf, RingSizes, StartError};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("excluded_calls_are_dropped_and_counted", || drops_and_counts(|kernel| kernel)),
    ("maps_that_are_not_mapped_do_as_well", maps_that_are_not_mapped_do_as_well),
    ("calls_that_run_twice_are_counted_once", calls_that_run_twice_are_counted_once),
    ("what_is_new_is_found_without_a_look_at_all", what_is_new_is_found_without_a_look_at_all),
    ("relocations_and_processes_are_told_of_all", relocations_and_processes_are_told_of_all),
    ("exclusions_come_and_go", exclusions_come_and_go),
    ("nothing_of_it_touches_the_heap", nothing_of_it_touches_the_heap),
];

const RENAMES: u64 = 500;

/// As before 5.5.
fn maps_that_are_not_mapped_do_as_well() {
    drops_and_counts(|kernel| Kernel { maps_arrays: false, ..kernel });
}

/// As from 7.x on.
fn calls_that_run_twice_are_counted_once() {
    require_live();
    fn taken_for(kernel: Kernel) -> Kernel {
        Kernel { calls_run_twice: true, ..kernel }
    }
    // Where a tracepoint takes one program, there is nothing to play.
    if release() < (4, 15)
        && matches!(Ebpf::start_on(RingSizes::default(), taken_for), Err(StartError::Attach(..)))
    {
        skip("a tracepoint of this kernel takes one program");
    }
    drops_and_counts(taken_for);
}

fn drops_and_counts(taken_for: fn(Kernel) -> Kernel) {
    require_live();
    let (_guard, dir) = files();
    let (_other_guard, other_dir) = files();
    let mut other = Worker::start(&other_dir);
    let order = format!("renames {RENAMES}");
    let alone = Worker::start(&dir).ask(&order);
    let mut watch = Watch::start_on(taken_for);
    let mut worker = Worker::start(&dir);
    let known_ns = watch.executed_ns(&worker);
    let pid = worker.pid();
    let per_rename = |time: Duration| time.as_nanos() / u128::from(RENAMES);
    let sent = worker.ask(&order);
    let arrived = watch.count(&worker, Action::Rename);
    watch.expect(arrived == RENAMES, &format!("{arrived} of {RENAMES} before it is excluded"));

    assert!(watch.ebpf.exclude(pid, known_ns));
    let dropped = worker.ask(&order);
    worker.ask("connect");
    other.ask(&order);
    let arrived = watch.events(&worker);
    watch.expect(arrived.is_empty(), &format!("of an excluded process: {arrived:?}"));
    let arrived = watch.count(&other, Action::Rename);
    watch.expect(arrived == RENAMES, &format!("{arrived} of {RENAMES} of another process"));
    // And a socket that is bound and connected.
    const MADE: u64 = RENAMES + 2;
    let excluded = watch.excluded(pid);
    watch.expect(excluded == MADE, &format!("{excluded} excluded of it"));
    let excluded = watch.excluded_in_all();
    watch.expect(excluded == MADE, &format!("{excluded} excluded in all"));
    let calls = watch.unsent_calls.clone();
    let of = |number: i64| calls.get(&(number as u32)).copied().unwrap_or(0);
    let told = [libc::SYS_renameat, libc::SYS_bind, libc::SYS_connect].map(of);
    watch.expect(told == [RENAMES, 1, 1], &format!("by call: {told:?}"));
    println!(
        "nanoseconds a rename: {} without a sensor, {} sent, {} dropped",
        per_rename(alone),
        per_rename(sent),
        per_rename(dropped)
    );
}

/// As each drain does.
fn what_is_new_is_found_without_a_look_at_all() {
    require_live();
    if release() < (5, 5) {
        skip("this kernel maps no array");
    }
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    let pid = Some(worker.pid());
    watch.exclude(&worker);
    for renames in [2, 0, 3] {
        if renames > 0 {
            worker.ask(&format!("renames {renames}"));
        }
        let mut excluded = 0;
        watch.ebpf.read_new_unsent(|unsent| {
            excluded += if unsent.pid == pid { unsent.excluded } else { 0 };
        });
        watch.expect(excluded == renames, &format!("{excluded} of {renames}"));
    }
}

fn relocations_and_processes_are_told_of_all() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    watch.exclude(&worker);
    worker.ask("renames 2");
    worker.ask("chdir");
    worker.ask("forks 3");
    let events = watch.events(&worker);
    let is_chdir =
        |seen: &Seen| seen.action.is_none() && seen.path == dir.to_str().unwrap().as_bytes();
    watch.expect(events.len() == 1 && is_chdir(&events[0]), &format!("{events:?}"));
    // Of the children each a fork and an exit, since they are not excluded.
    let of = |action| watch.seen.iter().filter(move |seen| seen.action == Some(action));
    let children: Vec<u32> = of(Action::Fork)
        .filter(|fork| fork.ppid == Some(worker.pid()))
        .map(|fork| fork.pid)
        .collect();
    let exits = of(Action::Exit).filter(|exit| children.contains(&exit.pid)).count();
    watch.expect((children.len(), exits) == (3, 3), &format!("{children:?}, {exits} ends"));
    let excluded = watch.excluded(worker.pid());
    watch.expect(excluded == 2, &format!("{excluded} excluded"));
}

/// Renames by each of two workers.
fn check(watch: &mut Watch, workers: &mut [Worker; 2], expected: [u64; 2]) {
    let arrived = workers.each_mut().map(|worker| {
        worker.ask("renames 2");
        watch.count(worker, Action::Rename)
    });
    watch.expect(arrived == expected, &format!("{arrived:?}, not {expected:?}"));
}

fn exclusions_come_and_go() {
    require_live();
    let (_guards, dirs): (Vec<_>, Vec<_>) = (0..2).map(|_| files()).unzip();
    let mut watch = Watch::start();
    let mut workers = [Worker::start(&dirs[0]), Worker::start(&dirs[1])];
    check(&mut watch, &mut workers, [2, 2]);
    watch.exclude(&workers[0]);
    check(&mut watch, &mut workers, [0, 2]);
    watch.exclude(&workers[1]);
    check(&mut watch, &mut workers, [0, 0]);
    watch.ebpf.include(workers[0].pid());
    check(&mut watch, &mut workers, [2, 0]);
    // Of a process that is not excluded.
    watch.ebpf.include(workers[0].pid());
    watch.exclude(&workers[0]);
    check(&mut watch, &mut workers, [0, 0]);
    watch.ebpf.include_all();
    check(&mut watch, &mut workers, [2, 2]);
    watch.exclude(&workers[0]);
    check(&mut watch, &mut workers, [0, 2]);
}

fn nothing_of_it_touches_the_heap() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    let (pid, known_ns) = (worker.pid(), watch.executed_ns(&worker));
    let (mut done, mut excluded, mut renames) = (true, 0, 0);
    without_heap(|| done &= watch.ebpf.exclude(pid, known_ns));
    worker.ask("renames 2");
    without_heap(|| {
        watch.ebpf.read_unsent(|unsent| excluded += unsent.excluded);
        watch.ebpf.read_unsent_calls(|number, new| {
            renames += if i64::from(number) == libc::SYS_renameat { new } else { 0 };
        });
        watch.ebpf.include(pid);
        done &= watch.ebpf.exclude(pid, known_ns);
        watch.ebpf.include_all();
    });
    watch.expect(done && (excluded, renames) == (2, 2), &format!("{done} {excluded} {renames}"));
}
