//! Plays a chain.

use crate::daemons::daemon::{Daemon, Input, Kind};
use crate::daemons::documents::{document, free_port, places};
use crate::figures::Figures;
use crate::load::Load;
use crate::support::{Sensor, mote, output_of, require_live, scratch};
use crate::tally::Tally;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How the daemons and the sensor are ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGTERM.
    Told,
    /// SIGKILL.
    Killed,
}

/// Two daemons of a kind, with documents.
pub struct Chain {
    pub kind: Kind,
    pub host: &'static str,
    pub collector: &'static str,
    pub end: End,
    /// Whether the sensor sends each message twice: a daemon that ends, or its connection, loses what was
    /// on its way, or an answer of mmexternal's program.
    pub repeats: bool,
}

/// How long the second outage of a daemon takes. The first is a restart.
const AWAY: Duration = Duration::from_secs(3);
/// Nothing more comes if nothing has for so long.
const SILENCE: Duration = Duration::from_secs(15);

/// Renames to be made.
fn events() -> u64 {
    std::env::var("MOTE_CHAIN").map_or(20_000, |text| text.parse().expect("MOTE_CHAIN: a number"))
}

/// Renames a second. Of few the load takes long enough for all that happens meanwhile.
fn rate(events: u64) -> u64 {
    let default = if events > 90_000 { 8_000 } else { 2_000 };
    std::env::var("MOTE_CHAIN_RATE").map_or(default, |text| text.parse().unwrap())
}

/// What keeps messages of the sensor when its receiver is away.
fn spool(dir: &Path) -> Vec<String> {
    let has = output_of(Command::new(mote()).args(["run", "--help"])).contains("--spool ");
    if !has || std::env::var_os("MOTE_CHAIN_NO_SPOOL").is_some() {
        return Vec::new();
    }
    let dir = dir.join("spool").display().to_string();
    ["--spool", &dir, "--spool-size", "512"].map(str::to_owned).to_vec()
}

impl Chain {
    /// The collector, which keeps records beside their events.
    fn start_collector(&self, dir: &Path, port: u16) -> Daemon {
        let port_text = port.to_string();
        let [(program, our_program), (log, our_log)] = places(dir);
        let records = dir.join("log/records.log").display().to_string();
        let (theirs, ours) = match self.kind {
            Kind::Rsyslog => {
                let is_mote = "if $programname == \"mote\" then";
                let template = "RSYSLOG_FileFormat";
                let keep =
                    format!("action(type=\"omfile\" file=\"{records}\" template=\"{template}\")");
                (is_mote, format!("{is_mote} {keep}\n    {is_mote}"))
            }
            Kind::SyslogNg => {
                let path = "log { source(s_mote); filter(f_mote);";
                let keep = format!("destination d_records {{ file(\"{records}\"); }};");
                (path, format!("{keep}\n{path} destination(d_records);"))
            }
        };
        let replaced = [
            ("10514", port_text.as_str()),
            (program, &our_program),
            (log, &our_log),
            (theirs, &ours),
        ];
        let mut text = document(self.collector, &replaced);
        if text.contains("resumeInterval=\"5\"") {
            text = text.replace("resumeInterval=\"5\"", "resumeInterval=\"1\"");
        }
        Daemon::start(self.kind, dir, Input::Port(port), "", &text)
    }

    fn end(&self, daemon: &mut Daemon) {
        match self.end {
            End::Told => daemon.stop_as_service(),
            End::Killed => daemon.kill(),
        }
    }
}

/// Renames that nobody watched, perhaps: those of each worker behind the first number, up to the
/// second.
pub type Unwatched = Vec<(u64, u64)>;

pub fn play(chain: &Chain) {
    chain.kind.require();
    require_live();
    let events = events();
    let (_guard, dir) = scratch();
    let mut load = Load::new(&dir.join("load"), events);
    let port = free_port();
    let mut host = Daemon::start_host(chain.kind, chain.host, &dir.join("host"), port);
    let mut collector = chain.start_collector(&dir.join("collector"), port);
    let options = if chain.repeats { ",repeat=10" } else { "" };
    let address = format!("unix:{}{options}", host.socket().display());
    let mut args = vec!["--syslog", &address, "--bulk-budget", "0"];
    let spool = spool(&dir);
    args.extend(spool.iter().map(String::as_str));
    let sensor = Sensor::start_with(&dir, &args);

    let begin = Instant::now();
    load.start(rate(events));
    let wait_until = |load: &Load, part| {
        while !load.has_made(part) {
            sleep(Duration::from_millis(10));
        }
    };
    let say = |what: &str| println!("{:5.1} s: {what}", begin.elapsed().as_secs_f64());
    wait_until(&load, 0.1);
    chain.end(&mut host);
    host.begin();
    say("the host's daemon was restarted");
    wait_until(&load, 0.25);
    chain.end(&mut collector);
    collector.begin();
    say("the collector's daemon was restarted");
    wait_until(&load, 0.45);
    let (sensor, unwatched) = restart(chain, sensor, &load, || Sensor::start_with(&dir, &args));
    say("another sensor runs");
    wait_until(&load, 0.6);
    chain.end(&mut host);
    sleep(AWAY);
    host.begin();
    say("the host's daemon was away");
    wait_until(&load, 0.8);
    chain.end(&mut collector);
    sleep(AWAY / 2);
    // What waits for the collector is with the host's daemon.
    chain.end(&mut host);
    host.begin();
    sleep(AWAY / 2);
    collector.begin();
    say("the collector's daemon was away, and the host's was restarted");
    load.wait();
    say("all renames are made");
    let load_took = begin.elapsed();

    let mut tally = Tally::new(&collector.dir().join("log/events.json"), &dir.join("load"));
    let took = arrived(&mut tally, events, begin);
    // What it tells at its end.
    sensor.stop();
    sleep(Duration::from_secs(2));
    host.stop();
    sleep(Duration::from_secs(1));
    collector.stop();
    tally.read();
    let records = collector.dir().join("log/records.log");
    let figures = Figures::new(&tally, load.each, &unwatched, &records, [load_took, took]);
    println!("{}: {figures}", chain.collector);
    if std::env::var_os("MOTE_CHAIN_KEEP").is_some() {
        println!("{}", _guard.keep().display());
    }
    figures.check(chain, !spool.is_empty());
}

/// Waits until all renames are told, or no more of them come: how long after `begin` the last came.
fn arrived(tally: &mut Tally, events: u64, begin: Instant) -> Duration {
    let (mut told, mut last) = (0, Instant::now());
    while last.elapsed() < SILENCE && told < events {
        sleep(Duration::from_millis(500));
        tally.read();
        if tally.told() > told {
            (told, last) = (tally.told(), Instant::now());
        }
    }
    last.duration_since(begin)
}

/// Ends the sensor while events come, and starts another. What is done while there is none is not
/// of the load.
fn restart(
    chain: &Chain,
    sensor: Sensor,
    load: &Load,
    start: impl Fn() -> Sensor,
) -> (Sensor, Unwatched) {
    let from = load.made();
    match chain.end {
        End::Told => {
            sensor.signal(rustix::process::Signal::TERM);
            sleep(Duration::from_millis(200));
            load.rest(true);
            sensor.stop();
        }
        End::Killed => {
            // What came last is in no record yet.
            sleep(Duration::from_secs(1));
            sensor.signal(rustix::process::Signal::KILL);
            load.rest(true);
            sensor.kill();
        }
    }
    let to = load.made();
    let sensor = start();
    load.rest(false);
    (sensor, from.into_iter().zip(to).collect())
}
