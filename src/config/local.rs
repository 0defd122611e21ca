//! What commands on this host set, kept across restarts.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use rustix::fs::OFlags;
use rustix::io::Errno;
use serde_json::{Value, json};

use super::schema::{self, PROVIDERS};
use super::{ConfigError, file};
use crate::directory::Directory;
use crate::filter::{DEFAULTS, Origin, Rule, RuleError, RuleKind};
use crate::host::provider::Wanted;
use crate::limits::EXCLUSIONS;

/// Its name in the state directory.
pub const FILE_NAME: &str = "local.json";
/// One that could not be used, when another one was written.
pub const BAD_NAME: &str = "local.json.bad";
/// The next one, until it is whole. Only the sensor that has the directory (see
/// [`Claim`](crate::claim::Claim)) writes it, so one name is enough; what a crash left is replaced.
const NEXT_NAME: &str = "local.json.next";

/// A local exclusion as it was asked for. It is checked when it is added, and again when it
/// is used: what is read from the file may be of another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRule {
    /// What it excludes.
    pub kind: RuleKind,
    /// The path.
    pub path: String,
    /// Of a process: what its descendants do is excluded too.
    pub children: bool,
}

/// The local settings, in the schema of the managed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// The provider, if one was set.
    pub provider: Option<Wanted>,
    /// Exclusions, in the order in which they were added.
    pub rules: Vec<LocalRule>,
}

impl Local {
    /// Reads them from the state directory: nothing is set if there is no file.
    pub fn load(dir: &Directory) -> Result<Local, ConfigError> {
        // In a directory that an administrator chose, anybody may have put it there.
        let text = match file::read_own(dir, FILE_NAME) {
            Err(error) if error.is_absent() => return Ok(Local::default()),
            text => text?,
        };
        Local::parse(&text)
    }

    /// Reads the content of a file.
    pub(crate) fn parse(text: &str) -> Result<Local, ConfigError> {
        let settings = schema::parse(text)?;
        let rule = |exclusion: schema::Exclusion| {
            let schema::Exclusion { kind, path, children, place: _ } = exclusion;
            LocalRule { kind, path, children }
        };
        let rules = settings.exclusions.into_iter().map(rule).collect();
        Ok(Local { provider: settings.provider, rules })
    }

    /// Writes them to the state directory. After a crash at any point the old or the new ones are
    /// there, whole.
    pub fn save(&self, dir: &Directory) -> io::Result<()> {
        if let Err(error) = self.write(dir).and_then(|()| Ok(dir.rename(NEXT_NAME, FILE_NAME)?)) {
            // The first error is the one to tell.
            let _ = dir.remove(NEXT_NAME);
            return Err(error);
        }
        Ok(dir.sync()?)
    }

    fn write(&self, dir: &Directory) -> io::Result<()> {
        match dir.remove(NEXT_NAME) {
            Err(error) if error != Errno::NOENT => return Err(error.into()),
            _ => {}
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(dir.open_file(NEXT_NAME, flags)?);
        file.write_all(self.text().as_bytes())?;
        file.sync_all()
    }

    pub(crate) fn text(&self) -> String {
        format!("{:#}\n", self.json())
    }

    fn json(&self) -> Value {
        let exclusion = |rule: &LocalRule| {
            let LocalRule { kind, path, children } = rule;
            let scopes = ["global"];
            match kind {
                RuleKind::Process => json!({"$type": "excludedFileName", "name": path,
                    "includeChildren": children, "scopes": scopes}),
                RuleKind::File | RuleKind::Folder => json!({"$type": "excludedPath", "path": path,
                    "isDirectory": *kind == RuleKind::Folder, "scopes": scopes}),
            }
        };
        let exclusions: Vec<Value> = self.rules.iter().map(exclusion).collect();
        let mut settings = json!({"exclusionSettings": {"exclusions": exclusions}});
        let set = PROVIDERS.iter().find(|(_, wanted)| Some(*wanted) == self.provider);
        if let Some((word, _)) = set {
            settings["features"] = json!({"ebpfSupplementaryEventProvider": word});
        }
        settings
    }

    /// Adds an exclusion. One of a process that is there without its descendants gets them,
    /// if they are asked for.
    pub fn add_rule(
        &mut self,
        kind: RuleKind,
        path: &str,
        children: bool,
    ) -> Result<Added, LocalError> {
        let clean = Rule::new(kind, path, Origin::Local, children).map_err(LocalError::Rule)?;
        if let Some(at) = self.find(kind, path) {
            let known = &mut self.rules[at];
            if known.children || !children {
                let (path, children) = (known.path.clone(), known.children);
                return Err(LocalError::AlreadyThere { kind, path, children });
            }
            known.children = true;
            return Ok(Added::Children);
        }
        // The sensor's own take places too; the managed ones are not known here.
        if self.rules.len() >= EXCLUSIONS - DEFAULTS.len() {
            return Err(LocalError::Rule(RuleError::TooMany));
        }
        // Bytes of a `str` up to an ASCII character.
        let path = String::from_utf8_lossy(&clean.path).into_owned();
        self.rules.push(LocalRule { kind, path, children });
        Ok(Added::Rule)
    }

    /// Removes an exclusion, also one that could not be added any more.
    pub fn remove_rule(&mut self, kind: RuleKind, path: &str) -> Result<(), LocalError> {
        if let Some(at) = self.find(kind, path) {
            self.rules.remove(at);
            return Ok(());
        }
        let mut others = RuleKind::ALL.into_iter().filter(|other| *other != kind);
        let other = others.find(|other| self.find(*other, path).is_some());
        Err(LocalError::NotThere { kind, path: path.to_owned(), other })
    }

    fn find(&self, kind: RuleKind, path: &str) -> Option<usize> {
        let is_it = |rule: &LocalRule| rule.kind == kind && is_same_path(&rule.path, path);
        self.rules.iter().position(is_it)
    }
}

/// Whether two spellings are one path: a slash at the end of a folder is no difference.
pub fn is_same_path(a: &str, b: &str) -> bool {
    a == b || (a.trim_end_matches('/') == b.trim_end_matches('/') && !a.is_empty() && !b.is_empty())
}

/// What a command added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// An exclusion.
    Rule,
    /// To one that was there, what its process starts.
    Children,
}

/// Why a command on local exclusions is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalError {
    /// The exclusion cannot be used.
    Rule(RuleError),
    /// It is set already.
    AlreadyThere {
        /// Its kind.
        kind: RuleKind,
        /// Its path.
        path: String,
        /// What the process starts is excluded too.
        children: bool,
    },
    /// It is not set.
    NotThere {
        /// The kind that was asked for.
        kind: RuleKind,
        /// The path that was asked for.
        path: String,
        /// The kind of one that is set for this path.
        other: Option<RuleKind>,
    },
}

impl LocalError {
    /// What to do about it: an order.
    pub fn remedy(&self) -> &'static str {
        match self {
            LocalError::Rule(error) => error.remedy(),
            LocalError::NotThere { other: Some(RuleKind::File), .. } => "remove it as a file",
            LocalError::NotThere { other: Some(RuleKind::Folder), .. } => "remove it as a folder",
            LocalError::NotThere { other: Some(RuleKind::Process), .. } => "remove it as a process",
            LocalError::AlreadyThere { children: true, .. } => {
                "remove it first, if what it starts is to be reported"
            }
            LocalError::AlreadyThere { .. } | LocalError::NotThere { other: None, .. } => {
                "see what is set by mote exclusion list"
            }
        }
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalError::Rule(error) => error.fmt(f),
            LocalError::AlreadyThere { kind, path, children } => {
                let children = if *children { ", with what it starts" } else { "" };
                write!(f, "the {kind} {path:?} is in the local exclusions already{children}")
            }
            LocalError::NotThere { kind, path, other } => {
                write!(f, "the {kind} {path:?} is not in the local exclusions")?;
                other.map_or(Ok(()), |other| write!(f, ", but as a {other} it is"))
            }
        }
    }
}

impl std::error::Error for LocalError {}
