//! How a provider ends, and what is attached until then.

use crate::files;
use crate::support::runner::Test;
use crate::support::worker::Worker;
use crate::support::{release, require_live, wait_for};
use crate::watch::{Watch, take};
use mote::event::{Action, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("what_is_attached_is_told", what_is_attached_is_told),
    ("a_retired_provider_leaves_nothing", a_retired_provider_leaves_nothing),
    ("what_was_sent_before_the_end_is_there", what_was_sent_before_the_end_is_there),
];

/// Commands of bpf(2), which tell whether there is a program or a map of that number, since
/// 4.13 (linux `include/uapi/linux/bpf.h`).
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_MAP_GET_FD_BY_ID: libc::c_long = 14;

#[allow(unsafe_code)]
fn exists(command: libc::c_long, id: u32) -> bool {
    // union bpf_attr: id, next id, flags.
    let attr = [id, 0, 0];
    // SAFETY: the kernel reads size_of(attr) bytes of `attr`, which outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_ptr(), size_of_val(&attr)) };
    if fd >= 0 {
        // SAFETY: `fd` was just opened and nothing else has it.
        unsafe { libc::close(fd as i32) };
    }
    fd >= 0
}

/// Our descriptors of programs, maps and perf events, and how many there are of each.
fn descriptors() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for fd in fs::read_dir("/proc/self/fd").unwrap() {
        let Ok(target) = fs::read_link(fd.unwrap().path()) else { continue };
        let kind = target.to_string_lossy().into_owned();
        if kind.starts_with("anon_inode:") {
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}

/// Mappings of rings and maps.
fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("anon_inode:")).count()
}

/// The numbers of what our descriptors are open on, by a field of their fdinfo.
fn ids(field: &str) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    for info in fs::read_dir("/proc/self/fdinfo").unwrap() {
        let Ok(text) = fs::read_to_string(info.unwrap().path()) else { continue };
        let id = text.lines().find_map(|line| line.strip_prefix(field));
        ids.extend(id.map(|id| id.trim().parse::<u32>().unwrap()));
    }
    ids
}

fn what_is_attached_is_told() {
    require_live();
    let watch = Watch::start();
    let programs: Vec<_> = watch.ebpf.programs().collect();
    let openat = programs.iter().find(|p| p.hook.to_string() == "syscalls:sys_enter_openat");
    assert_eq!(openat.expect("openat is watched").hook.program, "enter_openat");
    assert!(programs.len() >= watch.ebpf.attached());
    // Before 4.13 a program has no number.
    if release() < (4, 13) && programs.iter().all(|program| program.id.is_none()) {
        return;
    }
    for program in programs {
        let id = program.id.unwrap_or_else(|| panic!("{} has a number", program.hook));
        assert!(exists(BPF_PROG_GET_FD_BY_ID, id), "{}: {id}", program.hook);
    }
}

fn a_retired_provider_leaves_nothing() {
    require_live();
    let before = (descriptors(), mappings());
    let watch = Watch::start();
    let mut programs: BTreeSet<u32> = watch.ebpf.programs().filter_map(|p| p.id).collect();
    programs.extend(ids("prog_id:"));
    let maps = ids("map_id:");
    assert!(descriptors().values().sum::<usize>() > before.0.values().sum::<usize>());
    let mut retiring = watch.ebpf.retire();
    // With what measured at the start.
    let mut attached = retiring.attached();
    let (mut longest, begin) = (Duration::ZERO, Instant::now());
    loop {
        let step = Instant::now();
        let more = retiring.step();
        longest = longest.max(step.elapsed());
        if !more {
            break;
        }
        attached -= 1;
        assert_eq!(retiring.rest().unwrap().programs().count(), attached, "one in a step");
    }
    assert_eq!(attached, 0, "the last step is for the rest");
    println!("retired in {:?}, the longest step took {longest:?}", begin.elapsed());
    assert!(!retiring.step() && retiring.rest().is_none(), "there is nothing more to do");
    assert_eq!((descriptors(), mappings()), before);
    // The kernel frees them after a grace period. Before 4.13 they have no numbers.
    wait_for("the end of the programs and maps", || {
        let left = programs.iter().any(|id| exists(BPF_PROG_GET_FD_BY_ID, *id))
            || maps.iter().any(|id| exists(BPF_MAP_GET_FD_BY_ID, *id));
        (!left).then_some(())
    });
}

/// And nothing comes after it, though programs are attached.
fn what_was_sent_before_the_end_is_there() {
    require_live();
    let (_guard, dir) = files();
    let mut watch = Watch::start();
    let mut worker = Worker::start(&dir);
    watch.events(&worker);
    worker.ask("renames 4");
    let mut retiring = watch.ebpf.retire();
    worker.ask("renames 20");
    worker.ask("chdir");
    worker.ask("forks 2");
    worker.ask("exec");
    assert!(retiring.step(), "programs are attached");
    let (mut event, mut seen) = (Box::<Event>::default(), Vec::new());
    take(retiring.rest().unwrap(), &mut event, &mut seen);
    let pid = worker.pid();
    let seen: Vec<_> = seen.into_iter().filter(|seen| seen.pid == pid).collect();
    let renames = seen.iter().filter(|seen| seen.action == Some(Action::Rename)).count();
    assert_eq!((renames, seen.len()), (4, 4), "{seen:?}");
    // What is left is done when it is dropped.
    let before = Instant::now();
    drop(retiring);
    println!("the rest was dropped in {:?}", before.elapsed());
}
