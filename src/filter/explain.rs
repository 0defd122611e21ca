//! Which rule would match, and why: for `mote exclusion test`.

use super::rule::is_clean;
use super::{Filter, Rule, RuleError, RuleId, RuleKind};
use crate::limits::PATH_BYTES;

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
    /// events go through. Nothing is counted. No event has a path that is an error here.
    pub fn explain(&self, subject: Subject<'_>) -> Result<Explanation, RuleError> {
        let (Subject::Path(written) | Subject::Process(written)) = subject;
        let path = match subject {
            Subject::Path(_) => trimmed(written),
            Subject::Process(_) => written,
        };
        let flawed =
            |why: fn(String) -> RuleError| Err(why(String::from_utf8_lossy(written).into_owned()));
        if path.is_empty() {
            return Err(RuleError::Empty);
        }
        if path.len() > PATH_BYTES {
            return Err(RuleError::TooLong(path.len()));
        }
        if path.first() != Some(&b'/') {
            return flawed(RuleError::Relative);
        }
        if !is_clean(path) {
            return flawed(RuleError::NotClean);
        }
        let (what, id) = match subject {
            Subject::Path(_) => ("path", self.path_rule(path)),
            Subject::Process(_) => ("process", self.process_rule(path).map(|(id, _)| id)),
        };
        let shown = shown(path);
        let sentence = match id.and_then(|id| self.rule(id)) {
            Some(rule) => matched(rule, path, &shown),
            None => format!("no exclusion matches the {what} {shown}"),
        };
        Ok(Explanation { rule: id, sentence })
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

/// No event has a slash at the end of a path, but shells complete one for a folder.
fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    &path[..end.min(path.len())]
}

/// For people: what a terminal would take for a command is escaped.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}
