//! Events as JSON in the Elastic Common Schema, with what it has no field for below
//! `mote`.
//!
//! What the fields mean here, where ECS leaves a choice:
//!
//! - `event.type` says what came about. An attempt that failed started, changed and
//!   removed nothing: it is `info` (`connection`, without `start`, for connect; with
//!   `denied` if permission was missing), and `event.action` says what was tried.
//! - `O_CREAT` alone does not tell whether there was a file before: such an open is
//!   `change` and `creation`, so that a search for either finds it. `O_EXCL` and
//!   `O_TMPFILE` prove a creation: `creation` only. Without `O_CREAT`: `change` if it can
//!   write, `access` if not.
//! - `event.outcome` follows the call's result; a connect in progress is `unknown`. An
//!   exit and a loss are no attempts and have none.
//! - `process.parent` is who made the process, though it may have another one by now.
//! - `process.name` is the last part of `process.executable`, the thread's name if that
//!   is not known; `process.thread.name` is the thread's name.
//! - `file.path` of an exec is what was executed, where that is not
//!   `process.executable`: of one that failed, above all. `process.args` are those of the
//!   attempt.
//! - A leading NUL of an abstract unix address is shown as `@`, as ss(8) does.
//! - Bytes that are not UTF-8 are shown as U+FFFD, and exactly, as hex, below
//!   `mote.bytes`.

pub(super) mod document;
mod kind;
pub(super) mod mote;
pub(super) mod shape;

use super::json;
use crate::event::Event;
use crate::record::Origin;
use std::io;

/// The ECS version whose fields are used.
pub const VERSION: &str = "8.11.0";

/// Writes one event as one line of JSON.
pub fn write(out: &mut dyn io::Write, origin: &Origin, event: &Event) -> io::Result<()> {
    json::line(out, &document::document(origin, event))
}
