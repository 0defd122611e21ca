//! What a process has from those that it descends from.

use super::{Bytes, Runtime, replace};
use crate::limits::{CONTAINER_BYTES, PATH_BYTES};

/// A process's lineage, the same in all of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// When the parent began, as [`Event::start`](super::Event::start).
    pub parent_start: Option<u64>,
    /// What the parent executed when it forked. Empty: unknown.
    pub parent_executable: Bytes<PATH_BYTES>,
    /// The container that it is in: its id, or its name ([`Runtime::has_names`]). Empty: none that
    /// is known.
    pub container: Bytes<CONTAINER_BYTES>,
    /// What runs the container. `None`: not known.
    pub runtime: Option<Runtime>,
    /// Who logged in (`/proc/PID/loginuid`). `None`: nobody, as for daemons, or not known.
    pub login_uid: Option<u32>,
    /// The session that audit gave the login (`/proc/PID/sessionid`). `None`: the same.
    pub audit_session: Option<u32>,
    /// Process id of the leader of its session (setsid(2)), where known.
    pub session: Option<u32>,
    /// When the leader began, as [`Event::start`](super::Event::start).
    pub session_start: Option<u64>,
}

impl Lineage {
    /// Nothing is known.
    pub const fn new() -> Lineage {
        Lineage {
            parent_start: None,
            parent_executable: Bytes::new(),
            container: Bytes::new(),
            runtime: None,
            login_uid: None,
            audit_session: None,
            session: None,
            session_start: None,
        }
    }

    /// Empties every field, in place.
    pub fn clear(&mut self) {
        let Lineage {
            parent_start,
            parent_executable,
            container,
            runtime,
            login_uid,
            audit_session,
            session,
            session_start,
        } = self;
        (*parent_start, *session_start, *runtime) = (None, None, None);
        (*login_uid, *audit_session, *session) = (None, None, None);
        parent_executable.clear();
        container.clear();
    }

    /// Takes over every field, in place.
    pub fn copy_from(&mut self, other: &Lineage) {
        let Lineage {
            parent_start,
            parent_executable,
            container,
            runtime,
            login_uid,
            audit_session,
            session,
            session_start,
        } = other;
        (self.parent_start, self.session_start) = (*parent_start, *session_start);
        (self.runtime, self.session) = (*runtime, *session);
        (self.login_uid, self.audit_session) = (*login_uid, *audit_session);
        replace(&mut self.parent_executable, parent_executable);
        replace(&mut self.container, container);
    }
}

impl Default for Lineage {
    fn default() -> Lineage {
        Lineage::new()
    }
}
