//! Providers are switched while processes begin and end: each exec is told once.

use crate::folder;
use crate::provider::switch;
use crate::support::child;
use crate::support::expect::at;
use crate::support::runner::Test;
use crate::support::sensor::decode_where;
use crate::support::{Sensor, output_of, require_connector, require_live, require_program};
use crate::support::{scratch, wait_at_most, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use time::{Date, Month, OffsetDateTime};

pub const TESTS: &[Test] = &[("r6_switching_in_a_storm_loses_nothing", r6_switching_in_a_storm)];

/// How often eBPF is switched off and on again: each takes seconds, because the kernel detaches
/// slowly.
fn turns() -> u32 {
    if std::env::var_os("MOTE_SOAK").is_some() { 100 } else { 5 }
}

/// For as long as the kernel may take for all that four switches leave it.
const DETACHING: Duration = Duration::from_secs(180);

/// At the same time.
const STORMS: u32 = 2;

/// Unix time.
fn now_ns() -> i128 {
    OffsetDateTime::now_utc().unix_timestamp_nanos()
}

/// The time of an event.
fn time_ns(event: &Value) -> i128 {
    let text = at(event, "@timestamp").as_str().unwrap();
    let mut numbers =
        text.split(['-', 'T', ':', '.', 'Z']).map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap();
    let (year, month, day): (u32, u32, u32) = (next(), next(), next());
    let month = Month::try_from(month as u8).unwrap();
    let date = Date::from_calendar_date(year as i32, month, day as u8).unwrap();
    let time = date.with_hms(next() as u8, next() as u8, next() as u8).unwrap();
    // All nine digits of the fraction are there.
    time.assume_utc().unix_timestamp_nanos() + i128::from(next())
}

/// A program that was run.
#[derive(Debug)]
struct Run {
    /// From before its fork to after its end.
    time_ns: RangeInclusive<i128>,
    name: String,
    told: usize,
}

/// What the storms noted, by process id: one may be used several times.
fn runs(dir: &Path) -> BTreeMap<u64, Vec<Run>> {
    // Of times of batches and of this program; no id is used again so soon.
    const SLACK_NS: i128 = 1_000_000;
    let mut runs: BTreeMap<u64, Vec<Run>> = BTreeMap::new();
    for number in 0..STORMS {
        let notes = fs::read_to_string(dir.join(format!("storm {number}"))).unwrap();
        for line in notes.lines() {
            let fields: Vec<&str> = line.splitn(4, ' ').collect();
            let ns = |field: &str| field.parse::<i128>().unwrap();
            runs.entry(fields[0].parse().unwrap()).or_default().push(Run {
                time_ns: ns(fields[1]) - SLACK_NS..=ns(fields[2]) + SLACK_NS,
                name: fields[3].to_owned(),
                told: 0,
            });
        }
    }
    runs
}

/// Programs until it is told to stop, each with an argument of its own; notes their processes.
fn storm(dir: &Path, number: u32) -> u32 {
    child::fork(|| {
        let (stop, notes) = (dir.join("stop"), dir.join(format!("storm {number}")));
        let mut notes = fs::File::create(notes).unwrap();
        for n in 0.. {
            if stop.exists() || !dir.exists() {
                break;
            }
            let name = format!("storm {number} program {n}");
            let begin_ns = now_ns();
            let pid =
                child::fork(|| child::exec(Path::new("/bin/true"), &[b"true", name.as_bytes()]));
            child::ends_with(pid, 0);
            writeln!(notes, "{pid} {begin_ns} {} {name}", now_ns()).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        0
    })
}

/// All that is told of a process around a run of it, and of the sensor.
fn all_of(dir: &Path, pid: u64, run: &Run) -> Vec<Value> {
    const AROUND_NS: i128 = 2_000_000_000;
    let around = run.time_ns.start() - AROUND_NS..=run.time_ns.end() + AROUND_NS;
    decode_where(&Sensor::records(dir), |event| {
        let is_its = at(event, "process.pid") == pid || at(event, "event.action") == "loss";
        is_its && around.contains(&time_ns(event))
    })
}

/// What of a sensor is in the kernel.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    programs: usize,
    maps: usize,
}

impl Held {
    /// By its descriptors.
    fn by(sensor: &Sensor) -> Held {
        let links = fs::read_dir(format!("/proc/{}/fd", sensor.pid())).unwrap();
        let links: Vec<String> = links
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .map(|link| link.display().to_string())
            .collect();
        let count = |kind: &str| links.iter().filter(|link| link.contains(kind)).count();
        Held { descriptors: links.len(), programs: count("bpf-prog"), maps: count("bpf-map") }
    }
}

/// Waits for the end of what measured at the start, which comes just behind that.
pub fn wait_until_settled(sensor: &Sensor) {
    let (mut last, mut since) = (Held::by(sensor), Instant::now());
    wait_for("a second in which nothing is closed", || {
        let held = Held::by(sensor);
        if held != last {
            (last, since) = (held, Instant::now());
        }
        (since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// The numbers of the programs and maps that a sensor holds.
pub fn held_ids(sensor: &Sensor) -> BTreeSet<(&'static str, u64)> {
    let infos = fs::read_dir(format!("/proc/{}/fdinfo", sensor.pid())).unwrap();
    let texts = infos.filter_map(|info| fs::read_to_string(info.ok()?.path()).ok());
    let number = |text: &str, kind: &'static str, field: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        Some((kind, line.trim().parse().unwrap()))
    };
    texts
        .filter_map(|text| number(&text, "prog", "prog_id:").or(number(&text, "map", "map_id:")))
        .collect()
}

/// Those of all that is in the kernel, as bpftool shows it.
fn ids_in_kernel(bpftool: &Path) -> BTreeSet<(&'static str, u64)> {
    let show = |kind: &'static str| {
        let text = output_of(Command::new(bpftool).args([kind, "show", "--json"]));
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        list.into_iter().map(move |one| (kind, one["id"].as_u64().unwrap()))
    };
    show("prog").chain(show("map")).collect()
}

fn r6_switching_in_a_storm() {
    require_live();
    require_connector();
    let bpftool = require_program("bpftool");
    let (_guard, dir) = scratch();
    // Its lock is held from the start on then.
    folder(&dir, "state");
    let sensor = Sensor::start_to_file(&dir);
    wait_until_settled(&sensor);
    let before = Held::by(&sensor);
    let mut ids = held_ids(&sensor);
    assert_eq!(ids.len(), before.programs + before.maps);
    let storms: Vec<u32> = (0..STORMS).map(|number| storm(&dir, number)).collect();
    let begin = Instant::now();
    let (mut longest, turns) = (Duration::ZERO, turns());
    for turn in 0..turns {
        for value in ["disabled", "enabled"] {
            let asked = Instant::now();
            switch(&dir, value);
            longest = longest.max(asked.elapsed());
            ids.extend(held_ids(&sensor));
            // Now and then the next one comes while this one is under way.
            std::thread::sleep(Duration::from_millis(u64::from(turn % 4) * 150));
        }
        if turn % 4 == 3 {
            wait_at_most(DETACHING, "the end of what was detached", || {
                (Held::by(&sensor).programs == before.programs).then_some(())
            });
        }
    }
    let took = begin.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    fs::write(dir.join("stop"), "").unwrap();
    storms.iter().for_each(|pid| child::ends_with(*pid, 0));
    wait_at_most(DETACHING, "what is held as before", || {
        (Held::by(&sensor).programs == before.programs).then_some(())
    });
    wait_until_settled(&sensor);
    assert_eq!(Held::by(&sensor), before);
    let held = held_ids(&sensor);
    wait_for("the end of all other programs and maps", || {
        (ids.intersection(&ids_in_kernel(&bpftool)).eq(&held)).then_some(())
    });
    assert!(ids.len() > held.len());
    sensor.leave();

    let mut runs = runs(&dir);
    let execs = decode_where(&Sensor::records(&dir), |event| {
        let action = at(event, "event.action");
        let is_ours = at(event, "process.pid").as_u64().is_some_and(|pid| runs.contains_key(&pid));
        action == "loss" || action == "exec" && is_ours && at(event, "mote.return") == 0
    });
    let (mut losses, execs): (Vec<_>, Vec<_>) =
        execs.into_iter().partition(|event| at(event, "event.action") == "loss");
    // File events of others.
    losses.retain(|loss| at(loss, "mote.lost.ring") != "bulk");
    let (mut by_netlink, mut without_args) = (0, 0);
    for exec in &execs {
        let pid = at(exec, "process.pid").as_u64().unwrap();
        let time_ns = time_ns(exec);
        let runs = runs.get_mut(&pid).unwrap();
        // Others get the same ids before and after.
        let Some(run) = runs.iter_mut().find(|run| run.time_ns.contains(&time_ns)) else {
            continue;
        };
        run.told += 1;
        by_netlink += usize::from(at(exec, "event.provider") == "netlink");
        // The process connector may be too late for them, and the first hooks of eBPF see the
        // end of an exec whose beginning no hook saw yet.
        let name = &at(exec, "process.args")[1];
        let marks = at(exec, "mote.flags").as_array();
        let is_unread = name.is_null()
            && marks.is_some_and(|marks| marks.contains(&Value::from("args_unread")));
        assert!(is_unread || *name == run.name, "{}: {exec}", run.name);
        without_args += usize::from(is_unread && at(exec, "event.provider") == "ebpf");
    }
    let count: usize = runs.values().map(Vec::len).sum();
    let told = |wanted: fn(usize) -> bool| -> Vec<(u64, &Run)> {
        let all = runs.iter().flat_map(|(pid, runs)| runs.iter().map(|run| (*pid, run)));
        all.filter(|(_, run)| wanted(run.told)).collect()
    };
    let (missing, twice) = (told(|times| times == 0), told(|times| times > 1));
    println!(
        "{turns} turns in {took:.1?}, the longest command {longest:.1?}: {count} programs, \
         {by_netlink} told by the process connector, {without_args} by eBPF without arguments, \
         {} missing, {} twice; {before:?} of {} programs and maps",
        missing.len(),
        twice.len(),
        ids.len()
    );
    assert!(losses.is_empty(), "{losses:?}");
    if let Some((pid, run)) = missing.first() {
        panic!("missing: {run:?}; told of process {pid}: {:#?}", all_of(&dir, *pid, run));
    }
    assert!(twice.is_empty(), "twice: {:?}", &twice[..twice.len().min(10)]);
    assert!(without_args * 10 < count, "{without_args} of {count} without arguments");
    assert!(by_netlink > 0 && by_netlink < count, "both providers have run");
}
