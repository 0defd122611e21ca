//! `mote run`: the sensor, in the foreground.

mod announce;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use super::configuration;
use super::number::{Number, UpTo};
use crate::control::{RUNTIME_DIR, STATE_DIR};
use crate::explain::explain;
use crate::limits::{BULK_BUDGET, BULK_BUDGET_MOST};
use crate::say::{Level, keep_log};
use crate::sensor::Sensor;
use crate::sink::Target;
use crate::source::ebpf::Options;
use announce::announce;

/// Watch this host and write what was seen to syslog, until SIGTERM. SIGHUP reads the
/// configuration again.
#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
pub struct RunCommand {
    /// where records go: unix:PATH, udp:HOST:PORT, tcp:HOST:PORT or stdout
    /// (default unix:/dev/log)
    #[argh(option, default = "Target::default()")]
    syslog: Target,

    /// managed configuration (default /etc/mote/mote_managed.json, if it is there)
    #[argh(option)]
    config: Option<PathBuf>,

    /// where what commands set is kept (default /var/lib/mote)
    #[argh(option, default = "PathBuf::from(STATE_DIR)")]
    state_dir: PathBuf,

    /// where commands reach this sensor (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,

    /// seconds in which what a process sends to the same address and port is told once
    /// (default 60)
    #[argh(option, default = "Number(60)")]
    send_window: UpTo<86_400>,

    /// file and network events that are told of a process, a second; those beyond are counted
    /// (default 100000; 0: all are told)
    #[argh(option, default = "Number(BULK_BUDGET)")]
    bulk_budget: Number<0, BULK_BUDGET_MOST>,

    /// see 32-bit system calls (int 0x80) also where that takes a program at every system call,
    /// which costs each of them some 90 ns
    #[argh(switch)]
    watch_compat_calls: bool,

    /// seconds from one record that the sensor lives to the next (default 60)
    #[argh(option, default = "Number(60)")]
    heartbeat: UpTo<86_400>,

    /// what the sensor says of itself, on standard error and to syslog: error, warning, info
    /// (default) or debug
    #[argh(option, default = "Level::Info")]
    log_level: Level,
}

impl RunCommand {
    /// Runs the sensor.
    pub fn run(self) -> ExitCode {
        keep_log(self.log_level);
        let settings = match configuration::load(self.config.as_deref(), &self.state_dir) {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        let options = Options {
            send_window: Duration::from_secs(self.send_window.0.into()),
            bulk_budget: self.bulk_budget.0,
            watch_compat_calls: self.watch_compat_calls,
        };
        let heartbeat = Duration::from_secs(self.heartbeat.0.into());
        let started = Sensor::start(settings, &self.syslog, &self.runtime_dir, options, heartbeat);
        let sensor = match started {
            Ok(sensor) => sensor,
            Err(error) => return explain(&error, &self.syslog),
        };
        announce(sensor.providers(), &self.syslog);
        match sensor.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => explain(&error, &self.syslog),
        }
    }
}
