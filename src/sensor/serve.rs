//! What is asked through the control socket, and the answers.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mio::Token;

use super::{Sensor, SensorError, Watching};
use crate::config::local::is_same_path;
use crate::config::{Added, Local, LocalError, MergePolicy};
use crate::control::server::{Asked, ClientId};
use crate::control::{AttachedProgram, Diagnostic, Explained, ListedExclusion, Reply, Request};
use crate::exit;
use crate::explain::or_shortage;
use crate::filter::{Origin, RuleError, RuleKind, Subject};
use crate::health::Issue;
use crate::host::provider::Wanted;
use crate::limits::{STATISTICS_SECONDS, STATISTICS_TOP};
use crate::say;
use crate::sink::RAISE_FILE_SIZE;

/// Who asks, for the log.
fn by(asked: &Asked) -> String {
    format!("process {} of user {}", asked.pid, asked.uid)
}

impl Sensor {
    /// Acts on readiness of the socket or of a client.
    pub(super) fn serve(&mut self, token: Token) -> Result<(), SensorError> {
        match self.server.ready(self.poll.registry(), token) {
            Some(asked) => self.answer(asked),
            None => Ok(()),
        }
    }

    pub(super) fn reply(&mut self, client: ClientId, reply: &Reply, stays: bool) {
        self.server.reply(self.poll.registry(), client, reply, stays);
    }

    fn answer(&mut self, asked: Asked) -> Result<(), SensorError> {
        say::debug(format_args!("process {} asks: {:?}", asked.pid, asked.request));
        let reply = match &asked.request {
            Request::Health {} => Reply::Health(Box::new(self.health())),
            Request::Provider { value } => self.set_provider(&asked, *value)?,
            Request::ExclusionAdd { kind, path, children } => {
                self.add_exclusion(&asked, *kind, path, *children)?
            }
            Request::ExclusionRemove { kind, path } => {
                self.remove_exclusion(&asked, *kind, path)?
            }
            Request::ExclusionList {} => Reply::Exclusions(self.exclusions()),
            Request::ExclusionTest { path, process } => self.explain_exclusion(path, *process),
            Request::Diagnostic {} => Reply::Diagnostic(Box::new(self.diagnostic())),
            Request::Statistics { seconds, top } => {
                match self.begin_watch(&asked, *seconds, *top)? {
                    Some(reply) => reply,
                    None => return Ok(()),
                }
            }
            Request::Pause { limit_seconds } => return self.pause(&asked, *limit_seconds),
            Request::Resume {} => return self.end_pause(&asked),
        };
        self.reply(asked.client, &reply, false);
        Ok(())
    }

    /// Makes sure that this sensor alone sets something, beginning with what was set last; or says
    /// why it cannot.
    fn claim(&mut self) -> Result<Option<Reply>, SensorError> {
        if self.settings.claim_to_set() {
            self.reload()?;
        }
        let code = if self.settings.holder().is_some() { exit::TEMPFAIL } else { exit::IOERR };
        Ok(self.settings.unclaimed_issue().map(|Issue { problem, remedy }| {
            Reply::refused(format!("nothing was changed: {problem}; {remedy}"), code)
        }))
    }

    /// Keeps local settings, or says why not.
    fn keep(&mut self, local: Local) -> Result<(), Reply> {
        self.settings.set_local(local).map_err(|error| {
            let path = self.settings.local_path();
            let remedy = match error.kind() {
                ErrorKind::FileTooLarge => RAISE_FILE_SIZE.to_owned(),
                _ => or_shortage(
                    error.raw_os_error(),
                    "make room or name another directory with --state-dir",
                ),
            };
            let message = format!(
                "nothing was changed: {} could not be written ({error}); {remedy}",
                path.display()
            );
            Reply::refused(message, exit::IOERR)
        })
    }

    fn set_provider(&mut self, asked: &Asked, wanted: Wanted) -> Result<Reply, SensorError> {
        if self.settings.config.provider_managed {
            let message = format!(
                "the provider is set by the managed configuration, which wins; change \
                 features.ebpfSupplementaryEventProvider in {}",
                self.settings.managed_path().display()
            );
            return Ok(Reply::refused(message, exit::CONFIG));
        }
        if let Some(refused) = self.claim()? {
            return Ok(refused);
        }
        let before = self.settings.local.clone();
        if let Err(reply) = self.keep(Local { provider: Some(wanted), ..before.clone() }) {
            return Ok(reply);
        }
        say::say(format_args!("eBPF is to be {} by command of {}", wanted.name(), by(asked)));
        if let Some(pause) = &self.pause {
            let note = format!("{}; this takes effect when that ends", pause.sentence());
            return Ok(Reply::Done(vec![note]));
        }
        match self.apply_provider()? {
            Ok(()) if wanted == Wanted::Netlink => Ok(Reply::Done(self.detaching_note())),
            Ok(()) => Ok(Reply::Done(Vec::new())),
            // It is wanted, and tried again at the next start.
            Err(issue) if wanted == Wanted::Ebpf => Ok(Reply::Done(vec![format!(
                "the process connector goes on: {}; {}",
                issue.problem, issue.remedy
            )])),
            Err(issue) => {
                let message = format!("{}; {}", issue.problem, issue.remedy);
                // What was set before is set again, if the file can still be written.
                let kept = match self.settings.set_local(before) {
                    Ok(()) => String::new(),
                    Err(error) => format!(
                        ". It stays disabled in {}, which could not be written: {error}",
                        self.settings.local_path().display()
                    ),
                };
                let message = format!("{message}{kept}");
                say::warn(format_args!("{message}"));
                Ok(Reply::refused(message, exit::UNAVAILABLE))
            }
        }
    }

    fn detaching_note(&self) -> Vec<String> {
        let note = |count| {
            format!(
                "{count} programs are being detached, which takes some seconds; mote health \
                 --field programs_detaching tells how many are left"
            )
        };
        Some(self.providers.detaching()).filter(|count| *count > 0).map(note).into_iter().collect()
    }

    /// Why local exclusions cannot be changed.
    fn only_managed(&self) -> Option<Reply> {
        (self.settings.config.merge_policy == MergePolicy::AdminOnly).then(|| {
            let message = format!(
                "local exclusions are not used, because the managed configuration has mergePolicy \
                 admin_only; change exclusionSettings in {}",
                self.settings.managed_path().display()
            );
            Reply::refused(message, exit::CONFIG)
        })
    }

    fn add_exclusion(
        &mut self,
        asked: &Asked,
        kind: RuleKind,
        path: &str,
        children: bool,
    ) -> Result<Reply, SensorError> {
        if let Some(refused) = self.only_managed() {
            return Ok(refused);
        }
        if let Some(refused) = self.claim()? {
            return Ok(refused);
        }
        let added = match self.keep_exclusion(kind, path, children) {
            Ok(added) => added,
            Err(reply) => return Ok(reply),
        };
        self.apply_filter()?;
        let with = if children { " with what it starts" } else { "" };
        say::say(format_args!("{kind} exclusion of {path:?}{with} added by {}", by(asked)));
        let mut notes = Vec::new();
        if added == Added::Children {
            notes.push("it was excluded already; what it starts is excluded now too".to_owned());
        }
        // It is the one, or there was one before.
        if let Some(Issue { problem, remedy }) = &self.settings.config.blinding {
            notes.push(format!("warning: {problem}; {remedy}"));
        }
        Ok(Reply::Done(notes))
    }

    fn keep_exclusion(
        &mut self,
        kind: RuleKind,
        path: &str,
        children: bool,
    ) -> Result<Added, Reply> {
        let mut local = self.settings.local.clone();
        let added = local
            .add_rule(kind, path, children)
            .map_err(|error| Reply::refused(format!("{error}; {}", error.remedy()), exit::USAGE))?;
        // Beside the managed ones it may be one too many.
        if self.settings.merged_with(&local).problems != self.settings.config.problems {
            let error = RuleError::TooMany;
            let message = format!("nothing was changed: {error}; {}", error.remedy());
            return Err(Reply::refused(message, exit::USAGE));
        }
        self.keep(local)?;
        Ok(added)
    }

    fn remove_exclusion(
        &mut self,
        asked: &Asked,
        kind: RuleKind,
        path: &str,
    ) -> Result<Reply, SensorError> {
        if let Some(refused) = self.claim()? {
            return Ok(refused);
        }
        let mut local = self.settings.local.clone();
        if let Err(error) = local.remove_rule(kind, path) {
            return Ok(self.not_removed(kind, path, &error));
        }
        if let Err(reply) = self.keep(local) {
            return Ok(reply);
        }
        self.apply_filter()?;
        say::say(format_args!("{kind} exclusion of {path:?} removed by {}", by(asked)));
        Ok(Reply::Done(Vec::new()))
    }

    fn not_removed(&self, kind: RuleKind, path: &str, error: &LocalError) -> Reply {
        let is_it = |rule: &crate::filter::Rule| {
            rule.kind == kind && is_same_path(&String::from_utf8_lossy(&rule.path), path)
        };
        let other = self.settings.config.filter.rules().find(|(rule, _)| is_it(rule));
        let (message, code) = match other.map(|(rule, _)| rule.origin) {
            Some(Origin::Managed) => (
                format!(
                    "the {kind} {path:?} is excluded by the managed configuration; remove it from \
                     {}",
                    self.settings.managed_path().display()
                ),
                exit::CONFIG,
            ),
            Some(Origin::Default) => (
                format!(
                    "the {kind} {path:?} is excluded by default on every host, and cannot be \
                     removed; nothing can be hidden in it"
                ),
                exit::USAGE,
            ),
            _ => (format!("{error}; {}", error.remedy()), exit::USAGE),
        };
        Reply::refused(message, code)
    }

    fn exclusions(&self) -> Vec<ListedExclusion> {
        let listed = |(rule, hits): (&crate::filter::Rule, u64)| ListedExclusion {
            kind: rule.kind,
            path: String::from_utf8_lossy(&rule.path).into_owned(),
            origin: rule.origin.name().to_owned(),
            children: rule.children,
            hits,
        };
        self.pipeline.filter().rules().map(listed).collect()
    }

    fn explain_exclusion(&self, path: &str, process: bool) -> Reply {
        let path = path.as_bytes();
        let subject = if process { Subject::Process(path) } else { Subject::Path(path) };
        match self.pipeline.filter().explain(subject) {
            Ok(explanation) => Reply::Explanation(Explained {
                excluded: explanation.rule.is_some(),
                sentence: explanation.sentence,
            }),
            Err(error) => Reply::refused(format!("{error}; {}", error.remedy()), exit::USAGE),
        }
    }

    /// `None`: the answer comes when the time is over.
    fn begin_watch(
        &mut self,
        asked: &Asked,
        seconds: u32,
        top: u32,
    ) -> Result<Option<Reply>, SensorError> {
        if !(1..=STATISTICS_SECONDS).contains(&seconds) || !(1..=STATISTICS_TOP).contains(&top) {
            let message = format!(
                "statistics are watched for 1 to {STATISTICS_SECONDS} seconds, and 1 to \
                 {STATISTICS_TOP} of each are told; give it another --time or --top"
            );
            return Ok(Some(Reply::refused(message, exit::USAGE)));
        }
        if let Some(watch) = &self.watch {
            let message = format!(
                "process {} watches already, for {} s; try again when that is over",
                watch.pid, watch.seconds
            );
            return Ok(Some(Reply::refused(message, exit::TEMPFAIL)));
        }
        // What was before is not of this watch.
        self.drain_all(false)?;
        self.providers.read_losses(&mut self.pipeline);
        self.providers.read_unsent_calls(&mut self.pipeline);
        self.pipeline.begin_watch();
        let began = Instant::now();
        let provider = self.providers.active();
        let Asked { client, pid, .. } = *asked;
        self.watch = Some(Watching { client, pid, began, seconds, top, provider });
        Ok(None)
    }

    /// Ends a watch whose time is over, or whose client is gone.
    pub(super) fn look_after_watch(&mut self, now: Instant) -> Result<(), SensorError> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let is_there = self.server.is_connected(watch.client);
        if is_there && now < watch.began + Duration::from_secs(watch.seconds.into()) {
            return Ok(());
        }
        let Some(Watching { client, seconds, top, provider, .. }) = self.watch.take() else {
            return Ok(());
        };
        self.drain_all(false)?;
        self.providers.read_losses(&mut self.pipeline);
        self.providers.read_unsent_calls(&mut self.pipeline);
        if let Some(watch) = self.pipeline.end_watch() {
            let mut statistics = watch.statistics(seconds, top as usize);
            statistics.subsystems = vec![provider.name().to_owned()];
            let last = self.providers.active();
            if last != provider {
                statistics.subsystems.push(last.name().to_owned());
            }
            self.reply(client, &Reply::Statistics(Box::new(statistics)), false);
        }
        Ok(())
    }

    fn diagnostic(&self) -> Diagnostic {
        let programs = self.providers.ebpf().into_iter().flat_map(|ebpf| ebpf.programs());
        Diagnostic {
            health: self.health(),
            exclusions: self.exclusions(),
            programs: programs
                .map(|attached| AttachedProgram {
                    hook: attached.hook.to_string(),
                    program: attached.hook.program.to_owned(),
                    id: attached.id.unwrap_or(0),
                })
                .collect(),
            log: say::log(),
            managed_file: self.settings.managed_path().display().to_string(),
            local_file: self.settings.local_path().display().to_string(),
            pid: std::process::id(),
        }
    }
}
