//! Events as JSON in the Open Cybersecurity Schema Framework.
//!
//! What the attributes mean here, where OCSF leaves a choice:
//!
//! - `metadata.event_code` is the action. Where its class has no activity for it, `activity_id` is
//!   99 and `activity_name` the action too.
//! - `actor.process` is who did it, `process` whom it was done to. Of an exec both are one process:
//!   the actor as it was, `process` as it is then. Of a fork the actor is the parent.
//! - An open that may create a file is Create: that is what it asked for. `O_EXCL` or `O_TMPFILE`
//!   among `unmapped.mote.open_flags` prove that there was none, if it succeeded.
//! - `file_result` is the file as it was to become: whether it did, is `status_id`.
//! - Kernel modules are kernel extensions, not modules, which are those of a process. BPF programs,
//!   rings of io_uring and kernels for kexec are resources of the kernel.
//! - `file.name`, which the schema wants, is empty where there is none or it is not known.
//! - What has no attribute is below `unmapped`, by its name in the Elastic Common Schema.
//! - Bytes that are not UTF-8 are shown as U+FFFD, and exactly, as hex, below
//!   `unmapped.mote.bytes`.

mod class;
mod document;
mod file;
mod network;
mod process;
mod shape;

use super::json;
use crate::event::Event;
use crate::record::Origin;
use std::io;

/// The OCSF version whose attributes are used. It is the first that tells fork from exec
/// (`launch_type_id`); later ones have the same and more.
pub const VERSION: &str = "1.7.0";

/// Writes one event as one line of JSON.
pub fn write(out: &mut dyn io::Write, origin: &Origin, event: &Event) -> io::Result<()> {
    json::line(out, &document::document(origin, event))
}
