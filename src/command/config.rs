//! `mote config`: changes a setting of the running sensor, for good.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::asks::change;
use crate::control::{RUNTIME_DIR, Request};
use crate::host::provider::Wanted;

/// Change a setting of the running sensor. It is kept when the sensor starts again.
#[derive(FromArgs)]
#[argh(subcommand, name = "config")]
pub struct ConfigCommand {
    #[argh(subcommand)]
    setting: Setting,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Setting {
    Provider(ProviderCommand),
}

/// Whether eBPF is used. Without it only processes are seen, through the kernel's process
/// connector.
#[derive(FromArgs)]
#[argh(subcommand, name = "ebpf-supplementary-event-provider")]
struct ProviderCommand {
    /// enabled or disabled
    #[argh(option)]
    value: Wanted,

    /// where the sensor's socket is (default /run/mote)
    #[argh(option, default = "PathBuf::from(RUNTIME_DIR)")]
    runtime_dir: PathBuf,
}

impl ConfigCommand {
    /// Asks for the change.
    pub fn run(self) -> ExitCode {
        let Setting::Provider(command) = self.setting;
        let request = Request::Provider { value: command.value };
        change(&command.runtime_dir, &request, "Configuration property updated")
    }
}
