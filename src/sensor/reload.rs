//! What a running sensor does with other settings.

use super::{Fallback, Sensor, SensorError};
use crate::explain;
use crate::health::Issue;
use crate::host::provider::Wanted;
use crate::record::Provider;
use crate::say::{say, warn};

impl Sensor {
    /// Reads the configuration again, and does what it says.
    pub(super) fn reload(&mut self) -> Result<(), SensorError> {
        let was_there = self.settings.is_managed();
        self.settings.read_again();
        if was_there && !self.settings.is_managed() {
            warn(format_args!(
                "the configuration {} is gone: nothing is managed any more; put it back, if it \
                 was to be there",
                self.settings.managed_path().display()
            ));
        }
        for Issue { problem, remedy } in self.settings.issues() {
            warn(format_args!("{problem}; {remedy}"));
        }
        if self.settings.managed_issue.is_none() {
            if let Some(sentence) = self.settings.unused_keys() {
                say(format_args!("{sentence}"));
            }
            say(format_args!(
                "the configuration was read again: {} exclusions",
                self.settings.config.filter.rules().count()
            ));
        }
        self.apply_filter()?;
        if let Err(problem) = self.apply_provider()? {
            warn(format_args!("{}; {}", problem.problem, problem.remedy));
        }
        Ok(())
    }

    /// Takes over the exclusions of the configuration. For what happened before, those of then
    /// count.
    pub(super) fn apply_filter(&mut self) -> Result<(), SensorError> {
        self.drain_all(false)?;
        self.providers.read_losses(&mut self.pipeline);
        let filter = self.settings.filter();
        let rules = filter.rules().map(|(rule, _)| rule);
        let changes = !rules.eq(self.pipeline.filter().rules().map(|(rule, _)| rule));
        self.pipeline.set_filter(filter);
        self.push_exclusions();
        if changes {
            // Even if there are as many as before, and at once: it may be taken back in a moment.
            self.capability = None;
            self.tell_capability();
        }
        Ok(())
    }

    /// Takes over the provider of the configuration. The inner error: it does not run.
    pub(super) fn apply_provider(&mut self) -> Result<Result<(), Issue>, SensorError> {
        // It takes over when the pause ends.
        if self.pause.is_some() {
            return Ok(Ok(()));
        }
        let before = self.providers.active();
        let result = match (self.settings.wanted(), self.providers.fallback()) {
            (Wanted::Ebpf, None) | (Wanted::Netlink, Some(Fallback::Disabled)) => {
                return Ok(Ok(()));
            }
            // What is not for this kernel is not tried again.
            (Wanted::Ebpf, Some(Fallback::Unsupported(_))) => Ok(()),
            (Wanted::Ebpf, Some(_)) => self.enable_ebpf(),
            (Wanted::Netlink, _) => self.disable_ebpf(Fallback::Disabled),
        };
        match result {
            Ok(()) => {}
            Err(SensorError::NoProvider(_, error)) => {
                let remedy = explain::connector::remedy(&error);
                return Ok(Err(Issue {
                    problem: format!(
                        "eBPF goes on, because the process connector does not run: {error}"
                    ),
                    remedy: format!("{remedy}, or end the sensor"),
                }));
            }
            Err(error) => return Err(error),
        }
        if self.providers.active() != before {
            self.say_provider();
            self.beat();
        }
        Ok(match self.providers.fallback() {
            Some(fallback) if self.settings.wanted() == Wanted::Ebpf => {
                Err(explain::fallback(fallback))
            }
            _ => Ok(()),
        })
    }

    pub(super) fn enable_ebpf(&mut self) -> Result<(), SensorError> {
        let registry = self.poll.registry();
        self.providers.enable_ebpf(registry, &mut self.pipeline, &mut self.sinks)?;
        self.push_exclusions();
        Ok(())
    }

    pub(super) fn disable_ebpf(&mut self, why: Fallback) -> Result<(), SensorError> {
        let registry = self.poll.registry();
        self.providers.disable_ebpf(why, registry, &mut self.pipeline, &mut self.sinks)
    }

    pub(super) fn say_provider(&self) {
        match (self.providers.active(), self.providers.fallback()) {
            (Provider::Netlink, Some(fallback)) => say(format_args!(
                "the netlink process connector runs now: {}",
                explain::fallback(fallback).problem
            )),
            _ => say(format_args!(
                "eBPF runs now: {} hooks attached",
                self.providers.ebpf().map_or(0, |ebpf| ebpf.attached())
            )),
        }
    }
}
