//! Why the kernel's audit is not known.

use std::fmt;
use std::io;

use crate::say;

/// Why the kernel's audit is not known.
#[derive(Debug)]
pub enum AuditError {
    /// `CAP_AUDIT_CONTROL` is missing, or this is not the first namespace of process ids
    /// (linux `kernel/audit.c`, `audit_netlink_ok`).
    Permission,
    /// Nobody answers in this namespace of users or networks (there too).
    Namespace,
    /// The kernel was built without it, or booted with `audit=0`: there are no rules.
    Absent,
    /// The kernel does not answer.
    Timeout,
    /// The answer is not what the kernel's headers say: which part of it.
    Malformed(&'static str),
    /// It has more rules than are read.
    TooMany,
    /// A system call that should not fail did: what it was for.
    Call(&'static str, io::Error),
}

impl AuditError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            AuditError::Permission => {
                "ask as root, on the host (CAP_AUDIT_CONTROL, and the host's process ids)"
            }
            AuditError::Namespace => "ask on the host, with its user ids and its network",
            AuditError::Absent => "nothing is to be done",
            AuditError::Timeout => "try again",
            AuditError::TooMany => "list them with auditctl -l",
            AuditError::Malformed(_) | AuditError::Call(..) => say::REPORT,
        }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuditError::Permission => "asking the kernel's audit is not permitted",
            AuditError::Namespace => {
                "this is a container with user ids or a network of its own, in which the kernel's \
                 audit does not answer"
            }
            AuditError::Absent => "this kernel has no audit, or was booted with audit=0",
            AuditError::Timeout => "the kernel's audit does not answer",
            AuditError::TooMany => "the kernel's audit has more rules than are read",
            AuditError::Malformed(what) => {
                return write!(f, "the kernel's audit answers with {what} that cannot be read");
            }
            AuditError::Call(what, error) => return write!(f, "could not {what}: {error}"),
        })
    }
}

impl std::error::Error for AuditError {}
