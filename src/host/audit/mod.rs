//! What the kernel's audit does: asked of the kernel itself, since a host that has rules need
//! not have auditctl any more.

mod error;
pub(crate) mod files;
pub(crate) mod names;
mod record_types;
mod rule;
#[cfg(test)]
pub(crate) mod rule_tests;
mod show;
#[cfg(test)]
mod show_tests;
mod socket;
pub(crate) mod wire;

pub use error::AuditError;
pub use files::RuleFiles;
pub use rule::{Field, Rule};
pub use socket::read;

/// `struct audit_status` (linux `include/uapi/linux/audit.h`), as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether events are recorded.
    pub enabled: Enabled,
    /// The daemon that takes them; 0 if there is none.
    pub daemon_pid: u32,
    /// Records that were lost since the boot.
    pub lost: u32,
    /// Records that wait.
    pub backlog: u32,
}

/// `audit_enabled` (linux `kernel/audit.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// Nothing is recorded, whatever the rules say.
    No,
    /// Events are recorded.
    Yes,
    /// And nobody can change that, or a rule, until the next boot (`AUDIT_LOCKED`).
    Immutable,
}

/// The state of the kernel's audit.
#[derive(Debug)]
pub struct Audit {
    /// What it does.
    pub status: Status,
    /// Its rules, in the order in which `auditctl -l` lists them.
    pub rules: Vec<Rule>,
}
