//! The `mote` command: arguments → subcommand → exit code.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;

use argh::FromArgs;
use mote::command::check::CheckCommand;
use mote::command::config::ConfigCommand;
use mote::command::decode::DecodeCommand;
use mote::command::diagnostic::DiagnosticCommand;
use mote::command::exclusion::ExclusionCommand;
use mote::command::health::HealthCommand;
use mote::command::pause::PauseCommand;
use mote::command::run::RunCommand;
use mote::{exit, say};
use signal_hook::consts::SIGXFSZ;

/// A minimal eBPF security sensor. `mote --version` tells its version.
#[derive(FromArgs)]
struct Arguments {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Run(RunCommand),
    Health(HealthCommand),
    Config(ConfigCommand),
    Exclusion(ExclusionCommand),
    Diagnostic(DiagnosticCommand),
    Pause(PauseCommand),
    Decode(DecodeCommand),
    Check(CheckCommand),
}

fn main() -> ExitCode {
    // A write beyond RLIMIT_FSIZE is to fail, which is told, and not to end the process, which is what the
    // signal does by itself. Ignored it would stay so for a command of `mote pause`; what handles it
    // does not (execve(2)).
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let arguments: Vec<String> = match std::env::args_os().map(|a| a.into_string()).collect() {
        Ok(arguments) => arguments,
        Err(argument) => {
            return exit::fail(
                exit::USAGE,
                format_args!(
                    "the argument {argument:?} is not UTF-8; name a file by a path that is, a \
                     symbolic link perhaps"
                ),
            );
        }
    };
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    if words == ["--version"] {
        return say::answer(concat!("mote ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    match Arguments::from_args(&["mote"], &words) {
        Ok(arguments) => match arguments.command {
            Command::Run(command) => command.run(),
            Command::Health(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Exclusion(command) => command.run(),
            Command::Diagnostic(command) => command.run(),
            Command::Pause(command) => command.run(),
            Command::Decode(command) => command.run(),
            Command::Check(command) => command.run(),
        },
        // --help is not an error.
        Err(early) if early.status.is_ok() => say::answer(&early.output),
        Err(early) => {
            // What is missing stands in lines of its own, before an empty one.
            let lines = early.output.lines().map(str::trim);
            let problem: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
            let problem = problem.join(" ");
            exit::fail(exit::USAGE, format_args!("{problem}; see {}", help_of(&words)))
        }
    }
}

/// The help of the subcommand that these words begin with.
fn help_of(words: &[&str]) -> String {
    let is_one = |command: &&[&str]| {
        let asked = [*command, &["--help"]].concat();
        Arguments::from_args(&["mote"], &asked).is_err_and(|early| early.status.is_ok())
    };
    let named = words.iter().take_while(|word| !word.starts_with('-')).count();
    let command = (0..=named).rev().map(|count| &words[..count]).find(is_one);
    let command = command.unwrap_or_default().iter().flat_map(|word| [" ", *word]);
    format!("mote{} --help", command.collect::<String>())
}
