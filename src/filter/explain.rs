//! Which rule would match, and why: for `mote exclusion test`.

use super::rule::is_clean;
use super::{Filter, Rule, RuleId, RuleKind};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A file or folder that something is done with.
    Path(&'a [u8]),
    /// The executable of a process.
    Process(&'a [u8]),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule that would match.
    pub rule: Option<RuleId>,
    /// Why it does, or that none does, without a full stop.
    pub sentence: String,
}

impl Filter {
    /// Says which rule excludes events on a path or by a process, by the same look-ups that
    /// events go through. Nothing is counted.
    pub fn explain(&self, subject: Subject<'_>) -> Explanation {
        let (what, written) = match subject {
            Subject::Path(path) => ("path", path),
            Subject::Process(path) => ("process", path),
        };
        let path = match subject {
            Subject::Path(_) => trimmed(written),
            Subject::Process(_) => written,
        };
        let flaw = flaw(path);
        let id = match subject {
            _ if !flaw.is_empty() => None,
            Subject::Path(_) => self.path_rule(path),
            Subject::Process(_) => self.process_rule(path).map(|(id, _)| id),
        };
        let shown = shown(path);
        let sentence = match id.and_then(|id| self.rule(id)) {
            Some(rule) => matched(rule, path, &shown),
            None => format!("no exclusion matches the {what} {shown}{flaw}"),
        };
        Explanation { rule: id, sentence }
    }
}

fn matched(rule: &Rule, path: &[u8], shown_path: &str) -> String {
    let origin = rule.origin;
    match rule.kind {
        RuleKind::File => format!("{shown_path} is an excluded file ({origin})"),
        RuleKind::Folder if *rule.path == *path => {
            format!("{shown_path} is an excluded folder itself ({origin})")
        }
        RuleKind::Folder => {
            format!("{shown_path} is below the folder {} ({origin})", shown(&rule.path))
        }
        RuleKind::Process if rule.children => {
            format!("{shown_path} is an excluded process, with its descendants ({origin})")
        }
        RuleKind::Process => {
            format!("{shown_path} is an excluded process, without its descendants ({origin})")
        }
    }
}

/// What about the question itself keeps every rule from matching, if anything does.
fn flaw(path: &[u8]) -> &'static str {
    if path.first() != Some(&b'/') {
        ", which is not absolute as those of exclusions: write it from / on"
    } else if !is_clean(path) {
        ", which has \".\", \"..\", \"//\" or a slash at its end as no event has: write it without"
    } else {
        ""
    }
}

/// No event has a slash at the end of a path, but shells complete one for a folder.
fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    &path[..end.min(path.len())]
}

/// For people: what a terminal would take for a command is escaped.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}
