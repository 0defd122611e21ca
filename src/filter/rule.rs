//! One exclusion, and why one is not taken.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{EXCLUSIONS, PATH_BYTES};

/// What a rule excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Events on one file.
    File,
    /// Events on everything below a folder, and on the folder itself.
    Folder,
    /// Every event of processes with this executable.
    Process,
}

impl RuleKind {
    /// All of them.
    pub const ALL: [RuleKind; 3] = [RuleKind::File, RuleKind::Folder, RuleKind::Process];

    /// As commands and output have it.
    pub const fn name(self) -> &'static str {
        match self {
            RuleKind::File => "file",
            RuleKind::Folder => "folder",
            RuleKind::Process => "process",
        }
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who asked for a rule. Of two for the same thing the later one here counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The sensor: [`DEFAULTS`](super::DEFAULTS).
    Default,
    /// A command on this host.
    Local,
    /// The managed configuration.
    Managed,
}

impl Origin {
    /// As output has it.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Local => "local",
            Origin::Managed => "managed",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether an absolute path is as events have it: without `.`, `..`, `//` and a slash at its end.
pub(super) fn is_clean(path: &[u8]) -> bool {
    let mut parts = path[1..].split(|byte| *byte == b'/');
    path == b"/" || !parts.any(|part| matches!(part, b"" | b"." | b".."))
}

/// One exclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// What it excludes.
    pub kind: RuleKind,
    /// An absolute path, as events have it: without `.`, `..`, `//` and a slash at its end.
    pub path: Box<[u8]>,
    /// Who asked for it.
    pub origin: Origin,
    /// Of a process: what its descendants do is excluded too.
    pub children: bool,
}

impl Rule {
    /// Takes a path as an administrator writes it. What can never match an event is refused
    /// here: it would look like an exclusion and be none.
    pub fn new(
        kind: RuleKind,
        path: &str,
        origin: Origin,
        children: bool,
    ) -> Result<Rule, RuleError> {
        let refused = |why: fn(String) -> RuleError| Err(why(path.to_owned()));
        // First, so that no message repeats a path without end.
        if path.len() > PATH_BYTES {
            return Err(RuleError::TooLong(path.len()));
        }
        if path.is_empty() {
            return Err(RuleError::Empty);
        }
        if path.contains(['*', '?']) {
            return refused(RuleError::Wildcard);
        }
        if path.contains('\0') {
            return refused(RuleError::Nul);
        }
        if !path.starts_with('/') {
            let name_only = kind == RuleKind::Process && !path.contains('/');
            return refused(if name_only { RuleError::NameOnly } else { RuleError::Relative });
        }
        let trimmed = match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        if kind != RuleKind::Folder && trimmed == "/" {
            return Err(RuleError::Root(kind));
        }
        if kind != RuleKind::Folder && trimmed != path {
            return Err(RuleError::EndsInSlash(kind, path.to_owned()));
        }
        if !is_clean(trimmed.as_bytes()) {
            return refused(RuleError::NotClean);
        }
        if children && kind != RuleKind::Process {
            return Err(RuleError::Children(kind));
        }
        Ok(Rule { kind, path: trimmed.as_bytes().into(), origin, children })
    }
}

/// Why a rule is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No path at all.
    Empty,
    /// Not an absolute path.
    Relative(String),
    /// A process by its name.
    NameOnly(String),
    /// It has `*` or `?`, which global exclusions do not support.
    Wildcard(String),
    /// It has a component that no resolved path has.
    NotClean(String),
    /// It has a NUL, which no path has.
    Nul(String),
    /// It is longer, in bytes, than the path of any event.
    TooLong(usize),
    /// A file or process with a slash at its end: the path names a folder.
    EndsInSlash(RuleKind, String),
    /// `/` as a file or process.
    Root(RuleKind),
    /// What descendants do is asked for, and it is no process.
    Children(RuleKind),
    /// More than [`EXCLUSIONS`].
    TooMany,
}

impl RuleError {
    /// What to do about it: an order.
    pub fn remedy(&self) -> &'static str {
        match self {
            RuleError::Empty => "write the path from / on",
            RuleError::Relative(_) => "write it from / on",
            RuleError::NameOnly(_) => "write the full path of its executable",
            RuleError::Wildcard(_) => "name the folder instead, which excludes all below it",
            RuleError::NotClean(_) => "write the path without them",
            RuleError::Nul(_) => "write the path without it",
            RuleError::TooLong(_) => "name a folder above it",
            RuleError::EndsInSlash(..) => {
                "leave the slash away, or exclude it as a folder if that is meant"
            }
            RuleError::Root(_) => "name what is meant",
            RuleError::Children(_) => "ask for it with a process only",
            RuleError::TooMany => "name a folder in the place of files in it, or remove some",
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleError::Empty => f.write_str("the path is empty"),
            RuleError::Relative(path) => write!(f, "{path:?} is not an absolute path"),
            RuleError::NameOnly(name) => write!(
                f,
                "{name:?} is a process name, and global exclusions take only full paths: any \
                 program can have a name"
            ),
            RuleError::Wildcard(path) => {
                write!(f, "{path:?}: wildcards are not supported in global exclusions")
            }
            RuleError::NotClean(path) => {
                write!(f, "{path:?} has \".\", \"..\" or \"//\" in it, which no event has")
            }
            RuleError::Nul(path) => write!(f, "{path:?} has a NUL in it, which no path has"),
            RuleError::TooLong(bytes) => write!(
                f,
                "the path has {bytes} bytes, and those of events have {PATH_BYTES} at most"
            ),
            RuleError::EndsInSlash(kind, path) => {
                write!(f, "{path:?} names a folder, and the exclusion is of a {kind}")
            }
            RuleError::Root(kind) => {
                write!(f, "\"/\" is the root folder, and the exclusion is of a {kind}")
            }
            RuleError::Children(kind) => write!(
                f,
                "only a process has descendants that could be excluded with it, a {kind} has none"
            ),
            RuleError::TooMany => write!(
                f,
                "there are more than {EXCLUSIONS} exclusions, those of the sensor itself counted"
            ),
        }
    }
}

impl std::error::Error for RuleError {}
