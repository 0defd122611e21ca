//! `mote run`: the sensor, in the foreground.

mod announce;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use super::configuration;
use super::number::{Number, UpTo};
use crate::control::{RUNTIME_DIR, STATE_DIR};
use crate::exit;
use crate::explain::explain;
use crate::limits::{
    BULK_BUDGET, BULK_BUDGET_MOST, RECEIVERS, SPOOL_MIB, SPOOL_MIB_LEAST, SPOOL_MIB_MOST,
};
use crate::say::{Level, keep_log};
use crate::sensor::{Delivery, Sensor};
use crate::sink::{Form, GivenReceiver, Receiver, SpoolOptions};
use crate::source::ebpf::Options;
use announce::announce;

/// Watch this host and write what was seen to syslog, until SIGTERM. SIGHUP reads the
/// configuration again.
#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
pub struct RunCommand {
    /// where records go: unix:PATH, udp:HOST:PORT, tcp:HOST:PORT or stdout (default
    /// unix:/dev/log), with ,format=F ,class=priority|bulk and ,rate=N behind it where it
    /// differs; up to four times
    #[argh(option)]
    syslog: Vec<GivenReceiver>,

    /// what is written there: compact (default), json, ocsf, cef or text
    #[argh(option, default = "Form::default()")]
    format: Form,

    /// keep records in this directory until they are delivered
    #[argh(option)]
    spool: Option<PathBuf>,

    /// mebibytes of it for each receiver (default 64)
    #[argh(option, default = "Number(SPOOL_MIB)")]
    spool_size: Number<SPOOL_MIB_LEAST, SPOOL_MIB_MOST>,

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
        let delivery = match self.delivery() {
            Ok(delivery) => delivery,
            Err(sentence) => return exit::fail(exit::USAGE, format_args!("{sentence}")),
        };
        let heartbeat = Duration::from_secs(self.heartbeat.0.into());
        let started = Sensor::start(settings, &delivery, &self.runtime_dir, options, heartbeat);
        let sensor = match started {
            Ok(sensor) => sensor,
            Err(error) => return explain(&error),
        };
        announce(sensor.providers(), &delivery.receivers);
        match sensor.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => explain(&error),
        }
    }

    /// Where records go, or what is wrong with that.
    fn delivery(&self) -> Result<Delivery, String> {
        let mut receivers: Vec<Receiver> =
            self.syslog.iter().map(|given| given.clone().or_form(self.format)).collect();
        if receivers.is_empty() {
            receivers.push(Receiver { form: self.format, ..Receiver::default() });
        }
        if receivers.len() > RECEIVERS {
            return Err(format!(
                "--syslog was given {} times; give it {RECEIVERS} times at most",
                receivers.len()
            ));
        }
        for (number, Receiver { target, .. }) in receivers.iter().enumerate() {
            if receivers[..number].iter().any(|other| other.target == *target) {
                return Err(format!("--syslog was given {target} twice; give each receiver once"));
            }
        }
        let bytes = u64::from(self.spool_size.0) << 20;
        let spool = self.spool.clone().map(|dir| SpoolOptions { dir, bytes });
        Ok(Delivery { receivers, spool })
    }
}
