//! `mote diagnostic ebpf-statistics`, with a load that is known.

use crate::support::command::{
    ask, health, healthy, start_that_tells_who_asks, wait_for_begin, watch,
};
use crate::support::expect::at;
use crate::support::runner::Test;
use crate::support::worker::{UNLINKED, Worker};
use crate::support::{again, program_as, require_live, scratch, wait_for};
use crate::{finish, folder, make};
use serde_json::Value;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("r15_statistics_count_what_was_done", r15_statistics_count_what_was_done),
    ("r15_one_watch_at_a_time", r15_one_watch_at_a_time),
];

const RENAMES: u64 = 600;
const UNLINKS: u64 = 300;
const EXCLUDED: u64 = 500;

fn count(list: &Value, key: &str, value: impl PartialEq<Value>) -> u64 {
    let found = list.as_array().unwrap().iter().find(|one| value == one[key]);
    found.map_or(0, |one| one["count"].as_u64().unwrap())
}

fn r15_statistics_count_what_was_done() {
    require_live();
    let (_guard, dir) = scratch();
    let (seen, excluded) = (dir.join("seen"), dir.join("excluded"));
    program_as(&seen);
    program_as(&excluded);
    let (at_work, other) = (folder(&dir, "work"), folder(&dir, "other"));
    for dir in [&at_work, &other] {
        std::fs::write(dir.join("a"), "").unwrap();
    }
    let sensor = start_that_tells_who_asks(&dir);
    let mut seen_worker = Worker::start_program(&seen, &at_work);
    let mut excluded_worker = Worker::start_program(&excluded, &other);
    let path = excluded.to_str().unwrap();
    ask(&dir, &["exclusion", "process", "add", "--path", path]).expect(0);

    let args = ["--time", "3", "--top", "512", "--output", "json"];
    let watch_json = watch(&dir, &args);
    wait_for_begin(&sensor, &watch_json);
    seen_worker.ask(&format!("renames {RENAMES}"));
    seen_worker.ask(&format!("unlinks {UNLINKS}"));
    excluded_worker.ask(&format!("renames {EXCLUDED}"));
    let output = watch_json.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["seconds"], 3);
    // More paths than are counted apart, or more events than there is room for.
    if told["file_paths_error"] != 0 || health(&dir, "events_lost") != 0 {
        again("the host is flooded with file events");
    }

    let paths = &told["file_paths"];
    for (name, exact) in [("a", RENAMES), ("b", RENAMES), (UNLINKED, UNLINKS)] {
        let counted = count(paths, "path", Value::from(at_work.join(name).to_str().unwrap()));
        assert_eq!(counted, exact, "{name}");
    }
    assert_eq!(count(paths, "path", Value::from(other.join("a").to_str().unwrap())), 0);
    assert_eq!(told["initiator_paths_error"], 0);
    let programs = &told["initiator_paths"];
    for (program, exact) in [(&seen, RENAMES + UNLINKS), (&excluded, EXCLUDED)] {
        let counted = count(programs, "path", Value::from(program.to_str().unwrap()));
        assert_eq!(counted, exact, "{program:?}");
    }
    let number = |field: &str| told[field].as_u64().unwrap();
    assert!(number("events") >= RENAMES + UNLINKS + EXCLUDED);
    assert!(number("events_excluded") >= EXCLUDED);
    assert!(number("events_without_path") >= EXCLUDED);
    // Others on the host make calls too, which are recorded.
    let events = finish(sensor, &dir);
    for (call, name, exact) in [
        (libc::SYS_renameat, "renameat", RENAMES + EXCLUDED),
        (libc::SYS_unlinkat, "unlinkat", UNLINKS),
    ] {
        let of_others = |event: &&Value| {
            at(event, "mote.syscall") == call && at(event, "process.pid") != seen_worker.pid()
        };
        let others = events.iter().filter(of_others).count() as u64;
        let counted = count(&told["syscall_ids"], "id", Value::from(call));
        println!("{name}: {counted} counted of {exact}, and at most {others} of others");
        assert!((exact..=exact + others).contains(&counted), "{name}");
        assert_eq!(count(&told["syscall_ids"], "name", Value::from(name)), counted);
    }
}

fn r15_one_watch_at_a_time() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = start_that_tells_who_asks(&dir);
    let mut first = watch(&dir, &["--time", "600"]);
    wait_for_begin(&sensor, &first);
    let second = ask(&dir, &["diagnostic", "ebpf-statistics", "--time", "2"]).expect(75);
    assert!(second.err.contains("watches already"), "{second:?}");
    healthy(&dir);
    // Whoever leaves ends his watch.
    first.kill().unwrap();
    first.wait().unwrap();
    let begun = Instant::now();
    let third = wait_for("the end of a watch", || {
        Some(ask(&dir, &["diagnostic", "ebpf-statistics", "--time", "1"]))
            .filter(|answer| answer.code == Some(0))
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
    make(&dir, "something");
    let titles = ["Monitor 1 seconds\nTop file paths:\n", "\n\nTop initiator paths:\n"];
    for title in titles.into_iter().chain(["\n\nTop syscall ids:\n", "\n\nEvents: "]) {
        assert!(third.out.contains(title), "{title:?}: {}", third.out);
    }
    for args in [["--time", "0"], ["--time", "3601"], ["--top", "0"], ["--top", "513"]] {
        let args = [&["diagnostic", "ebpf-statistics"], &args[..]].concat();
        ask(&dir, &args).refused(64, &["write a whole number from 1 to"]);
    }
    sensor.leave();
}
