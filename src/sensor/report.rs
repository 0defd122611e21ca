//! How the sensor is.

use std::time::{Duration, Instant, UNIX_EPOCH};

use super::pause::Pausing;
use super::{Fallback, Sensor, monotonic_ns};
use crate::event::{BlindSpots, Bytes, Capability, Heartbeat, HeartbeatMore, append};
use crate::explain::{self, connector};
use crate::health::{Health, Issue};
use crate::host::ksplice::{self, Ksplice};
use crate::limits::HOSTNAME_BYTES;
use crate::say;
use crate::sink::{Sink, State};
use crate::stats::floods::{Flood, NOBODY};

/// As uname(2) has it now.
pub(super) fn hostname() -> Bytes<HOSTNAME_BYTES> {
    let mut name = Bytes::new();
    append(&mut name, rustix::system::uname().nodename().to_bytes());
    name
}

/// For how long a loss is a problem of now.
const LOSS_MATTERS: Duration = Duration::from_secs(600);

impl Sensor {
    /// Records from now on have the name that the host has now.
    pub(super) fn look_at_hostname(&mut self) {
        let hostname = hostname();
        if hostname != self.hostname {
            self.pipeline.set_hostname(&hostname, &mut self.sinks);
            self.sinks.set_hostname(&String::from_utf8_lossy(&hostname));
            self.hostname = hostname;
        }
    }

    /// Says what is seen from now on, if that is not what was said.
    pub(super) fn tell_capability(&mut self) {
        let capability = self.capability();
        if self.capability.replace(capability) != Some(capability) {
            let missing = self.providers.ebpf().map_or(&[][..], |ebpf| ebpf.missing());
            self.pipeline.write_capability(capability, missing, &mut self.sinks);
            self.manager.status(&in_short(&capability));
        }
    }

    /// Says that the sensor lives, now and then every so often.
    pub(super) fn beat(&mut self) {
        self.tell_capability();
        self.next_heartbeat = Instant::now() + self.heartbeat_interval;
        let heartbeat = self.heartbeat();
        self.pipeline.write_heartbeat(heartbeat, &mut self.sinks);
    }

    fn heartbeat(&self) -> Heartbeat {
        let totals = self.pipeline.totals();
        Heartbeat {
            ebpf: self.providers.ebpf().is_some(),
            received: totals.received,
            excluded: totals.excluded,
            lost: totals.lost,
            sent: self.sinks.sent_events(),
            more: Some(HeartbeatMore {
                hooks: self.hooks(),
                suppressed: totals.suppressed,
                interval_s: self.heartbeat_interval.as_secs() as u32,
            }),
        }
    }

    /// What is seen now.
    fn capability(&self) -> Capability {
        let options = self.providers.options();
        let ebpf = self.providers.ebpf();
        Capability {
            ebpf: ebpf.is_some(),
            hooks: self.hooks(),
            exclusions: self.pipeline.filter().rules().count() as u32,
            bulk_budget: options.bulk_budget,
            send_window_s: options.send_window.as_secs() as u32,
            blind_spots: match ebpf {
                Some(ebpf) => explain::blind_spots(ebpf)
                    .fold(BlindSpots::default(), |spots, (spot, _)| spots.union(spot)),
                None => BlindSpots::ALL_BUT_PROCESSES,
            },
        }
    }

    /// How many are attached.
    fn hooks(&self) -> u32 {
        self.providers.ebpf().map_or(0, |ebpf| ebpf.attached() as u32)
    }

    /// Everything that `mote health` tells.
    pub(super) fn health(&self) -> Health {
        let totals = self.pipeline.totals();
        let ebpf = self.providers.ebpf();
        let reason = self.providers.fallback().map(explain::fallback);
        let health_issues = self.issues();
        let each = |text: &dyn Fn(&Sink) -> String| {
            self.sinks.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        let managed = self
            .settings
            .config
            .provider_managed
            .then(|| vec!["ebpf_supplementary_event_provider".to_owned()]);
        Health {
            healthy: health_issues.is_empty(),
            health_issues,
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            log_level: say::level().name().to_owned(),
            profile: self.profile.name().to_owned(),
            supplementary_events_subsystem: self.providers.active().name().to_owned(),
            ebpf_status: ebpf.is_some(),
            ebpf_reason: reason
                .map_or(String::new(), |issue| format!("{}; {}", issue.problem, connector::UNSEEN)),
            ebpf_supplementary_event_provider: self.settings.wanted().name().to_owned(),
            events_received: totals.received,
            events_excluded: totals.excluded,
            events_lost: totals.lost,
            events_suppressed: totals.suppressed,
            records_sent: self.sinks.sent_events(),
            records_shed: totals.shed,
            hooks_attached: self.hooks().into(),
            programs_detaching: self.providers.detaching() as u64,
            hooks_missing: ebpf.map_or(Vec::new(), |ebpf| ebpf.missing().to_vec()),
            blind_spots: match ebpf {
                Some(ebpf) => {
                    explain::blind_spots(ebpf).map(|(_, sentence)| sentence.to_owned()).collect()
                }
                None => vec![connector::UNSEEN.to_owned()],
            },
            exclusions: self.pipeline.filter().rules().count() as u64,
            syslog_receiver: each(&|sink| sink.receiver().to_string()),
            syslog_status: each(&status),
            spooled_bytes: self.sinks.iter().filter_map(Sink::spooled_bytes).sum(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            distribution: self.distribution.title(),
            uptime: self.started.elapsed().as_secs(),
            provider_since: self
                .providers
                .since()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            rss_kib: rss_kib().unwrap_or(0),
            managed: managed.unwrap_or_default(),
            paused: self.pause.as_ref().map(Pausing::sentence),
        }
    }

    fn issues(&self) -> Vec<Issue> {
        let mut issues: Vec<Issue> = self.settings.issues().cloned().collect();
        // What cannot be written need not be: it says so when something is to be set.
        if self.settings.holder().is_some() {
            issues.extend(self.settings.unclaimed_issue());
        }
        if let Some(pause) = &self.pause {
            issues.push(Issue {
                problem: format!("{}: files and connections are not seen", pause.sentence()),
                remedy: "wait until its command has ended".to_owned(),
            });
        }
        match self.providers.fallback() {
            // As it was asked for.
            None | Some(Fallback::Disabled | Fallback::Paused) => {}
            Some(fallback) => issues.push(explain::fallback(fallback)),
        }
        if let Some(problem) = self.source_lacking.said() {
            issues.push(Issue {
                problem: problem.to_owned(),
                remedy: "it is tried again every second; if it stays, start the sensor again"
                    .to_owned(),
            });
        }
        for sink in self.sinks.iter() {
            let receiver = sink.receiver();
            if let state @ State::Down(_) = sink.state() {
                issues.push(Issue {
                    problem: format!(
                        "records cannot be delivered to {receiver} ({})",
                        status(sink)
                    ),
                    remedy: state.remedy().to_owned(),
                });
            }
            if let Some(error) = sink.spool_error() {
                issues.push(Issue {
                    problem: format!("records for {receiver} are not kept on disk: {error}"),
                    remedy: error.remedy().to_owned(),
                });
            }
        }
        if self.lost_at.is_some_and(|at| Instant::now() < at + LOSS_MATTERS) {
            issues.push(Issue {
                problem: format!(
                    "events were lost in the last ten minutes, {} since the start",
                    self.lost
                ),
                remedy: "see the loss events for where; exclude what floods (mote diagnostic \
                         ebpf-statistics tells what it is), or make the receiver faster"
                    .to_owned(),
            });
        }
        let matters_from_ns = monotonic_ns().saturating_sub(LOSS_MATTERS.as_nanos() as u64);
        let floods = self.pipeline.floods().iter();
        let budget = self.providers.options().bulk_budget;
        issues.extend(
            floods.filter(|flood| flood.at_ns >= matters_from_ns).map(|f| flooding(f, budget)),
        );
        if ksplice::is_known_to_hang(&self.distribution)
            && let Some(advice) = Ksplice::read().advice(&self.distribution)
        {
            issues.push(Issue {
                problem: advice.sentence.to_owned(),
                remedy: advice.cron_line.to_owned(),
            });
        }
        issues
    }
}

/// What is seen, as `systemctl status` shows it.
fn in_short(capability: &Capability) -> String {
    let Capability { hooks, exclusions, .. } = capability;
    match capability.ebpf {
        true => format!("eBPF, {hooks} hooks, {exclusions} exclusions"),
        false => "only processes are seen (process connector); mote health says why".to_owned(),
    }
}

/// How delivery stands.
fn status(sink: &Sink) -> String {
    match sink.state() {
        State::Ready => "ready".to_owned(),
        State::Connecting => "connecting".to_owned(),
        State::Closed => "closed".to_owned(),
        State::Down(error) => std::io::Error::from(error).to_string(),
    }
}

/// A process that had more events than its budget, of so many a second.
fn flooding(flood: &Flood, budget: u32) -> Issue {
    let Flood { pid, executable, events, .. } = flood;
    let who = match (*pid, String::from_utf8_lossy(executable)) {
        (NOBODY, _) => "other processes".to_owned(),
        (pid, path) if path.is_empty() => format!("process {pid}"),
        (pid, path) => format!("process {pid} ({})", path.escape_debug()),
    };
    // The path is not for a command line: whoever floods has chosen it.
    let exclusion = "exclude its program (mote exclusion process add --path)";
    Issue {
        problem: format!(
            "{events} file and network events of {who} were not told, the last of them within ten \
             minutes: there were more than {budget} a second of a process"
        ),
        remedy: format!(
            "look at what it does; if that is its work, {exclusion}, or raise the budget (mote run \
             --bulk-budget)"
        ),
    }
}

/// `VmRSS` of proc_pid_status(5).
fn rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
