//! What floods a host is told by statistics, and costs next to nothing once it is excluded.

mod support;

use mote::limits::EXCLUDED_PLACES;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::command::{ask, json, start_that_tells_who_asks, wait_for_begin, watch};
use support::expect::at;
use support::sensor::decode_where;
use support::{Sensor, output_of, require_live, require_program, scratch, skip, wait_for};

fn main() -> ExitCode {
    support::runner::run(&[
        ("r15_statistics_count_what_floods", r15_statistics_count_what_floods),
        ("r20_an_excluded_flood_costs_nothing", r20_an_excluded_flood_costs_nothing),
        ("r20_an_exclusion_stays_on_a_busy_host", r20_an_exclusion_stays_on_a_busy_host),
    ])
}

/// What `mote diagnostic ebpf-statistics` tells of two seconds.
fn statistics(dir: &Path) -> Value {
    json(dir, &["diagnostic", "ebpf-statistics", "--time", "2"])
}

fn exclude(dir: &Path, program: &Path) {
    let path = program.to_str().unwrap();
    ask(dir, &["exclusion", "process", "add", "--path", path]).expect(0);
}

/// stress-ng, in a directory of its own. Dropped, it is ended with its workers.
struct Stress {
    child: Child,
}

impl Stress {
    fn rename(program: &Path, dir: &Path) -> Stress {
        let mut command = Command::new(program);
        command.args(["--rename", "1", "--timeout", "60", "--temp-path"]).arg(dir);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Stress { child }
    }

    /// The process that renames, once it does.
    fn worker(&self) -> u32 {
        let pid = self.child.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        wait_for("the worker of stress-ng", || {
            fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()
        })
    }
}

impl Drop for Stress {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, Signal::INT);
        let _ = self.child.wait();
    }
}

/// A directory of which no disk slows the load down.
fn in_memory() -> (tempfile::TempDir, PathBuf) {
    let parent = Path::new("/dev/shm");
    let guard = match parent.is_dir() {
        true => tempfile::tempdir_in(parent).unwrap(),
        false => tempfile::tempdir().unwrap(),
    };
    let path = guard.path().to_owned();
    (guard, path)
}

/// A sensor that an exclusion alone keeps a flood from.
fn start_without_guard(scratch: &Path) -> Sensor {
    Sensor::start_with(scratch, &["--syslog", "stdout", "--bulk-budget", "0"])
}

fn stress_ng() -> PathBuf {
    require_program("stress-ng")
}

/// How often each call was made, by strace's summary: the last field of a line is the call, the
/// fourth how often.
fn calls_of(summary: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some(((*fields.last()?).to_owned(), fields.get(3)?.parse().ok()?))
    };
    summary.lines().filter_map(line).collect()
}

/// Every rename and every unlink, and beside what others do meanwhile no more than one in a hundred.
///
/// stress-ng's own count is of those that it is content with, of every form of the call. Its
/// rename stressor calls renameat2 seven times for two calls of rename, to see them fail: so what
/// comes first is counted independently.
fn r15_statistics_count_what_floods() {
    require_live();
    let (stress, strace) = (stress_ng(), require_program("strace"));
    let (_guard, dir) = scratch();
    let sensor = start_that_tells_who_asks(&dir);
    let mut load = Command::new(strace);
    load.args(["-f", "-c", "-o"]).arg(dir.join("calls"));
    load.arg(&stress).args(["--rename", "1", "--rename-ops", "4000", "--timeout", "11"]);
    // Debian 12's has no such stressor.
    let known = output_of(Command::new(&stress).arg("--stressors"));
    if known.split_whitespace().any(|stressor| stressor == "unlink") {
        load.args(["--unlink", "1", "--unlink-ops", "1"]);
    }
    let (_memory_guard, memory) = in_memory();
    load.args(["--temp-path"]).arg(&memory).stdout(Stdio::null()).stderr(Stdio::null());
    let watch = watch(&dir, &["--output", "json", "--time", "13"]);
    wait_for_begin(&sensor, &watch);
    let begin = Instant::now();
    assert!(load.status().unwrap().success(), "{load:?}");
    assert!(begin.elapsed() < Duration::from_secs(12), "all of the load is within the watch");
    let statistics = String::from_utf8(watch.wait_with_output().unwrap().stdout).unwrap();
    let statistics: Value = serde_json::from_str(&statistics).unwrap();
    sensor.leave();

    let first = &statistics["initiator_paths"][0];
    assert_eq!(first["path"], stress.to_str().unwrap(), "{statistics:#}");
    let calls = calls_of(&fs::read_to_string(dir.join("calls")).unwrap());
    let mut changes: Vec<(&str, u64)> = ["rename", "renameat", "renameat2", "unlink", "unlinkat"]
        .into_iter()
        .filter_map(|name| Some((name, *calls.get(name)?)))
        .collect();
    changes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    println!("by strace: {changes:?}; told: {}", statistics["syscall_ids"]);
    let told = statistics["syscall_ids"].as_array().unwrap();
    let told = |name: &str| {
        let call = told.iter().find(|call| call["name"] == name)?;
        call["count"].as_u64()
    };
    let others = statistics["events"].as_u64().unwrap() - first["count"].as_u64().unwrap();
    for (name, count) in &changes {
        // Fewer than that are outdone by what any other process does.
        if *count >= 1_000 {
            let told = told(name).unwrap_or(0);
            let most = count + count / 100 + others;
            assert!((*count..=most).contains(&told), "{name}: {told}, not {count} to {most}");
        }
    }
    let sum: u64 = changes.iter().map(|(_, count)| count).sum();
    assert!(first["count"].as_u64().unwrap() >= sum, "{first}: of {sum}");
    assert_eq!(statistics["syscall_ids"][0]["name"], changes[0].0, "{statistics:#}");
}

/// The part of a CPU that the sensor takes for as long.
fn load_of(sensor: &Sensor, time: Duration) -> f64 {
    let (before, begin) = (sensor.cpu_time(), Instant::now());
    sleep(time);
    (sensor.cpu_time() - before).div_duration_f64(begin.elapsed())
}

/// What comes to the sensor to be excluded there costs it as much as any other event.
fn assert_dropped_in_the_kernel(statistics: &Value) {
    let count = |name: &str| statistics[name].as_u64().unwrap();
    let in_kernel = count("events_without_path");
    assert!(in_kernel > 0 && in_kernel >= count("events_excluded") / 10 * 9, "{statistics:#}");
}

const WATCHED: Duration = Duration::from_secs(2);
/// Of a CPU: what the sensor takes for other programs of the host.
const NEXT_TO_NOTHING: f64 = 0.04;

fn r20_an_excluded_flood_costs_nothing() {
    require_live();
    let program = stress_ng();
    let (_guard, dir) = scratch();
    let sensor = start_without_guard(&dir);
    let (_memory_guard, memory) = in_memory();
    let stress = Stress::rename(&program, &memory);
    stress.worker();
    sleep(Duration::from_millis(500));
    let before = load_of(&sensor, WATCHED);
    exclude(&dir, &program);
    sleep(Duration::from_secs(1));
    let records = Sensor::records(&dir);
    let lines = fs::read_to_string(&records).unwrap().lines().count();
    let after = load_of(&sensor, WATCHED);
    println!("of a CPU: {before:.3} before it is excluded, {after:.3} after");
    assert!(before > 2.0 * NEXT_TO_NOTHING, "the flood is no load: {before}");
    assert!(after < NEXT_TO_NOTHING, "{after} of a CPU, {before} before");
    let statistics = statistics(&dir);
    let first = &statistics["initiator_paths"][0];
    assert_eq!(first["path"], program.to_str().unwrap(), "{statistics:#}");
    assert_dropped_in_the_kernel(&statistics);
    assert!(statistics["events_excluded"].as_u64() >= first["count"].as_u64(), "{statistics:#}");
    drop(stress);
    sensor.leave();
    let text = fs::read_to_string(&records).unwrap();
    let late = dir.join("late");
    fs::write(&late, text.lines().skip(lines).flat_map(|line| [line, "\n"]).collect::<String>())
        .unwrap();
    let is_of_it = |event: &Value| at(event, "process.executable") == program.to_str().unwrap();
    assert_ne!(decode_where(&records, is_of_it).len(), 0, "it is seen before it is excluded");
    assert_eq!(decode_where(&late, is_of_it).len(), 0, "a second after that");
}

/// The kernel part forgets an exclusion when another process begins in the same place. It has
/// to get it again: on a busy host every place is used once in some minutes.
fn r20_an_exclusion_stays_on_a_busy_host() {
    const PLACES: u32 = EXCLUDED_PLACES as u32;
    const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
    require_live();
    let program = stress_ng();
    if !Path::new(LAST_PID).exists() {
        skip("this kernel does not let a process id be chosen");
    }
    let (_guard, dir) = scratch();
    let sensor = start_without_guard(&dir);
    let (_memory_guard, memory) = in_memory();
    let stress = Stress::rename(&program, &memory);
    let worker = stress.worker();
    exclude(&dir, &program);
    sleep(Duration::from_secs(1));
    let max: u32 = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
    let same_place = (1..8).map(|n| worker % PLACES + n * PLACES).filter(|pid| *pid < max);
    let mut taken = 0;
    for pid in same_place.filter(|pid| *pid != worker) {
        // Another process may take it first.
        fs::write(LAST_PID, (pid - 1).to_string()).unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        taken += u32::from(child.id() == pid);
        child.wait().unwrap();
    }
    assert!(taken > 0, "a process in the place of {worker}");
    sleep(Duration::from_secs(1));
    let after = load_of(&sensor, WATCHED);
    let statistics = statistics(&dir);
    println!("{after:.3} of a CPU, after {taken} other processes in its place");
    assert!(after < NEXT_TO_NOTHING, "{after} of a CPU: {statistics:#}");
    assert_dropped_in_the_kernel(&statistics);
    drop(stress);
    sensor.leave();
}
