//! Who logged in, and the session of a process.
//!
//! Both are kept by events as long as these tell all: setsid(2) is one, and who writes a login uid
//! opens `/proc/self/loginuid` before; nobody else can change it for a process (linux
//! `fs/proc/base.c`, `proc_loginuid_write`). What is written when is not told, so it is looked up:
//! from the opening until the process executes another program, by which time it is written.

use super::proc::Stat;
use super::{Process, Processes};
use crate::event::{Action, Event};

/// Where a login uid is written to, as the end of a path: `/proc/self/loginuid`, or that of a
/// thread.
const LOGIN_UID: &[u8] = b"/loginuid";

/// `O_ACCMODE` and `O_RDONLY` (linux `include/uapi/asm-generic/fcntl.h`).
const O_ACCMODE: u32 = 3;
const O_RDONLY: u32 = 0;

/// `AUDIT_UID_UNSET` and `AUDIT_SID_UNSET` (linux `include/uapi/linux/audit.h`).
const UNSET: u32 = u32::MAX;

/// What is in doubt is looked up again by an event that is so much younger than that of the last
/// look: a process in doubt can have any number of events.
const LOOK_NS: u64 = 100_000_000;

/// What a process has of a login and of a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sessions {
    /// `None`: nobody logged in, or it is not known.
    pub login_uid: Option<u32>,
    /// The same.
    pub audit_session: Option<u32>,
    /// Process id of the leader.
    pub session: Option<u32>,
    /// When the leader began.
    pub session_start: Option<u64>,
    /// While it may change unseen: the time of the event for which it was looked up last, 0 before
    /// the first.
    doubt_ns: Option<u64>,
    /// The table's count of losses when it was right.
    epoch: u32,
}

impl Sessions {
    /// Says it in an event.
    pub fn tell(&self, event: &mut Event) {
        let Sessions { login_uid, audit_session, session, session_start, .. } = *self;
        let lineage = &mut event.lineage;
        (lineage.login_uid, lineage.audit_session) = (login_uid, audit_session);
        (lineage.session, lineage.session_start) = (session, session_start);
    }

    /// Whether they may change unseen.
    pub fn are_in_doubt(&self) -> bool {
        self.doubt_ns.is_some()
    }

    /// It began a session.
    pub fn lead(&mut self, pid: u32, start: Option<u64>) {
        (self.session, self.session_start) = (Some(pid), start);
    }
}

impl Processes {
    /// What a process has now of which /proc says this.
    pub(super) fn sessions(&self, pid: u32, stat: Stat) -> Sessions {
        // A leader of another pid namespace than ours has the number 0.
        let session = Some(stat.session).filter(|session| *session != 0);
        Sessions {
            login_uid: self.proc.number(pid, "loginuid").filter(|uid| *uid != UNSET),
            audit_session: self.proc.number(pid, "sessionid").filter(|id| *id != UNSET),
            session,
            session_start: match session {
                Some(leader) if leader == pid => Some(stat.start),
                // While there are members, nobody else gets the leader's number.
                Some(leader) => match self.table.get(&leader) {
                    Some(leader) => leader.start,
                    None => self.proc.stat(leader).map(|stat| stat.start),
                },
                None => None,
            },
            doubt_ns: None,
            epoch: self.epoch,
        }
    }

    /// Looks up what is in doubt when a process has an event. After one by which it executes
    /// something (`executes`) nothing is in doubt any more: the file that it had opened is closed
    /// or written.
    pub(super) fn settle(&mut self, pid: u32, event: &Event, executes: bool) {
        let Some(process) = self.table.get(&pid) else { return };
        let before = process.lineage.sessions;
        // A process that forks or executes hands on what it has.
        let is_lost = before.epoch != self.epoch && (executes || event.action == Action::Fork);
        let is_due = match before.doubt_ns {
            Some(0) => true,
            Some(looked_ns) => executes || event.time_ns >= looked_ns.saturating_add(LOOK_NS),
            None => is_lost,
        };
        if !is_due {
            return;
        }
        let looked_ns = before.doubt_ns.filter(|_| !executes).map(|_| event.time_ns);
        let now = self.proc.stat(pid).map_or(before, |stat| self.sessions(pid, stat));
        if let Some(process) = self.table.get_mut(&pid) {
            process.lineage.sessions = Sessions { doubt_ns: looked_ns, epoch: self.epoch, ..now };
        }
    }

    /// What a process has may change unseen from now on.
    pub fn doubt_sessions(&mut self, pid: u32) {
        if let Some(Process { lineage, .. }) = self.table.get_mut(&pid) {
            lineage.sessions.doubt_ns.get_or_insert(0);
        }
    }

    /// What an event changes that has been told.
    pub(super) fn change_sessions(&mut self, event: &Event) {
        match event.action {
            Action::Setsid if event.ret.is_some_and(|session| session > 0) => {
                if let Some(process) = self.table.get_mut(&event.pid) {
                    process.lineage.sessions.lead(event.pid, process.start);
                }
            }
            Action::Open if event.path.ends_with(LOGIN_UID) => {
                let can_write = event.call_flags.is_none_or(|flags| flags & O_ACCMODE != O_RDONLY);
                if can_write && event.ret.is_none_or(|fd| fd >= 0) {
                    self.doubt_sessions(event.pid);
                }
            }
            _ => {}
        }
    }
}
