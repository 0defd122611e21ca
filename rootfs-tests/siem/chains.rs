//! A host forwards records by TCP or RELP to a collector that decodes them.

use crate::daemons::daemon::{Daemon, Input, Kind, rotate};
use crate::daemons::documents::{document, free_port, places};
use crate::records::{
    assert_once, documents, in_rsyslog, send_records, wait_for_lines, wait_until_read,
};
use crate::support::{require_program, scratch, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::read_to_string;
use std::path::Path;

const MMEXTERNAL: &str = "rsyslog-mmexternal.conf";
const OMPROG: &str = "rsyslog-omprog.conf";
const SYSLOG_NG: &str = "syslog-ng-collector.conf";

const MMEXTERNAL_RELP: &str = "rsyslog-mmexternal-relp.conf";
const OMPROG_RELP: &str = "rsyslog-omprog-relp.conf";

/// A host's daemon and its document.
type Host = (Kind, &'static str);
const RSYSLOG: Host = (Kind::Rsyslog, "rsyslog-forward.conf");
const RSYSLOG_RELP: Host = (Kind::Rsyslog, "rsyslog-forward-relp.conf");
const SYSLOG_NG_HOST: Host = (Kind::SyslogNg, "syslog-ng-forward.conf");

pub fn rsyslog_to_mmexternal() {
    through(RSYSLOG, Kind::Rsyslog, MMEXTERNAL);
}

pub fn rsyslog_to_omprog() {
    through(RSYSLOG, Kind::Rsyslog, OMPROG);
}

pub fn relp_to_mmexternal() {
    through(RSYSLOG_RELP, Kind::Rsyslog, MMEXTERNAL_RELP);
}

pub fn relp_to_omprog() {
    through(RSYSLOG_RELP, Kind::Rsyslog, OMPROG_RELP);
}

pub fn rsyslog_to_syslog_ng() {
    through(RSYSLOG, Kind::SyslogNg, SYSLOG_NG);
}

pub fn syslog_ng_to_mmexternal() {
    through(SYSLOG_NG_HOST, Kind::Rsyslog, MMEXTERNAL);
}

pub fn syslog_ng_to_omprog() {
    through(SYSLOG_NG_HOST, Kind::Rsyslog, OMPROG);
}

pub fn syslog_ng_to_syslog_ng() {
    through(SYSLOG_NG_HOST, Kind::SyslogNg, SYSLOG_NG);
}

/// A document, with all that it writes in `dir`.
fn of_collector(name: &str, dir: &Path, port: u16) -> String {
    let port = port.to_string();
    let [(program, our_program), (log, our_log)] = places(dir);
    document(name, &[("10514", &port), (program, &our_program), (log, &our_log)])
}

/// The host's rsyslogd ends while the collector takes nothing: what it has sent and is not confirmed
/// is lost, which is no more than its document lets be under way.
pub fn relp_host_ends_behind() {
    const RECORDS: u64 = 200;
    const WINDOW: usize = 2;
    let (_guard, dir) = scratch();
    let (there, port) = (dir.join("collector"), free_port());
    let text = of_collector(OMPROG_RELP, &there, port);
    let (kind, forwarder) = RSYSLOG_RELP;
    let mut host = Daemon::start_host(kind, forwarder, &dir.join("host"), port);
    let mut collector = Daemon::start(kind, &there, Input::Port(port), "", &text);
    let events = there.join("log/events.json");
    send_records(&host.socket(), 0..10);
    wait_for_lines(&events, documents(0..10).len());

    collector.signal(Signal::STOP);
    send_records(&host.socket(), 10..RECORDS);
    wait_until_read(&host.socket(), &host.rest());
    host.stop();
    collector.signal(Signal::CONT);
    host.begin();
    let sent = documents(0..RECORDS).len();
    let largest = (10..RECORDS).map(|number| documents(number..number + 1).len()).max().unwrap();
    let least = sent - WINDOW * largest;
    wait_for_lines(&events, least);
    host.stop();
    collector.stop();
    let arrived = read_to_string(&events).unwrap().lines().count();
    assert!((least..=sent).contains(&arrived), "{arrived} of {sent} events");
}

/// Through a rotation, restarts of both, a collector that is away for a while, and a program that is
/// killed.
fn through((host, forwarder): Host, collector: Kind, name: &str) {
    host.require();
    collector.require();
    require_program("logrotate");
    let (_guard, dir) = scratch();
    let (there, port) = (dir.join("collector"), free_port());
    let text = of_collector(name, &there, port);
    let mut host = Daemon::start_host(host, forwarder, &dir.join("host"), port);
    let (socket, events) = (host.socket(), there.join("log/events.json"));
    let so_far = |count| wait_for_lines(&events, documents(0..count).len());

    // The host keeps what comes while there is no collector, also through its own restart.
    send_records(&socket, 0..10);
    wait_until_read(&socket, &host.rest());
    host.stop();
    host.begin();
    send_records(&socket, 10..15);
    let mut collector = Daemon::start(collector, &there, Input::Port(port), "", &text);
    so_far(15);
    // The first of these is taken by the kernel for a connection that is no more.
    collector.stop();
    send_records(&socket, 15..25);
    wait_until_read(&socket, &host.rest());
    collector.begin();
    so_far(25);
    host.stop();
    host.begin();
    send_records(&socket, 25..30);
    so_far(30);
    rotate(&there, &collector);
    // A program that dies is started again; what it was not handed is not lost.
    let program = collector.program();
    kill_process(Pid::from_raw(program as i32).unwrap(), Signal::KILL).unwrap();
    wait_for("the program's end", || (!collector.programs().contains(&program)).then_some(()));
    send_records(&socket, 30..40);
    so_far(40);
    collector.stop();
    host.stop();
    let sent = documents(0..40);
    let expected =
        if [MMEXTERNAL, MMEXTERNAL_RELP].contains(&name) { in_rsyslog(&sent) } else { sent };
    assert_once(&events, &expected);
    let undecoded = read_to_string(there.join("log/undecoded.log")).unwrap_or_default();
    assert_eq!(undecoded, "");
}
