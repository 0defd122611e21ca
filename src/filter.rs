//! Exclusions: what the administrator does not want to see.

use std::fmt;

use crate::event::{Action, Event, Flags, Truncated};
use crate::limits::EXCLUSIONS;

/// What a rule excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// Events on one file.
    File,
    /// Events on everything below a folder, and on the folder itself.
    Folder,
    /// Every event of processes with this executable; their children are others.
    Process,
}

/// One exclusion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// What it excludes.
    pub kind: RuleKind,
    /// An absolute path.
    pub path: Box<[u8]>,
}

/// Why a rule is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// Not an absolute path.
    Relative(String),
    /// It has `*` or `?`, which global exclusions do not support.
    Wildcard(String),
    /// It has a component that no resolved path has.
    NotClean(String),
    /// More than [`EXCLUSIONS`].
    TooMany,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleError::Relative(path) => {
                write!(f, "\"{path}\" is not an absolute path; write it from / on")
            }
            RuleError::Wildcard(path) => {
                write!(
                    f,
                    "\"{path}\" has a wildcard, which exclusions do not support; name the folder instead"
                )
            }
            RuleError::NotClean(path) => {
                write!(f, "\"{path}\" has \".\", \"..\" or \"//\" in it; write the path without")
            }
            RuleError::TooMany => write!(f, "there are more than {EXCLUSIONS} exclusions"),
        }
    }
}

impl std::error::Error for RuleError {}

/// What every host has and nobody looks for.
pub const DEFAULTS: [(RuleKind, &str); 1] = [(RuleKind::File, "/dev/null")];

/// What keeps a path from being excluded.
const PATH_DOUBTS: Flags = Flags::PATH_UNRESOLVED
    .union(Flags::READ_LATE)
    .union(Flags::OTHER_ROOT)
    .union(Flags::USER_NAMESPACE);

/// All rules, sorted: a lookup is a binary search.
#[derive(Clone, Debug)]
pub struct Filter {
    rules: Vec<Rule>,
}

impl Filter {
    /// Only [`DEFAULTS`].
    pub fn new() -> Filter {
        let rule = |(kind, path): (RuleKind, &str)| Rule { kind, path: path.as_bytes().into() };
        let mut rules: Vec<Rule> = DEFAULTS.into_iter().map(rule).collect();
        rules.sort_unstable();
        Filter { rules }
    }

    /// Adds a rule. A trailing slash is dropped.
    pub fn add(&mut self, kind: RuleKind, path: &str) -> Result<(), RuleError> {
        let trimmed = if path == "/" { path } else { path.trim_end_matches('/') };
        if !trimmed.starts_with('/') {
            return Err(RuleError::Relative(path.to_owned()));
        }
        if trimmed.contains(['*', '?']) {
            return Err(RuleError::Wildcard(path.to_owned()));
        }
        if trimmed != "/" && trimmed[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(RuleError::NotClean(path.to_owned()));
        }
        let rule = Rule { kind, path: trimmed.as_bytes().into() };
        if let Err(place) = self.rules.binary_search(&rule) {
            if self.rules.len() >= EXCLUSIONS {
                return Err(RuleError::TooMany);
            }
            self.rules.insert(place, rule);
        }
        Ok(())
    }

    /// Whether the event is excluded. A rename is if both its names are: else a file could
    /// be brought in or out unseen.
    ///
    /// Rules speak of the host's files, and apply to what is certain and whole: a path in
    /// doubt may lead out of the folder that it names first, a name read late may have been
    /// changed, and below another root or in a user namespace any file can be anywhere.
    pub fn excludes(&self, event: &Event) -> bool {
        if event.action.is_own() {
            return false;
        }
        let on_file = event.action.is_on_file();
        let program_is_certain =
            !event.flags.intersects(Flags::EXECUTABLE_UNRESOLVED.union(Flags::OTHER_ROOT))
                && !event.truncated.contains(Truncated::EXECUTABLE);
        if program_is_certain && self.has(RuleKind::Process, &event.executable) {
            return true;
        }
        on_file
            && !event.flags.intersects(PATH_DOUBTS)
            && !event.truncated.intersects(Truncated::PATH.union(Truncated::FROM))
            && self.excludes_path(&event.path)
            && (event.action != Action::Rename || self.excludes_path(&event.from))
    }

    fn excludes_path(&self, path: &[u8]) -> bool {
        // A relative name is one whose directory is not known: no rule can speak of it.
        path.first() == Some(&b'/')
            && (self.has(RuleKind::File, path)
                || self.has(RuleKind::Folder, path)
                || self.has(RuleKind::Folder, b"/")
                || (1..path.len())
                    .filter(|at| path[*at] == b'/')
                    .any(|at| self.has(RuleKind::Folder, &path[..at])))
    }

    fn has(&self, kind: RuleKind, path: &[u8]) -> bool {
        self.rules.binary_search_by(|rule| (rule.kind, &*rule.path).cmp(&(kind, path))).is_ok()
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: Action, executable: &str, path: &str, from: &str) -> Event {
        let mut event = Event::new();
        event.action = action;
        event.executable.extend_from_slice(executable.as_bytes()).unwrap();
        event.path.extend_from_slice(path.as_bytes()).unwrap();
        event.from.extend_from_slice(from.as_bytes()).unwrap();
        event
    }

    #[test]
    fn rules_exclude_what_they_name_and_no_more() {
        let mut filter = Filter::new();
        filter.add(RuleKind::File, "/var/log/x.log").unwrap();
        filter.add(RuleKind::Folder, "/srv/build/").unwrap();
        filter.add(RuleKind::Process, "/usr/bin/make").unwrap();
        for (excluded, action, executable, path, from) in [
            (true, Action::Open, "/bin/sh", "/var/log/x.log", ""),
            (false, Action::Open, "/bin/sh", "/var/log/x.log.1", ""),
            (false, Action::Open, "/bin/sh", "var/log/x.log", ""),
            (true, Action::Mkdir, "/bin/sh", "/srv/build", ""),
            (true, Action::Unlink, "/bin/sh", "/srv/build/a/b", ""),
            (false, Action::Unlink, "/bin/sh", "/srv/builder/a", ""),
            (true, Action::Rename, "/bin/sh", "/srv/build/a", "/srv/build/b"),
            (false, Action::Rename, "/bin/sh", "/srv/build/a", "/tmp/b"),
            (false, Action::Rename, "/bin/sh", "/tmp/a", "/srv/build/b"),
            (true, Action::Exit, "/usr/bin/make", "", ""),
            (true, Action::Connect, "/usr/bin/make", "", ""),
            (false, Action::Exec, "/bin/sh", "/srv/build/tool", ""),
            (true, Action::Open, "/bin/sh", "/dev/null", ""),
            (false, Action::Loss, "/usr/bin/make", "", ""),
        ] {
            let event = event(action, executable, path, from);
            assert_eq!(filter.excludes(&event), excluded, "{action:?} {executable} {path} {from}");
        }
    }

    #[test]
    fn rules_do_not_apply_to_what_is_in_doubt() {
        let mut filter = Filter::new();
        filter.add(RuleKind::Folder, "/srv/build").unwrap();
        filter.add(RuleKind::Process, "/usr/bin/make").unwrap();
        let by_path = || event(Action::Rename, "/bin/sh", "/srv/build/a", "/srv/build/b");
        let by_program = || event(Action::Open, "/usr/bin/make", "/tmp/x", "");
        let both = (Flags::default(), Truncated::default());
        for ((flag, cut), path_applies, program_applies) in [
            (both, true, true),
            ((Flags::PATH_UNRESOLVED, Truncated(0)), false, true),
            ((Flags::USER_NAMESPACE, Truncated(0)), false, true),
            ((Flags::READ_LATE, Truncated(0)), false, true),
            ((Flags::OTHER_ROOT, Truncated(0)), false, false),
            ((Flags::OTHER_MOUNTS, Truncated(0)), true, true),
            ((Flags::EXECUTABLE_UNRESOLVED, Truncated(0)), true, false),
            ((Flags(0), Truncated::PATH), false, true),
            ((Flags(0), Truncated::FROM), false, true),
            ((Flags(0), Truncated::EXECUTABLE), true, false),
        ] {
            for (mut event, applies) in [(by_path(), path_applies), (by_program(), program_applies)]
            {
                (event.flags, event.truncated) = (flag, cut);
                assert_eq!(filter.excludes(&event), applies, "{flag:?} {cut:?}");
            }
        }
    }

    #[test]
    fn what_cannot_match_as_written_is_refused() {
        let mut filter = Filter::new();
        for (path, error) in [
            ("var/log", RuleError::Relative("var/log".into())),
            ("", RuleError::Relative(String::new())),
            ("/home/*/git", RuleError::Wildcard("/home/*/git".into())),
            ("/a/../b", RuleError::NotClean("/a/../b".into())),
            ("/a//b", RuleError::NotClean("/a//b".into())),
        ] {
            assert_eq!(filter.add(RuleKind::Folder, path), Err(error));
        }
        for n in 0..EXCLUSIONS - DEFAULTS.len() {
            filter.add(RuleKind::File, &format!("/{n}")).unwrap();
        }
        assert_eq!(filter.add(RuleKind::File, "/one/more"), Err(RuleError::TooMany));
        filter.add(RuleKind::File, "/7").unwrap();
    }
}
