//! Which of Sysmon's events an event is.

use crate::event::{Action, Event, Given};
use crate::format::flags::{Creates, TMPFILE_BIT};
use crate::format::meaning::internet;
use crate::format::outcome::Outcome;

/// Sysmon's events in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ProcessCreate,
    NetworkConnect,
    ProcessTerminate,
    /// With the process that is accessed.
    ProcessAccess(u32),
    FileCreate,
    FileDelete,
    BpfLoad,
    Error,
}

impl Kind {
    /// `None`: Sysmon has none like it.
    pub fn of(event: &Event) -> Option<Kind> {
        let outcome = Outcome::of(event);
        let did = |kind| (outcome != Outcome::Failure).then_some(kind);
        match event.action {
            Action::Exec if outcome == Outcome::Success => Some(Kind::ProcessCreate),
            Action::Exit => Some(Kind::ProcessTerminate),
            Action::Connect | Action::Send | Action::Accept => {
                event.peer.and_then(internet).and(did(Kind::NetworkConnect))
            }
            Action::Ptrace => match event.given {
                Some(Given::Process(pid)) => did(Kind::ProcessAccess(pid)),
                _ => None,
            },
            // A file without a name has no name that could be told.
            Action::Open if event.call_flags.is_some_and(|flags| flags & TMPFILE_BIT != 0) => None,
            Action::Open => match Creates::of(event.call_flags.unwrap_or(0)) {
                Creates::Proven | Creates::Perhaps => did(Kind::FileCreate),
                Creates::Not => None,
            },
            Action::Mknod | Action::Link | Action::Symlink => did(Kind::FileCreate),
            Action::Unlink => did(Kind::FileDelete),
            Action::BpfLoad => did(Kind::BpfLoad),
            Action::Loss => Some(Kind::Error),
            _ => None,
        }
    }

    /// `EventID`, and the version of its fields.
    pub fn id_and_version(self) -> (u32, u32) {
        match self {
            Kind::ProcessCreate => (1, 5),
            Kind::NetworkConnect => (3, 5),
            Kind::ProcessTerminate => (5, 3),
            Kind::ProcessAccess(_) => (10, 3),
            Kind::FileCreate => (11, 2),
            Kind::FileDelete => (23, 5),
            Kind::BpfLoad => (100, 1),
            Kind::Error => (255, 3),
        }
    }

    /// 2 error, 4 information.
    pub fn level(self) -> u32 {
        match self {
            Kind::Error => 2,
            _ => 4,
        }
    }
}
