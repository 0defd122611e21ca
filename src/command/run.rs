//! `mote run`: the sensor, in the foreground.

mod announce;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use rustix::process::geteuid;

use super::configuration;
use super::number::{Number, UpTo};
use crate::confine::{confine, has_privileges};
use crate::control::{RUNTIME_DIR, STATE_DIR};
use crate::exit;
use crate::explain::{NEEDS_ROOT, explain};
use crate::limits::{BULK_BUDGET_MOST, RECEIVERS, SPOOL_MIB_LEAST, SPOOL_MIB_MOST};
use crate::say::{Level, keep_log};
use crate::sensor::profile::Profile;
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
    /// unix:/dev/log), with ,format=F ,class=priority|bulk ,rate=N and ,repeat=SECONDS behind it
    /// where it differs; up to four times
    #[argh(option)]
    syslog: Vec<GivenReceiver>,

    /// what is written there: compact (default), json, ocsf, cef or text
    #[argh(option, default = "Form::default()")]
    format: Form,

    /// keep records in this directory until they are delivered
    #[argh(option)]
    spool: Option<PathBuf>,

    /// mebibytes of it for each receiver (default 64; 8 if tiny, 256 if large)
    #[argh(option)]
    spool_size: Option<Number<SPOOL_MIB_LEAST, SPOOL_MIB_MOST>>,

    /// the size of machine that capacities are for: tiny (64 MiB of memory, one slow CPU), default or
    /// large (many CPUs, and bursts)
    #[argh(option, default = "Profile::default()")]
    profile: Profile,

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
    /// (default 100000; 10000 if tiny, 200000 if large; 0: all are told)
    #[argh(option)]
    bulk_budget: Option<Number<0, BULK_BUDGET_MOST>>,

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
        // Files may be closed to such a user: of these nothing need be said.
        if !geteuid().is_root() && !has_privileges() {
            let (reason, remedy) = NEEDS_ROOT;
            return exit::fail(exit::NOPERM, format_args!("{reason}; {remedy}"));
        }
        let settings = match configuration::load(self.config.as_deref(), &self.state_dir) {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        let options = self.options();
        let delivery = match self.delivery() {
            Ok(delivery) => delivery,
            Err(sentence) => return exit::fail(exit::USAGE, format_args!("{sentence}")),
        };
        let heartbeat = Duration::from_secs(self.heartbeat.0.into());
        confine();
        let (runtime_dir, profile) = (&self.runtime_dir, self.profile);
        let started = Sensor::start(settings, &delivery, runtime_dir, profile, options, heartbeat);
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

    /// What eBPF does.
    fn options(&self) -> Options {
        let capacities = self.profile.capacities();
        Options {
            rings: capacities.rings,
            send_window: Duration::from_secs(self.send_window.0.into()),
            bulk_budget: self.bulk_budget.map_or(capacities.bulk_budget, |given| given.0),
            watch_compat_calls: self.watch_compat_calls,
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
        for (number, Receiver { target, form, repeat, .. }) in receivers.iter().enumerate() {
            if receivers[..number].iter().any(|other| other.target == *target) {
                return Err(format!("--syslog was given {target} twice; give each receiver once"));
            }
            if repeat.is_some() && *form != Form::Compact {
                return Err(format!(
                    "repeat= would tell {target} each event twice in the format {}: mote decode leaves out \
                     the second one of records only; leave out repeat=, or write format=compact",
                    form.name()
                ));
            }
        }
        let mib = self.spool_size.map_or(self.profile.capacities().spool_mib, |given| given.0);
        let bytes = u64::from(mib) << 20;
        let spool = self.spool.clone().map(|dir| SpoolOptions { dir, bytes });
        Ok(Delivery { receivers, spool })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;
    use crate::source::ebpf::RingSizes;

    fn run(args: &[&str]) -> RunCommand {
        RunCommand::from_args(&["run"], args).unwrap()
    }

    fn spool_mib(command: &RunCommand) -> u64 {
        command.delivery().unwrap().spool.unwrap().bytes >> 20
    }

    #[test]
    fn only_records_are_sent_twice() {
        for args in [
            &["--syslog", "udp:192.0.2.1:514,repeat=10", "--format", "json"][..],
            &["--syslog", "udp:192.0.2.1:514,format=cef,repeat=10"],
        ] {
            assert!(run(args).delivery().unwrap_err().contains("each event twice"), "{args:?}");
        }
        let args = ["--syslog", "udp:192.0.2.1:514,format=compact,repeat=10", "--format", "json"];
        assert!(run(&args).delivery().unwrap().receivers[0].repeat.is_some());
    }

    #[test]
    fn default_is_what_there_is_without_a_profile() {
        for args in [&["--spool", "/s"][..], &["--spool", "/s", "--profile", "default"]] {
            let command = run(args);
            assert_eq!(command.profile, Profile::Default);
            let rings = RingSizes { priority_bytes: 128 << 10, bulk_bytes: 256 << 10 };
            assert_eq!(command.options().rings, rings);
            assert_eq!((command.options().bulk_budget, spool_mib(&command)), (100_000, 64));
            let capacities = command.profile.capacities();
            let processes = process::Capacity { processes: 4096, strings: 1024 };
            assert_eq!((capacities.processes, capacities.queue_messages), (processes, 128));
        }
    }

    #[test]
    fn what_is_given_is_not_the_profiles() {
        let tiny = run(&["--spool", "/s", "--profile", "tiny"]);
        assert_eq!((tiny.options().bulk_budget, spool_mib(&tiny)), (10_000, 8));
        let given = ["--spool-size", "3", "--bulk-budget", "0"];
        let given = run(&[&["--spool", "/s", "--profile", "tiny"], &given[..]].concat());
        assert_eq!((given.options().bulk_budget, spool_mib(&given)), (0, 3));
        assert_eq!(given.options().rings, tiny.options().rings);
    }
}
