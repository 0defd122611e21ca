//! The report for people.

use std::fmt::{self, Display, Formatter};

use super::report::Report;
use crate::explain::{self, audit, connector};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.verdict(f)?;
        self.instead(f)?;
        for fact in &self.facts {
            writeln!(f, "{fact}")?;
        }
        self.rules(f)?;
        self.live_patches(f)
    }
}

impl Report {
    fn verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let says = match self.ebpf {
            Some(true) => "eBPF runs here",
            Some(false) => "eBPF does not run here",
            None => "It is not known whether eBPF runs here",
        };
        match (&self.reason, &self.remedy) {
            (Some(reason), Some(remedy)) => writeln!(f, "{says}: {reason}; {remedy}"),
            _ => writeln!(f, "{says}"),
        }
    }

    /// What runs instead.
    fn instead(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.ebpf == Some(true) {
            if !self.ebpf_disabled {
                return Ok(());
            }
            writeln!(f, "But {}", explain::DISABLED)?;
        }
        let answer = &self.process_connector;
        let reason = answer.reason.as_deref().unwrap_or_default();
        let remedy = answer.remedy.as_deref().unwrap_or_default();
        match answer.runs {
            _ if self.ends => writeln!(
                f,
                "mote run ends until that is changed: another provider would only hide it"
            ),
            Some(true) => writeln!(f, "And {}", connector::UNSEEN),
            Some(false) if self.ebpf == Some(true) => {
                writeln!(f, "And the netlink process connector does not run: {reason}; {remedy}")
            }
            Some(false) => writeln!(f, "{}", connector::not_either(reason, remedy)),
            // It was said already.
            None if self.ebpf.is_none() => Ok(()),
            None => writeln!(
                f,
                "It is not known whether the netlink process connector runs instead: {reason}; \
                 {remedy}"
            ),
        }
    }

    fn rules(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rules = self.audit.audit_rules.as_deref().unwrap_or_default();
        let is_immutable = self.audit.audit_immutable == Some(true);
        if rules.is_empty() && !is_immutable {
            return Ok(());
        }
        writeln!(f)?;
        if !rules.is_empty() {
            writeln!(f, "Rules of the kernel's audit that are loaded; the sensor needs none:")?;
        }
        for loaded in rules {
            writeln!(f, "    {}", loaded.rule)?;
            let removal = audit::removal(&loaded.rule, &loaded.files, &loaded.similar_files);
            writeln!(f, "        {removal}")?;
        }
        writeln!(f, "{}", audit::unloading(is_immutable, &self.audit.audit_immutable_files))
    }

    fn live_patches(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Some(advice), Some(line)) = (self.ksplice.advice, self.ksplice.cron_line) else {
            return Ok(());
        };
        let mark = if self.ksplice.known_to_hang { "warning: " } else { "" };
        writeln!(f, "\n{mark}{advice}:\n    {line}")
    }
}
