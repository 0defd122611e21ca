//! The managed configuration: an error, or what can be used, and written as a local one.

use crate::config::{Config, Local, LocalRule, Managed};
use crate::filter::{DEFAULTS, Origin, RuleKind, Subject};

/// See [`fuzzed`](super).
pub fn check(json: &[u8]) -> bool {
    let managed = match Managed::parse(json) {
        Ok(managed) => managed,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            return false;
        }
    };
    let mut local = Local { provider: managed.provider, rules: Vec::new() };
    for (rule, _) in managed.filter.rules().filter(|(rule, _)| rule.origin == Origin::Managed) {
        // Only from JSON, which is text.
        let path = String::from_utf8(rule.path.to_vec()).expect("text");
        local.rules.push(LocalRule { kind: rule.kind, path, children: rule.children });
    }
    assert_eq!(Local::parse(&local.text()).expect("our own text"), local);
    let config = Config::merge(&managed, &local);
    let rules = config.filter.rules().count();
    assert!(rules >= DEFAULTS.len() && config.problems.is_empty(), "{:?}", config.problems);
    assert_eq!(rules, managed.filter.rules().count(), "what is managed is not local too");
    for (rule, _) in config.filter.rules() {
        let subject = match rule.kind {
            RuleKind::Process => Subject::Process(&rule.path),
            RuleKind::File | RuleKind::Folder => Subject::Path(&rule.path),
        };
        let explained = config.filter.explain(subject).expect("it is a path");
        assert!(explained.rule.is_some(), "{rule:?} matches itself");
    }
    true
}
