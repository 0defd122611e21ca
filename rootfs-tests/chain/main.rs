//! The chain of delivery: the sensor, a host's syslog daemon, a collector's syslog daemon, `mote
//! decode`. Each of them is ended and started again while a known load runs; then every event has to
//! be in the collector's file once, or in a loss record.
//!
//! MOTE_CHAIN is the number of events. Without it there are 20,000, and only the chains in which
//! nothing was ever missing.

#[path = "../daemons/mod.rs"]
mod daemons;
#[path = "../support/mod.rs"]
mod support;

mod figures;
mod load;
mod play;
mod tally;

use daemons::daemon::Kind::{Rsyslog, SyslogNg};
use play::{Chain, End, play};
use std::process::ExitCode;

fn main() -> ExitCode {
    let short: [support::runner::Test; 2] =
        [("relp_to_omprog_restarted", relp_to_omprog), ("syslog_ng_restarted", syslog_ng)];
    let long: [support::runner::Test; 8] = [
        ("relp_to_mmexternal_restarted", relp_to_mmexternal),
        ("tcp_to_mmexternal_restarted", tcp_to_mmexternal),
        ("tcp_to_omprog_restarted", tcp_to_omprog),
        ("relp_to_mmexternal_killed", killed_relp_to_mmexternal),
        ("relp_to_omprog_killed", killed_relp_to_omprog),
        ("tcp_to_mmexternal_killed", killed_tcp_to_mmexternal),
        ("tcp_to_omprog_killed", killed_tcp_to_omprog),
        ("syslog_ng_killed", killed_syslog_ng),
    ];
    let with_long = std::env::var_os("MOTE_CHAIN").is_some();
    let tests = [&short[..], if with_long { &long[..] } else { &[] }].concat();
    support::runner::run(&tests)
}

const TCP: &str = "rsyslog-forward.conf";
const RELP: &str = "rsyslog-forward-relp.conf";
const MMEXTERNAL: &str = "rsyslog-mmexternal.conf";
const MMEXTERNAL_RELP: &str = "rsyslog-mmexternal-relp.conf";
const OMPROG: &str = "rsyslog-omprog.conf";
const OMPROG_RELP: &str = "rsyslog-omprog-relp.conf";

fn rsyslog(host: &'static str, collector: &'static str, end: End) {
    let repeats = host == TCP || collector == MMEXTERNAL_RELP;
    play(&Chain { kind: Rsyslog, host, collector, end, repeats });
}

fn relp_to_mmexternal() {
    rsyslog(RELP, MMEXTERNAL_RELP, End::Told);
}

fn relp_to_omprog() {
    rsyslog(RELP, OMPROG_RELP, End::Told);
}

fn tcp_to_mmexternal() {
    rsyslog(TCP, MMEXTERNAL, End::Told);
}

fn tcp_to_omprog() {
    rsyslog(TCP, OMPROG, End::Told);
}

fn killed_relp_to_mmexternal() {
    rsyslog(RELP, MMEXTERNAL_RELP, End::Killed);
}

fn killed_relp_to_omprog() {
    rsyslog(RELP, OMPROG_RELP, End::Killed);
}

fn killed_tcp_to_mmexternal() {
    rsyslog(TCP, MMEXTERNAL, End::Killed);
}

fn killed_tcp_to_omprog() {
    rsyslog(TCP, OMPROG, End::Killed);
}

fn syslog_ng_with(end: End) {
    let (host, collector) = ("syslog-ng-forward.conf", "syslog-ng-collector.conf");
    play(&Chain { kind: SyslogNg, host, collector, end, repeats: true });
}

fn syslog_ng() {
    syslog_ng_with(End::Told);
}

fn killed_syslog_ng() {
    syslog_ng_with(End::Killed);
}
