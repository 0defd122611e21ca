//! The actors that wrote last: most events are of one of them, and one that is there need not be written
//! to find that out, which would be a third of all that an event costs.

use crate::event::{Bytes, Event, ExecutableKind, Lineage, replace};
use crate::limits::{COMM_BYTES, PATH_BYTES};

/// By the low bits of the process id: as many as a machine has CPUs that are busy, mostly.
const PLACES: usize = 4;

pub(super) struct RecentActors([Place; PLACES]);

/// What [`actor::write`](super::actor::write) writes of an event.
struct Place {
    /// In the dictionary of actors, or 0 for nobody. `None`: the place is free.
    number: Option<u32>,
    pid: u32,
    tid: u32,
    start: Option<u64>,
    ppid: Option<u32>,
    uid: u32,
    gid: u32,
    comm: Bytes<COMM_BYTES>,
    executable: Bytes<PATH_BYTES>,
    executable_kind: Option<ExecutableKind>,
    lineage: Lineage,
}

impl RecentActors {
    pub const fn new() -> RecentActors {
        RecentActors([const { Place::new() }; PLACES])
    }

    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(|place| place.number = None);
    }

    /// The number of the event's actor.
    pub fn find(&self, event: &Event) -> Option<u32> {
        let place = &self.0[event.pid as usize % PLACES];
        place.number.filter(|_| place.is_of(event))
    }

    /// The actor of the event has this number.
    pub fn remember(&mut self, event: &Event, number: u32) {
        let place = &mut self.0[event.pid as usize % PLACES];
        if place.number != Some(number) {
            place.take(event);
            place.number = Some(number);
        }
    }
}

impl Place {
    const fn new() -> Place {
        Place {
            number: None,
            pid: 0,
            tid: 0,
            start: None,
            ppid: None,
            uid: 0,
            gid: 0,
            comm: Bytes::new(),
            executable: Bytes::new(),
            executable_kind: None,
            lineage: Lineage::new(),
        }
    }

    fn is_of(&self, event: &Event) -> bool {
        let ids = (self.pid, self.tid, self.start, self.ppid, self.uid, self.gid);
        ids == (event.pid, event.tid, event.start, event.ppid, event.uid, event.gid)
            && self.comm.as_slice() == event.comm.as_slice()
            && self.executable.as_slice() == event.executable.as_slice()
            && self.executable_kind == event.executable_kind
            && self.lineage == event.lineage
    }

    fn take(&mut self, event: &Event) {
        (self.pid, self.tid, self.start) = (event.pid, event.tid, event.start);
        (self.ppid, self.uid, self.gid) = (event.ppid, event.uid, event.gid);
        replace(&mut self.comm, &event.comm);
        replace(&mut self.executable, &event.executable);
        self.executable_kind = event.executable_kind;
        self.lineage.copy_from(&event.lineage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever an actor has that is another one's is noticed.
    #[test]
    fn an_actor_is_found_if_all_of_it_is_the_same() {
        let mut event = Event::new();
        (event.pid, event.tid, event.start, event.ppid) = (8, 8, Some(1), Some(2));
        let mut recent = RecentActors::new();
        assert_eq!(recent.find(&event), None);
        recent.remember(&event, 7);
        assert_eq!(recent.find(&event), Some(7));
        let changes: [fn(&mut Event); 17] = [
            |event| event.pid = 4,
            |event| event.tid = 9,
            |event| event.start = None,
            |event| event.ppid = None,
            |event| event.uid = 1,
            |event| event.gid = 1,
            |event| event.comm.push(b'x').unwrap(),
            |event| event.executable.push(b'x').unwrap(),
            |event| event.executable_kind = Some(ExecutableKind::Memfd),
            |event| event.lineage.parent_start = Some(1),
            |event| event.lineage.parent_executable.push(b'x').unwrap(),
            |event| event.lineage.container.push(b'x').unwrap(),
            |event| event.lineage.runtime = Some(crate::event::Runtime::Docker),
            |event| event.lineage.login_uid = Some(0),
            |event| event.lineage.audit_session = Some(0),
            |event| event.lineage.session = Some(0),
            |event| event.lineage.session_start = Some(0),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = event.clone();
            change(&mut other);
            assert_eq!(recent.find(&other), None, "{number}");
            // It takes the place.
            recent.remember(&other, 8);
            assert_eq!((recent.find(&other), recent.find(&event)), (Some(8), None), "{number}");
            recent.remember(&event, 7);
        }
        recent.clear();
        assert_eq!(recent.find(&event), None);
    }
}
