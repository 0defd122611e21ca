//! Where a descriptor leads.

use super::Bytes;
use crate::limits::OPENED_BYTES;

/// Whose mounts a path leads along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// The host's.
    Host,
    /// Those of another mount namespace, or of none: whose, is not known.
    Other,
    /// None: from the root of its file system to what no mount that is known shows. Or another
    /// thread may have put the descriptor in the place of the call's.
    Doubtful,
}

/// The file or directory that a descriptor was open on during a call, as the kernel part
/// saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its absolute path; it crosses no symbolic link.
    pub path: Bytes<OPENED_BYTES>,
    /// `None`: not known, and no path.
    pub tree: Option<Tree>,
}

impl Opened {
    /// Not known.
    pub const fn new() -> Opened {
        Opened { path: Bytes::new(), tree: None }
    }

    /// Becomes not known.
    pub fn clear(&mut self) {
        self.path.clear();
        self.tree = None;
    }
}

impl Default for Opened {
    fn default() -> Opened {
        Opened::new()
    }
}
