//! `mote health`: how the running sensor is.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::asks::{ask, unexpected};
use super::output::Output;
use crate::control::{RUNTIME_DIR, Reply, Request};
use crate::exit;
use crate::health::Health;
use crate::say;

/// Tell how the running sensor is: which provider, what it lost, every problem with its
/// remedy. Exits with 0 if it is healthy, 1 if not, 69 if it does not run.
#[derive(FromArgs)]
#[argh(subcommand, name = "health")]
pub struct HealthCommand {
    /// only the value of this field
    #[argh(option)]
    field: Option<String>,

    /// text (default) or json
    #[argh(option, default = "Output::Text")]
    output: Output,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

impl HealthCommand {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        if let Some(name) = &self.field
            && !Health::names().contains(name)
        {
            return exit::fail(
                exit::USAGE,
                format_args!(
                    "there is no field \"{name}\"; they are {}",
                    Health::names().join(", ")
                ),
            );
        }
        let health = match ask(&self.runtime_dir, &Request::Health {}) {
            Ok(Reply::Health(health)) => health,
            Ok(_) => return unexpected(),
            Err(code) => return code,
        };
        let printed = match (&self.field, self.output) {
            (Some(name), _) => health.field(name).unwrap_or_default() + "\n",
            (None, Output::Text) => health.text(),
            (None, Output::Json) => format!("{}\n", health.json()),
        };
        let printed = say::answer(&printed);
        if printed != ExitCode::SUCCESS || health.healthy {
            printed
        } else {
            exit::UNHEALTHY.into()
        }
    }
}
