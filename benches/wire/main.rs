//! Bytes per event on the wire, beside auditd's log of the same run: the installation of a package,
//! and 100,000 renames in one process and in four.
//!
//! Sensor and auditd watch at the same time, and see everything that the host does meanwhile. So the
//! figures come twice: of the run alone, for which its events are put into messages once more, and
//! of all that was sent and logged. Nothing is timed, so nothing is pinned. With `MOTE_BENCH_KEEP=DIR`
//! what the sensor sent is kept there, for `mote decode`.

#[path = "../common/auditd.rs"]
#[allow(dead_code)]
mod auditd;
#[path = "../common/figures.rs"]
mod figures;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod audit_log;
mod package;
mod parts;
mod receiver;
mod rules;
mod told;

use audit_log::Audited;
use auditd::Auditd;
use figures::Figures;
use parts::Parts;
use receiver::Receiver;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use support::runner::skip;
use support::{Sensor, child, require_live, scratch, wait_at_most};
use told::Told;

const RENAMES: u32 = 100_000;
/// Two ticks and a flush of the sensor.
const FLUSHED: Duration = Duration::from_millis(1500);
/// All that a run takes: the renames of logs would be events too.
const LOG_MB: u32 = 1_000;

fn main() -> ExitCode {
    // As tests, for their root check and their verdict lines.
    support::runner::run(&[
        ("package", || {
            package::installed(|dir, work| measure("package", "a package is installed", dir, work))
        }),
        ("renames_1", || renames(1)),
        ("renames_4", || renames(4)),
    ])
}

/// `RENAMES` in all, by so many processes, each in a directory of its own. Every name is given
/// once: `m4711.tmp` becomes `m4711`, as mail servers and package managers do it.
fn renames(processes: u32) {
    let (_guard, dir) = scratch();
    let each = RENAMES / processes;
    let title = format!("{RENAMES} renames, {processes} processes");
    measure(&format!("renames_{processes}"), &title, &dir, || {
        let children: Vec<u32> = (0..processes)
            .map(|number| {
                child::fork(|| {
                    let own = dir.join(format!("queue{number}"));
                    fs::create_dir(&own).unwrap();
                    let mut name = own.join("m.tmp");
                    fs::write(&name, "").unwrap();
                    for turn in 0..each {
                        let to = own.join(match turn % 2 {
                            0 => format!("m{turn}"),
                            _ => format!("m{turn}.tmp"),
                        });
                        fs::rename(&name, &to).unwrap();
                        name = to;
                    }
                    0
                })
            })
            .collect();
        children.into_iter().for_each(|pid| child::ends_with(pid, 0));
        true
    });
}

/// Runs `work` in a process that both watch, prints what it took of each, and keeps it by `name`.
/// `work` says whether it succeeded.
fn measure(name: &str, title: &str, dir: &Path, work: impl FnOnce() -> bool) {
    require_live();
    let receiver = Receiver::start(dir);
    let sensor = Sensor::start_with(dir, &["--syslog", &receiver.address, "--bulk-budget", "0"]);
    // Started behind the sensor, whose own programs it would log.
    let logs = tempfile::tempdir().unwrap();
    let mut auditd = or_skip(Auditd::start(logs.path(), LOG_MB));
    // /etc/audit/rules.d/audit.rules, as Debian has it.
    or_skip(auditd.set_backlog(8192, 60_000));
    for rule in rules::rules() {
        let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
        or_skip(auditd.add(&rule));
    }
    let lost_before: u64 = or_skip(auditd::status("lost")).parse().unwrap();
    // What began the daemons has been told.
    sleep(FLUSHED);
    let begin = receiver.bytes();

    let pid = child::fork(|| if work() { 0 } else { 1 });
    assert_eq!(child::wait(pid), 0, "{title}: it failed");

    auditd.take_back_rules();
    sleep(FLUSHED);
    let end = receiver.bytes();
    wait_at_most(Duration::from_secs(300), "auditd to write", || {
        (auditd::status("backlog").unwrap() == "0").then_some(())
    });
    sleep(FLUSHED);
    let lost = or_skip(auditd::status("lost")).parse::<u64>().unwrap() - lost_before;
    drop(auditd);
    sensor.stop();
    let lines = receiver.stop(begin, end);
    if let Some(kept) = std::env::var_os("MOTE_BENCH_KEEP") {
        let file = Path::new(&kept).join(format!("{}.lines", title.replace([' ', ','], "_")));
        fs::write(&file, lines.join(&b'\n')).unwrap();
    }

    let processes = told::descendants(&lines, pid);
    let alone = told::alone(&lines, &processes);
    let [all_audited, audited] = Audited::read(&auditd::log(logs.path()), &processes);
    let (all_told, told) = (Told::read(&lines), Told::read(&alone));
    println!("\n## {title}\n\nOf the run alone:\n");
    report(&told, &audited);
    keep(name, &told, &audited);
    println!("\nOf all that the host did meanwhile:\n");
    report(&all_told, &all_audited);
    println!("\nLost of these: {} by the sensor, {lost} by audit", all_told.lost);
    let actions = told.actions.iter().map(|(name, count)| format!("{name} {count}"));
    println!("Events of the run: {}\n", actions.collect::<Vec<_>>().join(", "));
    let parts = Parts::of(&alone);
    parts.print(told.events);
    assert_eq!(parts.bytes(), told.bytes, "a part is missing");
}

fn or_skip<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|reason| skip(&format!("auditd {reason}")))
}

/// Beside those of the other runs.
fn keep(name: &str, told: &Told, audited: &Audited) {
    let mut figures = Figures::new();
    if let Some(last) = Figures::of_last_time("wire") {
        figures.figures = last.figures;
    }
    let (wire, log) = (told.bytes_per_event(), audited.bytes_per_event());
    figures.add(format!("{name}_bytes"), &[wire]);
    figures.add(format!("{name}_auditd_bytes"), &[log]);
    figures.add(format!("{name}_ratio"), &[wire / log]);
    figures.keep("wire");
}

fn report(told: &Told, audited: &Audited) {
    let without = (told.bytes - told.header_bytes) as f64 / told.events as f64;
    let (wire, log) = (told.bytes_per_event(), audited.bytes_per_event());
    println!("| | mote, on the wire | auditd, its log | |\n| --- | --- | --- | --- |");
    println!("| events | {} | {} | |", told.events, audited.events);
    println!(
        "| messages ({} full), records | {} | {} | |",
        told.full, told.messages, audited.records
    );
    let ratio = audited.bytes as f64 / told.bytes as f64;
    println!("| bytes | {} | {} | 1/{ratio:.1} |", told.bytes, audited.bytes);
    println!("| bytes per event | {wire:.1} | {log:.1} | 1/{:.1} |", log / wire);
    println!("| without syslog headers | {without:.1} | | |");
}
