//! The sensor's own log.

use crate::support::command::{ask, health};
use crate::support::rsyslog::Rsyslog;
use crate::support::runner::Test;
use crate::support::sensor::{managed_file, run_command};
use crate::support::{Sensor, require_live, scratch, wait_for};
use std::fs;

pub const TESTS: &[Test] = &[
    ("r17_the_log_goes_to_syslog", r17_the_log_goes_to_syslog),
    ("r17_the_log_has_levels", r17_the_log_has_levels),
];

fn r17_the_log_goes_to_syslog() {
    require_live();
    let (_guard, dir) = scratch();
    let mut rsyslog = Rsyslog::start(&dir);
    let sensor = Sensor::start(&dir, &rsyslog.address());
    fs::write(managed_file(&dir), "[]").unwrap();
    wait_for("the warning", || sensor.log().contains("is not valid").then_some(()));
    let (log, pid) = (sensor.log(), sensor.pid());
    for line in log.lines() {
        assert!(line.starts_with("mote: "), "{line}");
    }
    sensor.leave();
    wait_for("its last words", || {
        let arrived = fs::read_to_string(rsyslog.severities()).unwrap();
        arrived.contains("ending: ").then_some(())
    });
    rsyslog.stop();
    let arrived = fs::read_to_string(rsyslog.severities()).unwrap();
    for (severity, words) in [
        ("info", "ready: "),
        ("info", "started on Linux "),
        ("warning", "is not valid, and the one before is kept"),
        ("info", "ending: "),
    ] {
        let tag = format!("daemon {severity} mote-log[{pid}]: ");
        let found = arrived.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
        assert!(found.len() == 1 && found[0].starts_with(&tag), "{tag}{words}: {found:?}");
        assert!(severity == "warning" || !found[0].contains("warning"), "{found:?}");
    }
    // The same sentences as on standard error, and no record has this tag.
    for line in log.lines() {
        let sentence = line.trim_start_matches("mote: ").trim_start_matches("warning: ");
        assert!(arrived.contains(sentence), "`{sentence}` in {arrived}");
    }
    let records: Vec<&str> = arrived.lines().filter(|line| line.contains("m1:")).collect();
    let of_records = format!("authpriv info mote[{pid}]: ");
    assert!(!records.is_empty() && records.iter().all(|line| line.starts_with(&of_records)));
}

fn r17_the_log_has_levels() {
    require_live();
    for (level, said) in [("error", false), ("debug", true)] {
        let (_guard, dir) = scratch();
        let args = ["--syslog", "stdout", "--log-level", level];
        let sensor = Sensor::spawn(&dir, run_command(&dir, &args));
        wait_for("an answer", || {
            (ask(&dir, &["health", "--field", "uptime"]).code == Some(0)).then_some(())
        });
        assert_eq!(health(&dir, "log_level"), level);
        fs::write(managed_file(&dir), "[]").unwrap();
        wait_for("an issue", || (health(&dir, "healthy") == false).then_some(()));
        let log = sensor.log();
        if said {
            for words in ["mote: ready:", "mote: warning: ", "mote: debug: process ", "Health"] {
                assert!(log.contains(words), "`{words}`: {log}");
            }
        } else {
            assert_eq!(log, "");
        }
        sensor.abandon();
    }
}
