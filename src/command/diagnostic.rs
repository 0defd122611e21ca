//! `mote diagnostic`: what causes events, and what a report of a fault needs.

mod bundle;
mod statistics;

use std::process::ExitCode;

use argh::FromArgs;

use bundle::CreateCommand;
use statistics::StatisticsCommand;

/// Tell what causes events, or collect what a report of a fault needs.
#[derive(FromArgs)]
#[argh(subcommand, name = "diagnostic")]
pub struct DiagnosticCommand {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Statistics(StatisticsCommand),
    Create(CreateCommand),
}

impl DiagnosticCommand {
    /// Asks and prints, or writes.
    pub fn run(self) -> ExitCode {
        match self.what {
            What::Statistics(command) => command.run(),
            What::Create(command) => command.run(),
        }
    }
}
