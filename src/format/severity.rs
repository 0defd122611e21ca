//! How much an event matters by itself.

use crate::event::Action;

/// By action alone: a sensor tells what was done, and does not judge it. It is for those that sort
/// by it, and says how seldom hosts do such things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// What every host does all the time.
    Informational,
    /// What changes what a process may do or see.
    Low,
    /// What changes the kernel, another process, or what the sensor can tell.
    Medium,
}

impl Severity {
    pub fn of(action: Action) -> Severity {
        match action {
            Action::Setuid
            | Action::Setgid
            | Action::Mount
            | Action::Umount
            | Action::Unshare
            | Action::Setns
            | Action::ClockSet => Severity::Low,
            Action::Ptrace
            | Action::ModuleLoad
            | Action::ModuleUnload
            | Action::BpfLoad
            | Action::KexecLoad
            | Action::Kill
            | Action::Loss
            | Action::Pause => Severity::Medium,
            Action::Exec
            | Action::Fork
            | Action::Exit
            | Action::Setsid
            | Action::MemfdCreate
            | Action::IoUring
            | Action::Open
            | Action::Rename
            | Action::Unlink
            | Action::Rmdir
            | Action::Link
            | Action::Symlink
            | Action::Mkdir
            | Action::Mknod
            | Action::Chmod
            | Action::Chown
            | Action::Truncate
            | Action::Utime
            | Action::Setxattr
            | Action::Connect
            | Action::Bind
            | Action::Listen
            | Action::Accept
            | Action::Send
            | Action::Heartbeat
            | Action::Capability
            | Action::Resume => Severity::Informational,
        }
    }

    /// `severity_id` of OCSF.
    pub fn ocsf(self) -> u32 {
        match self {
            Severity::Informational => 1,
            Severity::Low => 2,
            Severity::Medium => 3,
        }
    }

    /// Of CEF: 0 to 3 are low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
    pub fn cef(self) -> u8 {
        match self {
            Severity::Informational => 1,
            Severity::Low => 3,
            Severity::Medium => 5,
        }
    }
}
