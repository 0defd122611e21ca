//! Why there is no sink.

use core::fmt;
use rustix::io::Errno;

/// What to do where RLIMIT_FSIZE ends a file.
pub(crate) const RAISE_FILE_SIZE: &str = "raise the limit of a file's size (ulimit -f unlimited)";

/// Why there is no sink at all. An absent receiver is not a reason: see [`Sink::state`](super::Sink::state).
#[derive(Debug)]
pub enum SinkError {
    /// Standard output cannot be written to.
    Output(Errno),
    /// Standard output is /dev/null, which it also is if it was closed: std opens that in
    /// its place.
    Discarded,
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkError::Output(error) => write!(f, "standard output cannot be used ({error})"),
            SinkError::Discarded => {
                f.write_str("standard output is closed or /dev/null, where every record is lost")
            }
        }
    }
}

impl core::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SinkError::Output(error) => Some(error),
            SinkError::Discarded => None,
        }
    }
}
