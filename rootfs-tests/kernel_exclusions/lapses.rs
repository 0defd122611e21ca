//! What ends an exclusion without anybody saying so.

use crate::files;
use crate::support::runner::{Test, again};
use crate::support::worker::{UNLINKED, Worker};
use crate::support::{require_live, skip};
use crate::watch::{Seen, Watch};
use mote::event::Action;
use mote::limits::EXCLUDED_PLACES;
use mote::sensor::pipeline::monotonic_ns;

pub const TESTS: &[Test] = &[
    ("an_exclusion_ends_with_an_exec", an_exclusion_ends_with_an_exec),
    ("an_exclusion_ends_with_its_process", an_exclusion_ends_with_its_process),
    ("one_process_is_excluded_in_a_place", one_process_is_excluded_in_a_place),
];

/// Whatever is pushed while the process executes another program, that one's first call comes.
fn an_exclusion_ends_with_an_exec() {
    require_live();
    const EXECS: u64 = 200;
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    let pid = worker.pid();
    let unlinked = dir.join(UNLINKED);
    let mut pushed = 0;
    for n in 0..EXECS {
        let known_ns = watch.executed_ns(&worker);
        assert!(watch.ebpf.exclude(pid, known_ns), "{n}: the newest program");
        worker.ask("renames 2");
        worker.tell("exec");
        while !worker.has_answered() {
            pushed += u64::from(watch.ebpf.exclude(pid, known_ns));
        }
        worker.answer();
        assert!(!watch.ebpf.exclude(pid, known_ns), "{n}: it executes another program by now");
        watch.look();
        let is_unlink = |seen: &Seen| {
            seen.pid == pid
                && seen.action == Some(Action::Unlink)
                && seen.path == unlinked.to_str().unwrap().as_bytes()
        };
        let unlinks = watch.seen.iter().filter(|seen| is_unlink(seen)).count();
        watch.expect(unlinks == 1, &format!("{n}: {unlinks} unlinks after an exec"));
        let excluded = watch.excluded(pid);
        watch.expect(excluded == 2 * (n + 1), &format!("{n}: {excluded} renames excluded"));
    }
    assert!(pushed > 0, "no exclusion was renewed before an exec");
    println!("renewed {pushed} times before {EXECS} programs were executed");
}

/// A process that gets the id of one that was excluded.
fn an_exclusion_ends_with_its_process() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    for _ in 0..20 {
        let worker = Worker::start(&dir);
        let (pid, known_ns) = (worker.pid(), watch.executed_ns(&worker));
        assert!(watch.ebpf.exclude(pid, known_ns));
        drop(worker);
        assert!(!watch.ebpf.exclude(pid, known_ns), "it has ended");
        let Some(mut second) = Worker::start_as(pid, &dir) else { continue };
        // What is known of the first is not true of the second.
        assert!(!watch.ebpf.exclude(pid, known_ns));
        second.ask("renames 2");
        let arrived = watch.count(&second, Action::Rename);
        watch.expect(arrived == 2, &format!("{arrived} of 2 renames"));
        let excluded = watch.excluded_in_all();
        watch.expect(excluded == 0, &format!("{excluded} excluded"));
        return;
    }
    again("somebody else got the id each time");
}

/// Two processes whose ids have the same low bits.
fn one_process_is_excluded_in_a_place() {
    require_live();
    const PLACES: u32 = EXCLUDED_PLACES as u32;
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut first = Worker::start(&dir);
    let largest: u32 =
        std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
    let ids = (1..largest / PLACES).map(|n| (first.pid() + n * PLACES) % largest);
    if largest <= PLACES {
        skip("this kernel has a place for each process id");
    }
    let (_other_guard, other_dir) = files();
    let second = ids.filter(|pid| *pid > 300 && pid % PLACES == first.pid() % PLACES);
    let Some(mut second) = second.take(5).find_map(|pid| Worker::start_as(pid, &other_dir)) else {
        again("somebody else got the ids");
    };
    let executed_ns = watch.executed_ns(&first);
    assert!(!watch.ebpf.exclude(first.pid(), executed_ns), "the other one began after that");
    watch.exclude(&first);
    assert!(!watch.ebpf.exclude(second.pid(), monotonic_ns()), "the place is taken");
    watch.ebpf.include(second.pid());
    watch.events(&second);
    first.ask("renames 2");
    second.ask("renames 2");
    let arrived = (watch.count(&first, Action::Rename), watch.count(&second, Action::Rename));
    watch.expect(arrived == (0, 2), &format!("{arrived:?}"));
    // The second one's next program ends the exclusion of the first.
    second.ask("exec");
    first.ask("renames 2");
    let arrived = watch.count(&first, Action::Rename);
    watch.expect(arrived == 2, &format!("{arrived}"));
    assert!(watch.ebpf.exclude(second.pid(), monotonic_ns()), "the place is free");
}
