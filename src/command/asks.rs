//! What the commands that ask a running sensor share.

use std::path::Path;
use std::process::ExitCode;

use crate::control::client::{self, ClientError};
use crate::control::{Reply, Request};
use crate::exit;
use crate::say::say;

/// Asks one thing, and gives what is neither a refusal nor a failure.
pub(super) fn ask(runtime_dir: &Path, request: &Request) -> Result<Reply, ExitCode> {
    understood(client::ask(runtime_dir, request))
}

/// Says what keeps a reply from being one, and gives the exit code.
pub(super) fn understood(reply: Result<Reply, ClientError>) -> Result<Reply, ExitCode> {
    match reply {
        Ok(Reply::Refused(refused)) => {
            Err(exit::fail(refused.code, format_args!("{}", refused.message)))
        }
        Ok(reply) => Ok(reply),
        Err(error) => Err(exit::fail(error.code(), format_args!("{error}"))),
    }
}

/// For a reply to something else than what was asked.
pub(super) fn unexpected() -> ExitCode {
    exit::fail(
        exit::IOERR,
        format_args!("the sensor answered something else; start it again after an update"),
    )
}

/// Asks for a change, and says what there is to say of it beside `done`.
pub(super) fn change(runtime_dir: &Path, request: &Request, done: &str) -> ExitCode {
    match ask(runtime_dir, request) {
        Ok(Reply::Done(notes)) => {
            notes.iter().for_each(|note| say(format_args!("{note}")));
            crate::say::answer(&format!("{done}\n"))
        }
        Ok(_) => unexpected(),
        Err(code) => code,
    }
}
