//! Providers are switched while processes begin and end: each exec is told once.

use crate::provider::switch;
use crate::support::child;
use crate::support::expect::at;
use crate::support::runner::Test;
use crate::support::sensor::decode_where;
use crate::support::{Sensor, output_of, require_connector, require_live, require_program};
use crate::support::{scratch, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[("r6_switching_in_a_storm_loses_nothing", r6_switching_in_a_storm)];

/// How often eBPF is switched off and on again: each takes seconds, because the kernel detaches
/// slowly.
fn turns() -> u32 {
    if std::env::var_os("MOTE_SOAK").is_some() { 100 } else { 5 }
}

/// At the same time.
const STORMS: u32 = 2;

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
            let pid =
                child::fork(|| child::exec(Path::new("/bin/true"), &[b"true", name.as_bytes()]));
            child::ends_with(pid, 0);
            writeln!(notes, "{pid} {name}").unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        0
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

/// The numbers of the programs and maps that a sensor holds.
fn held_ids(sensor: &Sensor) -> BTreeSet<(&'static str, u64)> {
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
    let sensor = Sensor::start_to_file(&dir);
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
            wait_for("the end of what was detached", || {
                (Held::by(&sensor).programs == before.programs).then_some(())
            });
        }
    }
    let took = begin.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    fs::write(dir.join("stop"), "").unwrap();
    storms.iter().for_each(|pid| child::ends_with(*pid, 0));
    wait_for("what is held as before", || {
        (Held::by(&sensor).programs == before.programs).then_some(())
    });
    assert_eq!(Held::by(&sensor), before);
    let held = held_ids(&sensor);
    wait_for("the end of all other programs and maps", || {
        (ids.intersection(&ids_in_kernel(&bpftool)).eq(&held)).then_some(())
    });
    assert!(ids.len() > held.len());
    sensor.leave();

    let mut run: BTreeMap<(u64, String), i64> = BTreeMap::new();
    for number in 0..STORMS {
        let notes = fs::read_to_string(dir.join(format!("storm {number}"))).unwrap();
        for (pid, name) in notes.lines().map(|line| line.split_once(' ').unwrap()) {
            *run.entry((pid.parse().unwrap(), name.to_owned())).or_default() += 1;
        }
    }
    let count = run.len();
    let pids: BTreeMap<u64, Vec<String>> = run.keys().fold(BTreeMap::new(), |mut pids, key| {
        pids.entry(key.0).or_insert_with(Vec::new).push(key.1.clone());
        pids
    });
    let execs = decode_where(&Sensor::records(&dir), |event| {
        let action = at(event, "event.action");
        let is_ours = at(event, "process.pid").as_u64().is_some_and(|pid| pids.contains_key(&pid))
            // Others get the same ids before and after.
            && at(event, "process.parent.pid")
                .as_u64()
                .is_none_or(|parent| storms.iter().any(|pid| parent == u64::from(*pid)));
        action == "loss" || action == "exec" && is_ours && at(event, "mote.return") == 0
    });
    let (mut losses, execs): (Vec<_>, Vec<_>) =
        execs.into_iter().partition(|event| at(event, "event.action") == "loss");
    // File events of others.
    losses.retain(|loss| at(loss, "mote.lost.ring") != "bulk");
    let mut by_netlink = 0;
    let mut nameless: BTreeMap<u64, i64> = BTreeMap::new();
    for exec in &execs {
        by_netlink += usize::from(at(exec, "event.provider") == "netlink");
        let pid = at(exec, "process.pid").as_u64().unwrap();
        match at(exec, "process.args")[1].as_str() {
            Some(name) => *run.entry((pid, name.to_owned())).or_default() -= 1,
            // The process connector was too late for its arguments.
            None => *nameless.entry(pid).or_default() += 1,
        }
    }
    for (pid, times) in nameless {
        // An id that was used twice: which of them it was does not matter.
        for _ in 0..times {
            let open = pids[&pid].iter().find(|name| run[&(pid, (*name).clone())] > 0);
            let name = open.unwrap_or(&pids[&pid][0]).clone();
            *run.get_mut(&(pid, name)).unwrap() -= 1;
        }
    }
    let missing: Vec<_> = run.iter().filter(|(_, left)| **left > 0).collect();
    let twice: Vec<_> = run.iter().filter(|(_, left)| **left < 0).collect();
    println!(
        "{turns} turns in {took:.1?}, the longest command {longest:.1?}: {count} programs, \
         {by_netlink} told by the process connector, {} missing, {} twice; {before:?} of {} programs and maps",
        missing.len(),
        twice.len(),
        ids.len()
    );
    assert!(losses.is_empty(), "{losses:?}");
    assert!(missing.is_empty(), "missing: {:?}", &missing[..missing.len().min(10)]);
    assert!(twice.is_empty(), "twice: {:?}", &twice[..twice.len().min(10)]);
    assert!(by_netlink > 0 && by_netlink < count, "both providers have run");
}
