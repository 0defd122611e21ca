//! `mote run`: the sensor, in the foreground.

mod announce;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;

use crate::config::{self, Config, ConfigError};
use crate::exit;
use crate::explain::explain;
use crate::say::say;
use crate::sensor::Sensor;
use crate::sink::Target;
use announce::announce;

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
        if !config.unused.is_empty() {
            say(format_args!(
                "the configuration has keys that mote does not use: {}",
                config.unused.join(", ")
            ));
        }
        let sensor = match Sensor::start(config, &self.syslog) {
            Ok(sensor) => sensor,
            Err(error) => return explain(&error, &self.syslog),
        };
        announce(sensor.source(), &self.syslog);
        match sensor.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => explain(&error, &self.syslog),
        }
    }

    fn load_config(&self) -> Result<Config, ExitCode> {
        let path = self.config.as_deref().unwrap_or(Path::new(config::DEFAULT_PATH));
        Config::load(path).or_else(|error| {
            // Nobody has to have one.
            if self.config.is_none() && error.is_absent() {
                return Ok(Config::default());
            }
            let path = path.display();
            Err(match error {
                ConfigError::Read(error) => exit::fail(
                    exit::NOINPUT,
                    format_args!(
                        "the configuration {path} could not be read ({error}); name a readable \
                         file with --config"
                    ),
                ),
                ConfigError::NotAFile(what) => exit::fail(
                    exit::NOINPUT,
                    format_args!(
                        "the configuration {path} is {what} and no file; name a file with --config"
                    ),
                ),
                error => exit::fail(
                    exit::CONFIG,
                    format_args!(
                        "the configuration {path} is not valid: {error}; {}, and start again",
                        error.remedy()
                    ),
                ),
            })
        })
    }
}
