//! What tells a process from all others, and what it has from those that it descends from.
//!
//! A parent is who made the process, whatever became of it: the kernel gives an orphan to
//! another process, and tells nobody. Of a process that is older than the table it is the
//! parent at the time of the look.

use super::clock::Start;
use super::place::View;
use super::session::Sessions;
use super::strings::StringId;
use super::{Process, Processes, cgroup};
use crate::event::{Event, Runtime, append, replace};
use crate::limits::CGROUP_BYTES;

/// What the events of a process tell of its ancestors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lineage {
    pub parent_start: Option<u64>,
    /// What it executed when it made the process.
    pub parent_executable: Option<StringId>,
    /// The container that it is in; `runtime` is what runs it.
    pub container: Option<StringId>,
    pub runtime: Option<Runtime>,
    /// Whether its cgroup has been looked at since its namespaces changed. A process that sees
    /// what the host sees is in no container.
    pub is_looked_at: bool,
    pub sessions: Sessions,
}

impl Lineage {
    /// That of a child of `parent` that began at `start`. Its strings are not held yet.
    pub fn of_child(parent: &Process, start: Option<u64>) -> Lineage {
        Lineage {
            parent_start: parent.start.filter(|parent| is_of_a_parent(*parent, start)),
            parent_executable: parent.executable,
            ..parent.lineage
        }
    }

    /// That of a child that `sibling` made (`CLONE_PARENT`).
    pub fn of_sibling(sibling: &Process) -> Lineage {
        sibling.lineage
    }
}

/// No parent begins after its child: that is another process with its id.
fn is_of_a_parent(parent_start: u64, start: Option<u64>) -> bool {
    start.is_some_and(|start| parent_start <= start)
}

impl Processes {
    /// When a process began whose fork was told at this time. Only where that may have been a
    /// tick of the clock later, one fork of some 200, is /proc asked.
    pub(super) fn start_of(&mut self, pid: u32, forked_ns: u64) -> Option<u64> {
        let of_now = || self.proc.stat(pid).map(|stat| stat.start);
        match self.clock.start(forked_ns) {
            Start::At(start) => Some(start),
            Start::Near(start) => Some(of_now().filter(|now| *now + 1 == start).unwrap_or(start)),
            Start::Unknown => of_now(),
        }
    }

    /// Says in an event who did it, beside what it executes.
    pub(super) fn tell(&self, start: Option<u64>, lineage: &Lineage, event: &mut Event) {
        event.start = start;
        let Lineage { parent_start, parent_executable, container, runtime, .. } = *lineage;
        event.lineage.parent_start = parent_start;
        if let Some(id) = parent_executable {
            replace(&mut event.lineage.parent_executable, self.strings.get(id));
        }
        event.lineage.container.clear();
        event.lineage.runtime = runtime;
        if let Some(id) = container {
            append(&mut event.lineage.container, self.strings.get(id));
        }
        lineage.sessions.tell(event);
    }

    /// The lineage of a process that is found in /proc.
    pub(super) fn read_lineage(&mut self, ppid: u32, start: u64) -> Lineage {
        if let Some(parent) = self.table.get(&ppid)
            && parent.start.is_some_and(|parent| is_of_a_parent(parent, Some(start)))
        {
            // Which container it is in need not be its parent's, who may have made it.
            let parent = Lineage::of_child(parent, Some(start));
            return Lineage {
                parent_start: parent.parent_start,
                parent_executable: self.strings.hold_again(parent.parent_executable),
                ..Lineage::default()
            };
        }
        // A process without a parent, as process 1, has parent 0.
        let Some(parent) = self.proc.stat(ppid) else { return Lineage::default() };
        if !is_of_a_parent(parent.start, Some(start)) {
            return Lineage::default();
        }
        Lineage {
            parent_start: Some(parent.start),
            parent_executable: self.read_executable(ppid).0,
            ..Lineage::default()
        }
    }

    /// Looks at the cgroup of a process that has a `view` of its own, once.
    pub(super) fn find_container(&mut self, pid: u32, view: View, lineage: &mut Lineage) {
        if view == View::Host || lineage.is_looked_at {
            return;
        }
        let mut buffer = [0; CGROUP_BYTES];
        // If it is gone its children may still be asked.
        let Some(cgroup) = self.proc.read(pid, "cgroup", &mut buffer) else { return };
        let whole = match cgroup.len() {
            // The last line may be cut.
            CGROUP_BYTES => cgroup.iter().rposition(|byte| *byte == b'\n').unwrap_or(0),
            bytes => bytes,
        };
        let found = cgroup::container(&cgroup[..whole]);
        self.strings.give_back(lineage.container);
        lineage.container = found.as_ref().and_then(|found| self.hold(&found.name));
        lineage.runtime = found.and_then(|found| found.runtime);
        lineage.is_looked_at = true;
    }

    /// A process of the table executes a program, perhaps the first in a container.
    pub(super) fn look_for_container(&mut self, pid: u32) {
        let Some(process) = self.table.get(&pid) else { return };
        let (view, mut lineage) = (process.place.view, process.lineage);
        self.find_container(pid, view, &mut lineage);
        if let Some(process) = self.table.get_mut(&pid) {
            process.lineage = lineage;
        }
    }

    /// One more holder of its strings.
    pub(super) fn hold_lineage(&mut self, lineage: Lineage) -> Lineage {
        self.strings.hold_again(lineage.parent_executable);
        self.strings.hold_again(lineage.container);
        lineage
    }

    /// Gives its strings back.
    pub(super) fn give_lineage_back(&mut self, lineage: Lineage) {
        self.strings.give_back(lineage.parent_executable);
        self.strings.give_back(lineage.container);
    }
}
