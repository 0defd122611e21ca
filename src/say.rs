//! What the program says to whoever started it.
//!
//! `print!` and `eprintln!` panic if the stream cannot be written to, and a sensor must not
//! end because its log is full or nobody reads it any more.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::exit;

/// One sentence on standard error.
pub fn say(message: Arguments<'_>) {
    lines(&format!("mote: {message}\n"));
}

/// A sentence about what goes on, but not as it should.
pub fn warn(message: Arguments<'_>) {
    say(format_args!("warning: {message}"));
}

/// Text on standard error as it is. One write: other programs may write to it too.
pub fn lines(text: &str) {
    // Nothing is left to be done about a failing standard error.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Text that was asked for, on standard output.
pub fn answer(text: &str) -> ExitCode {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader, head(1) perhaps, has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => exit::fail(
            exit::IOERR,
            format_args!(
                "standard output could not be written to ({error}); free space there, or give \
                 it another file"
            ),
        ),
        _ => ExitCode::SUCCESS,
    }
}
