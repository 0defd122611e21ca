//! What is told, as people and programs read it.

use serde::Serialize;

use super::trial::{Trial, Verdict};
use crate::explain::{self, Host, connector};
use crate::host::audit::{self, AuditError, Enabled, RuleFiles, Status};
use crate::host::distribution::Distribution;
use crate::host::facts::{self, Fact, Value};
use crate::host::ksplice;
use crate::host::provider::{Failure, Wanted};
use crate::sensor::Fallback;
use crate::source::netlink::StartError;

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `ebpf`, `netlink`, `none`; `unknown` if it needs root.
    pub verdict: &'static str,
    /// Why it is not eBPF.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Whether eBPF runs, as far as is known.
    #[serde(skip)]
    pub ebpf: Option<bool>,
    /// `mote run` ends, since the process connector would hide what is short.
    #[serde(skip)]
    pub ends: bool,
    /// The configuration says not to run it.
    pub ebpf_disabled: bool,
    /// What else there is.
    pub process_connector: Answer,
    /// What is so, apart from all that.
    #[serde(serialize_with = "facts::serialize")]
    pub facts: Vec<Fact>,
    /// The kernel's audit.
    #[serde(flatten)]
    pub audit: Audit,
    /// Live patches.
    pub ksplice: Ksplice,
}

/// Whether the process connector runs.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// `None`: it is not known.
    pub runs: Option<bool>,
    /// Why it does not.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Rules that are loaded.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// `None`: they are not known.
    pub audit_rules: Option<Vec<LoadedRule>>,
    /// Whether they stay until the next boot.
    pub audit_immutable: Option<bool>,
    /// The files that say so.
    pub audit_immutable_files: Vec<String>,
    #[serde(skip)]
    facts: Vec<(&'static str, Value)>,
}

/// A rule that is loaded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedRule {
    /// As `auditctl -l` prints it.
    pub rule: String,
    /// The files to take it out of.
    pub files: Vec<String>,
    /// If there are none, those with a rule of the same key, or on the same path.
    pub similar_files: Vec<String>,
}

/// Live patches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ksplice {
    /// What makes them, if it is installed.
    pub program: Option<String>,
    /// Whether one is in the kernel.
    pub loaded: bool,
    /// The file that pauses the sensor meanwhile.
    pub pause: Option<String>,
    /// What is to be done.
    pub advice: Option<&'static str>,
    /// The line that does it.
    pub cron_line: Option<&'static str>,
    /// Whether this system is known to hang without.
    pub known_to_hang: bool,
}

impl Report {
    /// Puts it together.
    pub fn of(
        trial: &Trial,
        mut facts: Vec<Fact>,
        audit: Audit,
        ksplice: &ksplice::Ksplice,
        distribution: &Distribution,
    ) -> Report {
        let verdict = trial.verdict();
        let ksplice = Ksplice::of(ksplice, distribution);
        let (reason, remedy) = trial.reason().unzip();
        let wanted = trial.wanted.name();
        let switch = ("ebpf_supplementary_event_provider", Value::Text(wanted.into()));
        let connector = trial.answer();
        let runs = ("netlink_process_connector", connector.value());
        let more = [switch, runs].into_iter().chain(audit.facts.clone()).chain(ksplice.facts());
        facts.extend(more.map(|(key, value)| Fact { key, value }));
        Report {
            verdict: match verdict {
                Verdict::Ebpf => "ebpf",
                Verdict::Connector => "netlink",
                Verdict::Neither | Verdict::Shortage => "none",
                Verdict::NotRoot => "unknown",
            },
            reason,
            remedy,
            ebpf: trial.ebpf_runs(),
            ends: verdict == Verdict::Shortage,
            ebpf_disabled: trial.wanted == Wanted::Netlink,
            process_connector: connector,
            facts,
            audit,
            ksplice,
        }
    }
}

impl Trial {
    fn ebpf_runs(&self) -> Option<bool> {
        match &self.ebpf {
            Ok(()) => Some(true),
            Err(Fallback::Failed(error))
                if Failure::of(error.errno(), self.is_root) == Failure::User =>
            {
                None
            }
            Err(_) => Some(false),
        }
    }

    /// Why it is not eBPF, and what to do.
    fn reason(&self) -> Option<(String, String)> {
        let fallback = self.ebpf.as_ref().err()?;
        Some(match self.ebpf_runs() {
            None => owned(explain::NEEDS_ROOT),
            Some(_) => explain::why(fallback, Host::read()),
        })
    }

    fn answer(&self) -> Answer {
        let (runs, why) = match &self.connector {
            Ok(()) => (Some(true), None),
            Err(StartError::Permission) if !self.is_root => {
                (None, Some(owned(explain::NEEDS_ROOT)))
            }
            Err(error) => (Some(false), Some((error.to_string(), connector::remedy(error).into()))),
        };
        let (reason, remedy) = why.unzip();
        Answer { runs, reason, remedy }
    }
}

impl Answer {
    fn value(&self) -> Value {
        match (self.runs, &self.reason) {
            (Some(true), _) => Value::Text("runs".into()),
            (Some(false), Some(reason)) => Value::Text(format!("does not run: {reason}")),
            _ => Value::Unknown,
        }
    }
}

fn owned((reason, remedy): (&str, &str)) -> (String, String) {
    (reason.into(), remedy.into())
}

impl Audit {
    /// What the kernel told, and the files that it comes from.
    pub fn of(told: Result<audit::Audit, AuditError>, files: &RuleFiles) -> Audit {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        match told {
            Ok(audit) => {
                let loaded = |rule: &audit::Rule| {
                    let exact = files.of(rule);
                    let similar = if exact.is_empty() { files.like(rule) } else { Vec::new() };
                    LoadedRule {
                        rule: rule.to_string(),
                        files: owned(exact),
                        similar_files: owned(similar),
                    }
                };
                let rules: Vec<LoadedRule> = audit.rules.iter().map(loaded).collect();
                let is_immutable = audit.status.enabled == Enabled::Immutable;
                Audit {
                    facts: status_facts(audit.status, rules.len()),
                    audit_rules: Some(rules),
                    audit_immutable: Some(is_immutable),
                    audit_immutable_files: owned(files.immutable()),
                }
            }
            // Then there are none.
            Err(AuditError::Absent) => Audit {
                facts: vec![("audit", Value::Text("absent".into()))],
                audit_rules: Some(Vec::new()),
                audit_immutable: Some(false),
                ..Audit::default()
            },
            Err(error) => Audit {
                facts: vec![(
                    "audit",
                    Value::Text(format!("unknown: {error}; {}", error.remedy())),
                )],
                ..Audit::default()
            },
        }
    }
}

fn status_facts(status: Status, rules: usize) -> Vec<(&'static str, Value)> {
    let Status { enabled, daemon_pid, lost, backlog } = status;
    let enabled = match enabled {
        Enabled::No => "disabled",
        Enabled::Yes => "enabled",
        Enabled::Immutable => "enabled and immutable",
    };
    let mut facts = vec![("audit", Value::Text(enabled.into()))];
    let count = i64::try_from(rules).ok();
    facts.push(("audit_rules_loaded", count.into()));
    for (key, number) in
        [("audit_daemon_pid", daemon_pid), ("audit_records_lost", lost), ("audit_backlog", backlog)]
    {
        facts.push((key, Value::Number(number.into())));
    }
    facts
}

impl Ksplice {
    fn of(found: &ksplice::Ksplice, distribution: &Distribution) -> Ksplice {
        let advice = found.advice(distribution);
        Ksplice {
            program: found.program.clone(),
            loaded: found.is_loaded,
            pause: found.pause.clone(),
            advice: advice.as_ref().map(|advice| advice.sentence),
            cron_line: advice.as_ref().map(|advice| advice.cron_line),
            known_to_hang: advice.is_some_and(|advice| advice.is_known_to_hang),
        }
    }

    fn facts(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &Option<String>, none: &str| {
            Value::Text(text.clone().unwrap_or_else(|| none.to_owned()))
        };
        let mut facts = vec![("ksplice", text(&self.program, "not installed"))];
        if self.program.is_some() || self.loaded {
            facts.push(("ksplice_loaded", Value::Flag(self.loaded)));
            facts.push(("ksplice_pause", text(&self.pause, "not set up")));
        }
        facts
    }
}
