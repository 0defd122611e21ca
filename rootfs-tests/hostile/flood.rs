//! Floods of file events: what the guard lets pass, what it counts, and what is told beside them.

use crate::support::command::{ask, start_that_tells_who_asks, wait_for_begin, watch};
use crate::support::expect::{at, text};
use crate::support::runner::{Test, again};
use crate::support::sensor::decode_where;
use crate::support::sys::{c, sys};
use crate::support::worker::{UNLINKED, Worker};
use crate::support::{Sensor, child, decode, program_as, release, require_live, scratch, wait_for};
use crate::{assert_executed, by, lost, marked, only, program};
use libc::AT_FDCWD;
use mote::limits::BULK_BUDGET;
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("r4_a_flood_is_counted_to_the_last_event", r4_a_flood_is_counted_to_the_last_event),
    ("r4_who_floods_is_named", r4_who_floods_is_named),
    ("r4_a_budget_can_be_none", r4_a_budget_can_be_none),
    ("r4_who_moves_too_often_is_nowhere_for_certain", r4_who_moves_too_often_is_nowhere),
];

/// Whether it tells what the flood guard kept back.
fn is_of_guard(event: &Value) -> bool {
    at(event, "mote.lost.where") == "flood_guard"
}

/// How many events of a process the records say were kept back.
fn suppressed(events: &[Value], pid: u32) -> u64 {
    let its = events.iter().filter(|e| is_of_guard(e) && at(e, "process.pid") == pid);
    its.map(|event| at(event, "mote.lost.count").as_u64().unwrap()).sum()
}

/// Whether nobody else had too many file events.
fn calm(events: &[Value]) {
    let rings = events.iter().filter(|event| !is_of_guard(event));
    if lost(&rings.cloned().collect::<Vec<_>>(), "bulk") != 0 {
        again("the host is flooded with file events");
    }
}

/// A program of its own name that floods.
struct Flood {
    /// Until it ends.
    worker: Option<Worker>,
    pid: u32,
    program: String,
    operations: u64,
    /// Its unlinks that are told.
    told: Cell<u64>,
    /// All that is told of its program.
    told_in_all: Cell<u64>,
}

impl Flood {
    fn start(dir: &Path, name: &str, operations: u64) -> Flood {
        let program = dir.join(name);
        program_as(&program);
        let worker = Worker::start_program(&program, dir);
        let (pid, program) = (worker.pid(), program.to_str().unwrap().to_owned());
        let (told, told_in_all) = Default::default();
        Flood { worker: Some(worker), pid, program, operations, told, told_in_all }
    }

    fn worker(&mut self) -> &mut Worker {
        self.worker.as_mut().unwrap()
    }

    fn begin(&mut self) {
        let order = format!("unlinks {}", self.operations);
        self.worker().tell(&order);
    }

    fn note(&self, event: &Value) {
        if at(event, "process.executable") != &self.program || is_of_guard(event) {
            return;
        }
        self.told_in_all.set(self.told_in_all.get() + 1);
        if at(event, "event.action") == "unlink" {
            self.told.set(self.told.get() + 1);
        }
    }

    /// Every record of the guard that names its process has its program.
    fn assert_named(&self, events: &[Value]) {
        for event in events.iter().filter(|event| at(event, "process.pid") == self.pid) {
            if is_of_guard(event) {
                assert_eq!(at(event, "process.executable"), &self.program, "{event}");
                assert_eq!(at(event, "process.user.id"), "0", "{event}");
                assert_eq!(at(event, "mote.lost.ring"), "bulk", "{event}");
            }
        }
    }
}

/// So many in a second or two; not in an emulated guest.
fn operations() -> u64 {
    if std::env::var_os("MOTE_GUEST").is_some() { 100_000 } else { 1_000_000 }
}

/// Two processes make as many file events as they can, while programs run and make system calls.
fn r4_a_flood_is_counted_to_the_last_event() {
    require_live();
    const WATCHED: Duration = Duration::from_secs(20);
    let (_guard, dir) = scratch();
    let prog = program(&dir);
    let sensor = start_that_tells_who_asks(&dir);
    let seconds = WATCHED.as_secs().to_string();
    let watch = watch(&dir, &["--output", "json", "--time", &seconds]);
    wait_for_begin(&sensor, &watch);
    let (begin, cpu_before) = (Instant::now(), sensor.cpu_time());
    let mut floods = ["one", "two"].map(|name| Flood::start(&dir, name, operations()));
    // What is kept back before the exec is read is counted for the program before it.
    std::thread::sleep(Duration::from_millis(500));
    floods.iter_mut().for_each(Flood::begin);
    let mut pids = Vec::new();
    while !floods.iter_mut().all(|flood| flood.worker().has_answered()) {
        let number = pids.len().to_string();
        let pid = child::fork(|| {
            sys!(SYS_setsid).check(0);
            child::exec(&prog, &[b"prog", number.as_bytes()])
        });
        child::ends_with(pid, 0);
        pids.push(pid);
    }
    let took = floods.each_mut().map(|flood| flood.worker().answer());
    let cpu = sensor.cpu_time() - cpu_before;
    // Where maps are not mapped they are read once a second, and who has ended has no name.
    std::thread::sleep(Duration::from_millis(1500));
    floods.iter_mut().for_each(|flood| drop(flood.worker.take()));
    assert!(begin.elapsed() < WATCHED, "the flood is within the watch: {:?}", begin.elapsed());
    let statistics = String::from_utf8(watch.wait_with_output().unwrap().stdout).unwrap();
    let statistics: Value = serde_json::from_str(&statistics).unwrap();
    sensor.leave();

    let events = decode_where(&Sensor::records(&dir), |event| {
        floods.iter().for_each(|flood| flood.note(event));
        let action = at(event, "event.action");
        ["exec", "fork", "exit", "setsid", "loss"].iter().any(|wanted| action == wanted)
    });
    assert_executed(&events, &pids);
    for pid in &pids {
        only(&events, *pid, "setsid");
    }
    assert_eq!(lost(&events, "priority"), 0);
    assert_eq!(suppressed(&events, 0), 0);
    let kept_back: u64 = floods.iter().map(|flood| suppressed(&events, flood.pid)).sum();
    let ring_full = lost(&events, "bulk") - kept_back;
    let mut lost_in_all = 0;
    for (flood, took) in floods.iter().zip(took) {
        flood.assert_named(&events);
        let (told, suppressed) = (flood.told.get(), suppressed(&events, flood.pid));
        let paths = statistics["initiator_paths"].as_array().unwrap();
        let counted = paths.iter().find(|path| path["path"] == *flood.program).unwrap();
        let lost = counted["count"].as_u64().unwrap() - flood.told_in_all.get() - suppressed;
        let a_second = flood.operations as f64 / took.as_secs_f64();
        println!(
            "{} unlinks, {a_second:.0} a second: {told} told, {lost} lost, {suppressed} suppressed",
            flood.operations
        );
        // Before 5.1 the kernel does not tell whose events a ring had no room for.
        if release() >= (5, 1) {
            assert_eq!(told + lost + suppressed, flood.operations);
        }
        assert!(told + suppressed <= flood.operations);
        assert!(suppressed > 0 || a_second < 1.5 * f64::from(BULK_BUDGET));
        lost_in_all += flood.operations - told - suppressed;
    }
    assert!(lost_in_all <= ring_full, "{lost_in_all} lost, {ring_full} by ring");
    println!(
        "beside it {} programs, each with its exec, exit and setsid; the sensor's CPU: {cpu:.2?} in \
         {:.2?}; {ring_full} events found no room in a ring",
        pids.len(),
        took[0].max(took[1])
    );
}

/// Its budget is had, and it ends at once; another process beside it is told in full.
fn r4_who_floods_is_named() {
    require_live();
    const FLOOD: u64 = 20_000;
    const BESIDE: usize = 100;
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--bulk-budget", "1000"]);
    let nothing = c(dir.join(UNLINKED));
    let beside = child::fork(|| {
        for _ in 0..BESIDE {
            sys!(SYS_unlinkat, AT_FDCWD, nothing.as_ptr(), 0).check(libc::ENOENT);
            std::thread::sleep(Duration::from_millis(3));
        }
        0
    });
    let mut stays = Flood::start(&dir, "stays", FLOOD);
    stays.begin();
    stays.worker().answer();
    let issue = wait_for("an issue that names it", || {
        let answer = ask(&dir, &["health", "--field", "health_issues"]);
        answer.out.contains(&stays.program).then(|| answer.expect(1).out)
    });
    let who = format!("process {} ({})", stays.pid, stays.program);
    for word in [&who, "mote exclusion process add", "--bulk-budget", "more than 1000 a second"] {
        assert!(issue.contains(word), "`{word}`: {issue}");
    }
    let mut ends = Flood::start(&dir, "ends", FLOOD);
    ends.begin();
    ends.worker().answer();
    drop(ends.worker.take());
    child::ends_with(beside, 0);
    sensor.leave();
    let events = decode_where(&Sensor::records(&dir), |event| {
        stays.note(event);
        ends.note(event);
        at(event, "event.action") == "loss" || at(event, "process.pid") == beside
    });
    calm(&events);
    for flood in [&stays, &ends] {
        // Where maps are not mapped, nobody knows any more what has ended.
        if flood.worker.is_some() || release() >= (5, 5) {
            flood.assert_named(&events);
        }
        let (told, suppressed) = (flood.told.get(), suppressed(&events, flood.pid));
        assert_eq!(told + suppressed, FLOOD, "{told} told, {suppressed} suppressed");
        assert!(told >= 1000 && suppressed > 0, "{told} told, {suppressed} suppressed");
    }
    assert_eq!(by(&events, beside, "unlink").len(), BESIDE);
    assert_eq!(suppressed(&events, beside) + suppressed(&events, 0), 0);
}

/// It moves beyond its budget, and executes a program where it is; that one makes files later: for
/// the first it is asked where it is, and at the second that is known.
fn r4_who_moves_too_often_is_nowhere() {
    require_live();
    const MOVES: usize = 20_000;
    let (_guard, dir) = scratch();
    let places = ["a", "b"].map(|name| dir.join(name));
    places.iter().for_each(|place| fs::create_dir(place).unwrap());
    let program = places[1].join("prog");
    fs::copy("/bin/sh", &program).unwrap();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--bulk-budget", "1000"]);
    let child = child::fork(|| {
        let places = places.each_ref().map(c);
        for place in places.iter().cycle().take(MOVES) {
            sys!(SYS_chdir, place.as_ptr()).check(0);
        }
        child::exec(Path::new("./prog"), &[b"sh", b"-c", b"sleep 2; : >f; sleep 1; : >g; sleep 1"])
    });
    child::ends_with(child, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    calm(&events);
    let exec = only(&events, child, "exec");
    assert_eq!(at(exec, "process.executable"), &text(program.as_os_str().as_bytes()), "{exec}");
    if !marked(exec, "path_unresolved") {
        again("a window ended just before the program was executed");
    }
    assert_eq!(at(exec, "mote.flags"), &json!(["path_unresolved", "executable_unresolved"]));
    assert!(at(exec, "process.working_directory").is_null(), "{exec}");
    let [_, later] = by(&events, child, "open")[..] else { panic!("{events:?}") };
    let g = places[1].join("g");
    assert_eq!(at(later, "file.path"), &text(g.as_os_str().as_bytes()), "{later}");
    assert!(!marked(later, "path_unresolved"), "{later}");
    assert_eq!(suppressed(&events, child), 0, "moves are no events");
}

/// Everything is told then, or lost in a ring.
fn r4_a_budget_can_be_none() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--bulk-budget", "0"]);
    let mut floods = ["one", "two"].map(|name| Flood::start(&dir, name, operations()));
    let cpu_before = sensor.cpu_time();
    floods.iter_mut().for_each(Flood::begin);
    let took = floods.each_mut().map(|flood| flood.worker().answer());
    let (cpu, took) = (sensor.cpu_time() - cpu_before, took[0].max(took[1]));
    sensor.leave();
    let events = decode_where(&Sensor::records(&dir), |event| {
        floods.iter().for_each(|flood| flood.note(event));
        at(event, "event.action") == "loss"
    });
    let told: u64 = floods.iter().map(|flood| flood.told.get()).sum();
    let lost = lost(&events, "bulk");
    println!("{told} told, {lost} lost in {took:.2?}; the sensor's CPU: {cpu:.2?}");
    assert!(!events.iter().any(is_of_guard), "{events:?}");
    assert!(told + lost >= 2 * operations(), "{told} told, {lost} lost");
}
