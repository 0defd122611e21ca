//! Configuration: what the administrator of many hosts manages, what commands on this one
//! set, and what becomes of both.

mod error;
mod file;
mod json;
pub mod local;
pub mod managed;
mod place;
mod schema;
#[cfg(test)]
mod tests;

use crate::filter::{Filter, Origin, Rule, RuleError, RuleKind};
use crate::health::Issue;
use crate::host::provider::Wanted;

pub use error::{ConfigError, Encoding};
pub use file::{Fingerprint, others_can_change};
pub use local::{Added, Local, LocalError, LocalRule};
pub use managed::Managed;
pub use place::Place;
pub use schema::MergePolicy;

/// Where the managed configuration is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/mote/mote_managed.json";

/// Of a path in a problem: its file may hold a path without end.
const SHOWN_CHARS: usize = 128;

/// What the sensor does differently from its defaults.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Exclusions.
    pub filter: Filter,
    /// The provider.
    pub provider: Wanted,
    /// The managed file sets the provider: no command can.
    pub provider_managed: bool,
    /// What became of local exclusions.
    pub merge_policy: MergePolicy,
    /// Keys of the managed file that mean nothing to the sensor: of other products, or not
    /// spelled right.
    pub unused: Vec<String>,
    /// What of the local settings is not used.
    pub problems: Vec<Issue>,
    /// An exclusion leaves nothing to be seen of files.
    pub blinding: Option<Issue>,
}

impl Config {
    /// Both together. Where both set something the managed configuration wins. Nothing in
    /// the local settings can fail it: a sensor that ran must start again.
    pub fn merge(managed: &Managed, local: &Local) -> Config {
        let mut config = Config {
            filter: managed.filter.clone(),
            provider: managed.provider.or(local.provider).unwrap_or_default(),
            provider_managed: managed.provider.is_some(),
            merge_policy: managed.merge_policy,
            unused: managed.unused.clone(),
            problems: Vec::new(),
            blinding: None,
        };
        if config.merge_policy == MergePolicy::Merge {
            config.add_local(local);
        }
        config.blinding = blinding(&config.filter);
        config
    }

    fn add_local(&mut self, local: &Local) {
        let mut too_many = 0;
        for LocalRule { kind, path, children } in &local.rules {
            let added = Rule::new(*kind, path, Origin::Local, *children)
                .and_then(|rule| self.filter.add(rule));
            if added == Err(RuleError::TooMany) {
                too_many += 1;
            } else if let Err(error) = added {
                let shown: String = path.chars().take(SHOWN_CHARS).collect();
                self.problems.push(Issue {
                    problem: format!(
                        "the local exclusion of the {kind} {shown:?} is not used: {error}"
                    ),
                    remedy: format!(
                        "{}, or remove it (mote exclusion {kind} remove)",
                        error.remedy()
                    ),
                });
            }
        }
        if too_many > 0 {
            let error = RuleError::TooMany;
            self.problems.push(Issue {
                problem: format!("{too_many} local exclusions are not used: {error}"),
                remedy: error.remedy().to_owned(),
            });
        }
    }
}

fn blinding(filter: &Filter) -> Option<Issue> {
    let is_all = |rule: &&Rule| rule.kind == RuleKind::Folder && *rule.path == *b"/";
    let rule = filter.rules().map(|(rule, _)| rule).find(is_all)?;
    Some(Issue {
        problem: format!(
            "the {} exclusion of the folder / hides what is done with files",
            rule.origin
        ),
        remedy: "remove it, and exclude the folders that are meant".to_owned(),
    })
}
