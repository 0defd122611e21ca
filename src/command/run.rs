//! `mote run`: the sensor, in the foreground.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use crate::config::{self, Config, ConfigError};
use crate::exit;
use crate::sensor::{Sensor, SensorError};
use crate::sink::{State, Target};
use crate::source::ebpf::StartError;

/// Watch this host and write what was seen to syslog, until SIGTERM.
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
}

impl RunCommand {
    /// Runs the sensor.
    pub fn run(self) -> ExitCode {
        let config = match self.load_config() {
            Ok(config) => config,
            Err(code) => return code,
        };
        let sensor = match Sensor::start(config, &self.syslog) {
            Ok(sensor) => sensor,
            Err(error) => return explain(&error, &self.syslog),
        };
        announce(&sensor, &self.syslog);
        match sensor.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => explain(&error, &self.syslog),
        }
    }

    fn load_config(&self) -> Result<Config, ExitCode> {
        let path = self.config.as_deref().unwrap_or(Path::new(config::DEFAULT_PATH));
        Config::load(path).or_else(|error| match error {
            // Nobody has to have one.
            ConfigError::Read(error)
                if self.config.is_none() && error.kind() == ErrorKind::NotFound =>
            {
                Ok(Config::default())
            }
            ConfigError::Read(error) => Err(exit::fail(
                exit::NOINPUT,
                format_args!(
                    "the configuration {} could not be read ({error}); name a readable file \
                     with --config",
                    path.display()
                ),
            )),
            error => Err(exit::fail(
                exit::CONFIG,
                format_args!(
                    "the configuration {} is not valid: {error}; correct it and start again",
                    path.display()
                ),
            )),
        })
    }
}

fn announce(sensor: &Sensor, target: &Target) {
    let provider = sensor.provider();
    if let State::Down(error) = sensor.sink_state() {
        let error = io::Error::from(error);
        eprintln!(
            "mote: warning: nobody receives at {target} ({error}): records wait in memory until \
             the syslog daemon is there"
        );
    }
    if !provider.exit_status_known() {
        eprintln!(
            "mote: warning: this kernel's task_struct could not be measured: exit events have no \
             status"
        );
    }
    if !provider.last_thread_known() {
        eprintln!(
            "mote: warning: this kernel's task_struct could not be measured: a process whose first \
             thread ends before others is reported as ended then"
        );
    }
    let missing = match provider.missing() {
        [] => String::new(),
        missing => format!(", not on this kernel: {}", missing.join(" ")),
    };
    eprintln!(
        "mote: ready: {} hooks attached{missing}, records go to {target}",
        provider.attached()
    );
}

/// One sentence: what happened, why, what to do about it.
fn explain(error: &SensorError, target: &Target) -> ExitCode {
    let permitted = rustix::process::geteuid().is_root();
    match error {
        SensorError::Ebpf(ebpf) => {
            let denied = ebpf.io().is_some_and(|e| e.kind() == ErrorKind::PermissionDenied);
            if denied && !permitted {
                return exit::fail(
                    exit::NOPERM,
                    format_args!("watching the host needs root; start it as root, or with sudo"),
                );
            }
            let remedy = match ebpf {
                StartError::PidNamespace => {
                    "start it on the host, or with the host's process ids (docker: --pid=host)"
                }
                StartError::Tracefs(_) => "mount it: mount -t tracefs tracefs /sys/kernel/tracing",
                StartError::Format(_) => "report it with the kernel's version (uname -a)",
                StartError::Load(_) if denied => {
                    "give the sensor CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), \
                     and look whether kernel lockdown is on"
                }
                StartError::Load(_) => "a kernel from RHEL 7.6's 3.10.0-957 on with BPF is needed",
                _ if denied => "give the sensor CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8)",
                _ => "report it with the kernel's version (uname -a)",
            };
            if let StartError::Load(load) = ebpf
                && !denied
            {
                eprint!("{}", load.libbpf_log);
            }
            exit::fail(exit::UNAVAILABLE, format_args!("{error}; {remedy}"))
        }
        SensorError::Sink(_) => {
            exit::fail(exit::IOERR, format_args!("{error}; give it a file, a pipe or a terminal"))
        }
        SensorError::NoReceiver(error) => exit::fail(
            exit::UNAVAILABLE,
            format_args!(
                "no syslog daemon receives at {target} ({error}); start it, or name another \
                 receiver with --syslog"
            ),
        ),
        SensorError::Os(..) => exit::fail(
            exit::OSERR,
            format_args!("{error}; free memory or descriptors, and start it again"),
        ),
    }
}
