//! The configuration, for every subcommand that needs it without a running sensor.

use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, ConfigError};
use crate::exit;
use crate::say::{say, warn};
use crate::sensor::Settings;

/// Reads the managed file that is named, or the usual one if there is one, and what commands
/// have set, and says what of it means nothing or cannot be used. An error was said: the exit
/// code.
pub(super) fn load(named: Option<&Path>, state_dir: &Path) -> Result<Settings, ExitCode> {
    // Commands that run elsewhere are told these names.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or(path.to_owned());
    let path = &absolute(named.unwrap_or(Path::new(config::DEFAULT_PATH)));
    let settings = Settings::read(path, &absolute(state_dir), named.is_some())
        .map_err(|error| fail(path, &error))?;
    if let Some(sentence) = settings.unused_keys() {
        say(format_args!("{sentence}"));
    }
    for issue in settings.issues() {
        warn(format_args!("{}; {}", issue.problem, issue.remedy));
    }
    Ok(settings)
}

fn fail(path: &Path, error: &ConfigError) -> ExitCode {
    let path = path.display();
    match error {
        ConfigError::Read(error) => exit::fail(
            exit::NOINPUT,
            format_args!(
                "the configuration {path} could not be read ({error}); name a readable file with \
                 --config"
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
    }
}
