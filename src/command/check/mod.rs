//! `mote check`: can this host run eBPF, and what stands in the way.

mod report;
#[cfg(test)]
mod report_tests;
mod text;
mod trial;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use super::configuration;
use super::output::Output;
use crate::confine::confine;
use crate::control::client::Connection;
use crate::control::{RUNTIME_DIR, Reply, Request, STATE_DIR};
use crate::exit;
use crate::host::audit::{self, RuleFiles};
use crate::host::distribution::Distribution;
use crate::host::facts;
use crate::host::ksplice::Ksplice;
use crate::say;
use report::{Audit, Report};
use trial::Trial;

/// Try whether this host can run eBPF, and tell what stands in the way.
#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
pub struct CheckCommand {
    /// managed configuration (default /etc/mote/mote_managed.json, if it is there)
    #[argh(option)]
    config: Option<PathBuf>,

    /// where what commands set is kept (default /var/lib/mote)
    #[argh(option, default = "PathBuf::from(STATE_DIR)")]
    state_dir: PathBuf,

    /// where the socket of a sensor that runs is: nothing is attached while it is paused (default
    /// /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,

    /// text (the default) or json, one object
    #[argh(option, default = "Output::Text")]
    output: Output,
}

impl CheckCommand {
    /// Looks, tries, and tells.
    pub fn run(self) -> ExitCode {
        let settings = match configuration::load(self.config.as_deref(), &self.state_dir) {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        if let Some(paused) = paused(&self.runtime_dir) {
            return exit::fail(
                exit::TEMPFAIL,
                format_args!(
                    "{paused}, and a look at this host would attach it; look again when that ends"
                ),
            );
        }
        // Before limits are raised and capabilities given up, as a sensor does.
        let facts = facts::read();
        let audit = Audit::of(audit::read(), &RuleFiles::read());
        confine();
        let trial = Trial::make(settings.config().provider);
        let report = Report::of(&trial, facts, audit, &Ksplice::read(), &Distribution::read());
        let text = match self.output {
            Output::Text => report.to_string(),
            Output::Json => match serde_json::to_string(&report) {
                Ok(json) => json + "\n",
                Err(error) => {
                    return exit::fail(
                        exit::OSERR,
                        format_args!("JSON could not be written: {error}; {}", say::REPORT),
                    );
                }
            },
        };
        match say::answer(&text) {
            ExitCode::SUCCESS => trial.code().into(),
            failed => failed,
        }
    }
}

/// How long a sensor may take to say that it is paused: this is also for hosts with a sick one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who paused the sensor that runs, if one did.
fn paused(runtime_dir: &Path) -> Option<String> {
    let mut connection = Connection::open(runtime_dir).ok()?;
    connection.wait_at_most(PATIENCE).ok()?;
    match connection.ask(&Request::Health {}).ok()? {
        Reply::Health(health) => health.paused,
        _ => None,
    }
}

/// What a bundle has of it: the facts and the audit rules. Nothing is attached, since eBPF may be
/// detached on purpose.
pub(super) fn facts_text() -> String {
    let mut text = String::new();
    for fact in facts::read() {
        let _ = writeln!(text, "{fact}");
    }
    match audit::read() {
        Ok(audit) => {
            let _ = writeln!(text, "\naudit rules loaded: {}", audit.rules.len());
            for rule in &audit.rules {
                let _ = writeln!(text, "{rule}");
            }
        }
        Err(error) => {
            let _ = writeln!(text, "\naudit: {error}; {}", error.remedy());
        }
    }
    text
}
