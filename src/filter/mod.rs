//! Exclusions: what the administrator does not want to see.

mod explain;
mod index;
mod rule;
#[cfg(test)]
mod tests;

use crate::event::{Action, Event, Flags, Truncated};
use crate::limits::EXCLUSIONS;

pub use crate::event::RuleId;
pub use explain::{Explanation, Subject};
use index::Index;
pub use rule::{Origin, Rule, RuleError, RuleKind};

/// What every host has and nobody looks for. All of them are devices of the kernel that keep
/// nothing of what is written to them or take it to a terminal: nothing can hide in them. Only
/// that they are opened is excluded: what else is done with them, or puts a file in the place of
/// one, is seen.
pub const DEFAULTS: [(RuleKind, &str); 5] = [
    (RuleKind::File, "/dev/null"),
    (RuleKind::File, "/dev/zero"),
    (RuleKind::File, "/dev/full"),
    (RuleKind::File, "/dev/tty"),
    (RuleKind::File, "/dev/ptmx"),
];

/// What keeps a process from being excluded by its program.
const PROGRAM_DOUBTS: Flags =
    Flags::EXECUTABLE_UNRESOLVED.union(Flags::OTHER_ROOT).union(Flags::USER_NAMESPACE);

/// What keeps a path from being excluded.
const PATH_DOUBTS: Flags = Flags::PATH_UNRESOLVED
    .union(Flags::READ_LATE)
    .union(Flags::OTHER_ROOT)
    .union(Flags::USER_NAMESPACE);

/// All rules, and how many events each excluded.
#[derive(Clone, Debug)]
pub struct Filter {
    /// By [`RuleId`].
    rules: Vec<Rule>,
    /// By [`RuleId`].
    hits: Vec<u64>,
    /// By [`RuleKind`].
    indexes: Box<[Index; RuleKind::ALL.len()]>,
}

impl Filter {
    /// Only [`DEFAULTS`].
    pub fn new() -> Filter {
        let mut filter = Filter {
            rules: Vec::new(),
            hits: Vec::new(),
            indexes: Box::new(RuleKind::ALL.map(|_| Index::new())),
        };
        for (kind, path) in DEFAULTS {
            let added =
                Rule::new(kind, path, Origin::Default, false).and_then(|rule| filter.add(rule));
            debug_assert_eq!(added, Ok(()), "{path}");
        }
        filter
    }

    /// Adds a rule. Of two for the same thing the stronger origin is kept, and what the
    /// descendants of a process do is excluded if either says so.
    pub fn add(&mut self, rule: Rule) -> Result<(), RuleError> {
        if let Some(known) = self.id(rule.kind, &rule.path) {
            let known = &mut self.rules[usize::from(known.0)];
            known.origin = known.origin.max(rule.origin);
            known.children |= rule.children;
            return Ok(());
        }
        if self.rules.len() >= EXCLUSIONS {
            return Err(RuleError::TooMany);
        }
        let id = RuleId(self.rules.len() as u16);
        self.indexes[rule.kind as usize].insert(&rule.path, id);
        self.rules.push(rule);
        self.hits.push(0);
        Ok(())
    }

    /// The rule that excludes the event, with a hit more. A rename is excluded if both its
    /// names are, else a file could be brought in or out unseen; the hit is of the rule of
    /// its new name. Of folders in each other the outermost one counts.
    ///
    /// Rules speak of the host's files, and apply to what is certain and whole: a path in
    /// doubt may lead out of the folder that it names first, a name read late may have been
    /// changed, and below another root or in a user namespace any file can be anywhere.
    ///
    /// A descendant of a process that is excluded with its children is known by its ancestor
    /// and not by its name, so that no doubt about its own names matters.
    pub fn excluded_by(&mut self, event: &Event) -> Option<RuleId> {
        let id = self.find(event)?;
        self.count(id, 1);
        Some(id)
    }

    fn find(&self, event: &Event) -> Option<RuleId> {
        if event.action.is_own() {
            return None;
        }
        let program_is_certain = !event.flags.intersects(PROGRAM_DOUBTS)
            && !event.truncated.contains(Truncated::EXECUTABLE);
        if program_is_certain && let Some(id) = self.id(RuleKind::Process, &event.executable) {
            return Some(id);
        }
        // A number of another filter must not hide anything that this one has no rule for.
        if let Some(id) = event.excluded_ancestor
            && self.rules.get(usize::from(id.0)).is_some_and(|rule| rule.children)
        {
            return Some(id);
        }
        if !event.action.is_on_file()
            || event.flags.intersects(PATH_DOUBTS)
            || event.truncated.intersects(Truncated::PATH.union(Truncated::FROM))
        {
            return None;
        }
        let id = self.path_rule(&event.path)?;
        // What takes the place of one, or changes it, is seen.
        let is_default = self.rules[usize::from(id.0)].origin == Origin::Default;
        if is_default && event.action != Action::Open {
            return None;
        }
        if matches!(event.action, Action::Rename | Action::Link) {
            self.path_rule(&event.from)?;
        }
        Some(id)
    }

    /// The rule for a file of this path.
    fn path_rule(&self, path: &[u8]) -> Option<RuleId> {
        // A relative name is one whose directory is not known: no rule can speak of it.
        if path.first() != Some(&b'/') {
            return None;
        }
        self.id(RuleKind::File, path)
            .or_else(|| self.indexes[RuleKind::Folder as usize].outermost(path))
    }

    /// The rule for processes with this executable, and whether it is for their descendants
    /// too. No doubt is looked at: the caller knows the executable for certain.
    pub fn process_rule(&self, executable: &[u8]) -> Option<(RuleId, bool)> {
        let id = self.id(RuleKind::Process, executable)?;
        Some((id, self.rules[usize::from(id.0)].children))
    }

    /// Counts events that a rule excluded elsewhere, as in the kernel. Of a rule that is not
    /// there any more they count for none.
    pub fn count(&mut self, id: RuleId, hits: u64) {
        if let Some(count) = self.hits.get_mut(usize::from(id.0)) {
            *count = count.saturating_add(hits);
        }
    }

    /// All rules, in the order in which they were added, with their hits.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules.iter().zip(self.hits.iter().copied())
    }

    /// A rule, if there is one of this number.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(usize::from(id.0))
    }

    /// Takes over the hits of an older filter: rules that stay keep theirs.
    pub fn keep_hits(&mut self, from: &Filter) {
        for (rule, hits) in from.rules() {
            if let Some(id) = self.id(rule.kind, &rule.path) {
                self.count(id, hits);
            }
        }
    }

    fn id(&self, kind: RuleKind, path: &[u8]) -> Option<RuleId> {
        self.indexes[kind as usize].get(path)
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::new()
    }
}
