//! How a sensor is: what `mote health` tells, and how it is printed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lines;

/// A problem, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// How a sensor is. Counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether there is no issue.
    pub healthy: bool,
    /// What is wrong.
    pub health_issues: Vec<Issue>,
    /// Its version.
    pub app_version: String,
    /// What it says of itself: `error`, `warning`, `info`, `debug`.
    pub log_level: String,
    /// The size of machine that its capacities are for: `tiny`, `default`, `large`.
    pub profile: String,
    /// `ebpf` or `netlink`.
    pub supplementary_events_subsystem: String,
    /// Whether eBPF runs.
    pub ebpf_status: bool,
    /// If not, why.
    pub ebpf_reason: String,
    /// What the configuration says: `enabled` or `disabled`.
    pub ebpf_supplementary_event_provider: String,
    /// Events that were seen.
    pub events_received: u64,
    /// Of these, excluded by a rule.
    pub events_excluded: u64,
    /// Events that are missing, at most.
    pub events_lost: u64,
    /// Of these, kept back by the flood guard.
    pub events_suppressed: u64,
    /// Events that the receiver took.
    pub records_sent: u64,
    /// Events that found no room while the receiver was away or slow.
    pub records_shed: u64,
    /// How many.
    pub hooks_attached: u64,
    /// Of eBPF that was switched off: how many the kernel has still to detach. On some kernels a
    /// hook has two.
    pub programs_detaching: u64,
    /// Those that this kernel does not have.
    pub hooks_missing: Vec<String>,
    /// What is not seen, though this kernel has it.
    pub blind_spots: Vec<String>,
    /// How many exclusions, of every origin.
    pub exclusions: u64,
    /// Where records go.
    pub syslog_receiver: String,
    /// `ready`, `connecting` or what keeps it from it, for each.
    pub syslog_status: String,
    /// Bytes of records on disk that wait for their receivers.
    pub spooled_bytes: u64,
    /// `uname -r`.
    pub kernel: String,
    /// As os-release names it.
    pub distribution: String,
    /// Seconds since the start.
    pub uptime: u64,
    /// When the provider was started that runs, in Unix seconds.
    pub provider_since: u64,
    /// Resident memory.
    pub rss_kib: u64,
    /// Names of the fields above whose value the managed configuration sets.
    pub managed: Vec<String>,
    /// By whom eBPF is paused, if it is.
    pub paused: Option<String>,
}

impl Health {
    /// Its fields by their names, in order, without `managed` and what is an issue too.
    fn fields(&self) -> Vec<(String, Value)> {
        let mut fields = vec![
            ("healthy", self.healthy.into()),
            (
                "health_issues",
                self.health_issues
                    .iter()
                    .map(|issue| Value::from(format!("{}; {}", issue.problem, issue.remedy)))
                    .collect(),
            ),
            ("app_version", self.app_version.clone().into()),
            ("log_level", self.log_level.clone().into()),
            ("profile", self.profile.clone().into()),
            ("supplementary_events_subsystem", self.supplementary_events_subsystem.clone().into()),
            ("ebpf_status", self.ebpf_status.into()),
            ("ebpf_reason", self.ebpf_reason.clone().into()),
            (
                "ebpf_supplementary_event_provider",
                self.ebpf_supplementary_event_provider.clone().into(),
            ),
        ];
        fields.extend([
            ("events_received", self.events_received.into()),
            ("events_excluded", self.events_excluded.into()),
            ("events_lost", self.events_lost.into()),
            ("events_suppressed", self.events_suppressed.into()),
            ("records_sent", self.records_sent.into()),
            ("records_shed", self.records_shed.into()),
            ("hooks_attached", self.hooks_attached.into()),
            ("programs_detaching", self.programs_detaching.into()),
            ("hooks_missing", self.hooks_missing.clone().into()),
            ("blind_spots", self.blind_spots.clone().into()),
            ("exclusions", self.exclusions.into()),
            ("syslog_receiver", self.syslog_receiver.clone().into()),
            ("syslog_status", self.syslog_status.clone().into()),
            ("spooled_bytes", self.spooled_bytes.into()),
            ("kernel", self.kernel.clone().into()),
            ("distribution", self.distribution.clone().into()),
            ("uptime", self.uptime.into()),
            ("provider_since", self.provider_since.into()),
            ("rss_kib", Value::from(self.rss_kib)),
        ]);
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The value of one field, as [`text`](Health::text) has it, without its mark.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find(|(own, _)| own == name).map(|(_, value)| shown(&value))
    }

    /// The names of all fields.
    pub fn names() -> Vec<String> {
        Health::default().fields().into_iter().map(|(name, _)| name).collect()
    }

    /// A line a field; what the managed configuration sets is marked.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.fields() {
            let mark = if self.managed.contains(&name) { " [managed]" } else { "" };
            text += &lines::line(&name, &format!("{}{mark}\n", shown(&value)));
        }
        text
    }

    /// One object; a value that the managed configuration sets is an object itself, as in the
    /// model. `EBPF STATUS` is what inventories ask for.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        for (name, value) in self.fields() {
            let value = match name.as_str() {
                "health_issues" => serde_json::to_value(&self.health_issues).unwrap_or_default(),
                _ => value,
            };
            let value = if self.managed.contains(&name) {
                serde_json::json!({"value": value, "managed": true})
            } else {
                value
            };
            object.insert(lines::camel_case(&name), value);
        }
        object.insert("EBPF STATUS".to_owned(), self.ebpf_status.into());
        Value::Object(object)
    }
}

/// A [`Value`] has no key that is no text, which is all that can fail.
fn shown(value: &Value) -> String {
    lines::shown(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health {
            healthy: true,
            supplementary_events_subsystem: "ebpf".into(),
            ebpf_status: true,
            hooks_attached: 54,
            managed: vec!["ebpf_supplementary_event_provider".into()],
            ebpf_supplementary_event_provider: "enabled".into(),
            ..Health::default()
        }
    }

    #[test]
    fn r5_the_layout_is_the_models() {
        let text = health().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "healthy                                     : true");
        assert_eq!(lines[1], "health_issues                               : []");
        assert!(
            lines.contains(&"supplementary_events_subsystem              : \"ebpf\""),
            "{text}"
        );
        assert!(
            lines.contains(&"ebpf_supplementary_event_provider           : \"enabled\" [managed]")
        );
    }

    #[test]
    fn r9_inventories_find_ebpf_status() {
        let json = health().json();
        assert_eq!(json["EBPF STATUS"], true);
        assert_eq!(json["ebpfStatus"], true);
        assert_eq!(json["hooksAttached"], 54);
        let managed = serde_json::json!({"value": "enabled", "managed": true});
        assert_eq!(json["ebpfSupplementaryEventProvider"], managed);
    }

    #[test]
    fn one_field_is_its_value() {
        let health = health();
        assert_eq!(health.field("supplementary_events_subsystem").unwrap(), "\"ebpf\"");
        assert_eq!(health.field("hooks_attached").unwrap(), "54");
        assert_eq!(health.field("managed"), None);
    }

    #[test]
    fn every_issue_comes_with_its_remedy() {
        let mut health = health();
        health.health_issues =
            vec![Issue { problem: "it is dark".into(), remedy: "light a lamp".into() }];
        assert_eq!(health.field("health_issues").unwrap(), "[\"it is dark; light a lamp\"]");
        assert_eq!(health.json()["healthIssues"][0]["remedy"], "light a lamp");
    }
}
