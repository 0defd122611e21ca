//! What is beyond the budget of a process: dropped, and counted exactly.

use crate::files;
use crate::support::runner::{Test, again};
use crate::support::sys::{c, sys};
use crate::support::worker::{UNLINKED, Worker};
use crate::support::{child, release, require_live, skip};
use crate::watch::Watch;
use libc::AT_FDCWD;
use mote::event::Action;
use mote::source::ebpf::object::Kernel;
use mote::source::ebpf::{Ebpf, Options, RingSizes, StartError};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("each_kind_of_call_is_counted_once", || each_kind_is_counted_once(|kernel| kernel)),
    ("maps_that_are_not_mapped_count_floods", maps_that_are_not_mapped_count_floods),
    ("floods_of_calls_that_run_twice_are_counted_once", floods_of_calls_that_run_twice),
    ("what_is_not_told_costs_no_budget", what_is_not_told_costs_no_budget),
    ("a_budget_is_of_one_process", a_budget_is_of_one_process),
    ("a_program_has_its_own_budget", a_program_has_its_own_budget),
    ("without_a_budget_nothing_is_suppressed", without_a_budget_nothing_is_suppressed),
];

/// As before 5.5.
fn maps_that_are_not_mapped_count_floods() {
    each_kind_is_counted_once(|kernel| Kernel { maps_arrays: false, ..kernel });
}

/// As from 7.x on.
fn floods_of_calls_that_run_twice() {
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
    each_kind_is_counted_once(taken_for);
}

/// Events that are told of a process in a window.
const BUDGET: u64 = 107;

fn start(taken_for: fn(Kernel) -> Kernel, bulk_budget: u32) -> Watch {
    let mut watch = Watch::start_on(taken_for);
    let options = Options {
        rings: RingSizes::default(),
        send_window: Duration::from_secs(60),
        bulk_budget,
        watch_compat_calls: false,
    };
    watch.ebpf.set_options(options).unwrap();
    watch
}

/// What an order made of a worker: told, and suppressed. Another process's flood says nothing.
fn made(watch: &mut Watch, worker: &mut Worker, order: &str) -> (u64, u64) {
    let (pid, full) = (worker.pid(), watch.ring_full);
    let before = watch.suppressed(pid);
    worker.ask(order);
    let told = watch.events(worker).len() as u64;
    if watch.ring_full != full {
        again("the host is flooded");
    }
    (told, watch.suppressed(pid) - before)
}

fn each_kind_is_counted_once(taken_for: fn(Kernel) -> Kernel) {
    require_live();
    let (_guard, dir) = files();
    let mut watch = start(taken_for, 100);
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    // Of one window, and perhaps of the next ones.
    for (order, number) in [
        ("renames 5000", libc::SYS_renameat),
        ("unlinks 5000", libc::SYS_unlinkat),
        ("attempts 1000", libc::SYS_execve),
        // One of the calls that are told with the process events, if they succeed.
        ("umounts 5000", libc::SYS_umount2),
    ] {
        let by_call = |watch: &Watch| watch.unsent_calls.get(&(number as u32)).copied();
        let before = by_call(&watch).unwrap_or(0);
        let (told, suppressed) = made(&mut watch, &mut worker, order);
        let count: u64 = order.rsplit(' ').next().unwrap().parse().unwrap();
        watch.expect(told + suppressed == count, &format!("{order}: {told} and {suppressed}"));
        watch.expect(suppressed > BUDGET, &format!("{order}: {suppressed} suppressed"));
        if number != libc::SYS_execve || release() >= (4, 17) {
            let counted = by_call(&watch).unwrap_or(0) - before;
            watch.expect(counted == suppressed, &format!("{order}: {counted} by call"));
        }
    }
    // A window has passed: it has all of its budget again.
    std::thread::sleep(Duration::from_millis(1100));
    let (told, suppressed) = made(&mut watch, &mut worker, "renames 20");
    watch.expect((told, suppressed) == (20, 0), &format!("{told} and {suppressed} in a new one"));
}

/// What a program spent is not taken from the next one of its process.
fn a_program_has_its_own_budget() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = start(|kernel| kernel, 100);
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    // A window may end in between, in which case nothing is said.
    for _ in 0..3 {
        let (_, suppressed) = made(&mut watch, &mut worker, "unlinks 1000");
        watch.expect(suppressed > BUDGET, &format!("{suppressed} suppressed"));
        worker.ask("exec");
        watch.events(&worker);
        let both = made(&mut watch, &mut worker, "renames 50");
        watch.expect(both == (50, 0), &format!("{both:?} of a new program"));
    }
}

fn what_is_not_told_costs_no_budget() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = start(|kernel| kernel, 100);
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    // Events that are told, or would be.
    for (order, events) in [
        // Two sockets are bound, and the first is told.
        ("sends 500", 3),
        // A socket that is bound and listens.
        ("accepts 500", 2),
        ("netlinks 500", 0),
    ] {
        let (told, suppressed) = made(&mut watch, &mut worker, order);
        let both = (told, suppressed);
        watch.expect(both == (events, 0), &format!("{order}: {both:?} of a whole budget"));
        // Whatever is left of it.
        worker.ask("unlinks 300");
        watch.events(&worker);
        let (told, suppressed) = made(&mut watch, &mut worker, order);
        watch.expect(told + suppressed == events, &format!("{order}: {told} and {suppressed}"));
        std::thread::sleep(Duration::from_millis(1100));
    }
    // What changes the system is told in any case; where its names lead from then on, once for all.
    for (order, events) in [("memfds 200", 200), ("chdir 50", 1), ("chroot 50", 1)] {
        worker.ask("unlinks 300");
        watch.events(&worker);
        let both = made(&mut watch, &mut worker, order);
        watch.expect(both == (events, 0), &format!("{order}: {both:?} with no budget"));
    }
}

/// Many processes, of which some share a place in the kernel part, and one that floods.
fn a_budget_is_of_one_process() {
    require_live();
    const PROCESSES: usize = 300;
    const EVENTS: u64 = 80;
    let (_guard, dir) = files();
    let mut watch = start(|kernel| kernel, 100);
    let mut flood = Worker::start(&dir);
    flood.tell("unlinks 300000");
    let nothing = c(dir.join(UNLINKED));
    let mut pids = Vec::new();
    for _ in 0..PROCESSES {
        let pid = child::fork(|| {
            for _ in 0..EVENTS {
                sys!(SYS_unlinkat, AT_FDCWD, nothing.as_ptr(), 0).check(libc::ENOENT);
            }
            0
        });
        child::ends_with(pid, 0);
        pids.push(pid);
        watch.look();
    }
    flood.answer();
    watch.look();
    if watch.ring_full != 0 {
        again("the host is flooded");
    }
    for pid in pids {
        let unlinks =
            |seen: &&crate::watch::Seen| seen.pid == pid && seen.action == Some(Action::Unlink);
        let told = watch.seen.iter().filter(unlinks).count() as u64;
        let suppressed = watch.suppressed(pid);
        watch.expect((told, suppressed) == (EVENTS, 0), &format!("{told}, {suppressed} of {pid}"));
    }
    let suppressed = watch.suppressed(flood.pid());
    watch.expect(suppressed > 0, "the flood is beyond its budget");
}

fn without_a_budget_nothing_is_suppressed() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = start(|kernel| kernel, 0);
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    for _ in 0..20 {
        let both = made(&mut watch, &mut worker, "renames 500");
        watch.expect(both == (500, 0), &format!("{both:?}"));
    }
}
