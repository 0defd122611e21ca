//! Every event of a load arrives once in the file of a real syslog daemon.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::fs::create_dir;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use support::expect::{assert_complete, assert_same, compare};
use support::rsyslog::Rsyslog;
use support::sensor::decode_until;
use support::workload::Workload;
use support::{Sensor, require_live, scratch};

fn main() -> ExitCode {
    support::runner::run(&[
        ("syslog_chain", syslog_chain),
        ("syslog_stopped_for_ten_seconds", syslog_stopped_for_ten_seconds),
        ("syslog_frozen", syslog_frozen),
    ])
}

/// 200 programs, 1,000 files, 50 directories, 50 connections accepted and 50 refused.
fn syslog_chain() {
    through_rsyslog(|_, load| load.run(5));
}

/// The daemon is stopped under the load and started again.
fn syslog_stopped_for_ten_seconds() {
    through_rsyslog(|rsyslog, load| {
        load.run(1);
        rsyslog.stop();
        let away = std::time::Instant::now();
        // 2,600 steps: spread over most of the time the daemon is away.
        load.rest = Duration::from_millis(7);
        load.run(5);
        sleep(Duration::from_secs(10).saturating_sub(away.elapsed()));
        rsyslog.begin();
        load.rest = Duration::ZERO;
        load.run(1);
    });
}

/// The daemon is there but reads nothing: its socket fills up instead of going away.
fn syslog_frozen() {
    through_rsyslog(|rsyslog, load| {
        rsyslog.signal(Signal::STOP);
        load.run(3);
        sleep(Duration::from_secs(2));
        rsyslog.signal(Signal::CONT);
        load.run(1);
    });
}

fn through_rsyslog(play: impl FnOnce(&mut Rsyslog, &mut Workload)) {
    require_live();
    let (_guard, dir) = scratch();
    let load_dir = dir.join("load");
    create_dir(&load_dir).unwrap();
    let mut rsyslog = Rsyslog::start(&dir);
    let sensor = Sensor::start(&dir, &rsyslog.address());
    let mut load = Workload::new(&load_dir);
    play(&mut rsyslog, &mut load);
    // The rest arrives while the sensor runs or as it drains; both have to be complete.
    sensor.stop();
    let of_load = |events: &[Value]| -> Vec<Value> {
        events.iter().filter(|event| load.caused(event)).cloned().collect()
    };
    let events = decode_until(&rsyslog.messages(), |events| {
        let seen = of_load(events);
        let difference = compare(&load.rows, &seen.iter().collect::<Vec<_>>(), false);
        difference.missing.is_empty()
    });
    rsyslog.stop();
    // The queue is for all that happens on the machine: others can fill it.
    println!("{} of {} events are of the load", of_load(&events).len(), events.len());
    // First: what was lost says why something is missing.
    assert_complete(&events);
    assert_same(&load.rows, &of_load(&events).iter().collect::<Vec<_>>(), false);
}
