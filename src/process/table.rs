//! The table itself: who is looked up, comes and goes.

use super::ended::Ended;
use super::life::Life;
use super::place::{Look, Place};
use super::proc::Stat;
use super::strings::{StringId, Strings};
use super::{Process, Processes};

impl Processes {
    /// What the table or /proc knows of a process.
    pub(super) fn known(&mut self, pid: u32) -> Option<Process> {
        let index = self.index(pid)?;
        self.table.get_index(index).map(|(_, process)| *process)
    }

    /// Where it is in the table, if that or /proc knows it.
    pub(super) fn index(&mut self, pid: u32) -> Option<usize> {
        if let Some(index) = self.find(pid) {
            self.last = index;
            return Some(index);
        }
        let began_ns = (self.now_ns)();
        let stat = self.proc.stat(pid)?;
        let Stat { ppid, start, .. } = stat;
        let (executable, executable_kind) = self.read_executable(pid);
        // A zombie has no place any more.
        let mut place = self.read_place(pid).unwrap_or(Place::unknown(self.epoch));
        if place.look.began_ns < self.unseen_until_ns {
            place.unseen_until_ns = self.unseen_until_ns;
        }
        let executable_look = self.look(began_ns, place.view);
        let mut lineage = self.read_lineage(ppid, start);
        self.find_container(pid, place.view, &mut lineage);
        lineage.sessions = self.sessions(pid, stat);
        let process = Process {
            ppid: Some(ppid),
            executable,
            executable_kind,
            executable_look,
            executable_since_ns: (executable_look != Look::NEVER).then_some(began_ns),
            excluded_with: self.excluded_with(ppid),
            forked_ns: 0,
            start: Some(start),
            memfd: None,
            lineage,
            place,
            sharing: self.strays.sharing(pid),
            identity: None,
            life: Life::default(),
        };
        self.insert(pid, process);
        self.table.get_index_of(&pid)
    }

    /// Where it is in the table, if it is there.
    pub(super) fn find(&self, pid: u32) -> Option<usize> {
        match self.table.get_index(self.last) {
            Some((last, _)) if *last == pid => Some(self.last),
            _ => self.table.get_index_of(&pid),
        }
    }

    /// Holds a string in the table, and counts one that finds no room.
    pub(super) fn hold(&mut self, string: &[u8]) -> Option<StringId> {
        hold(&mut self.strings, &mut self.unplaced, string)
    }

    /// In a full table the newcomer takes the place of one that came before, in turn: a
    /// process that lives can be looked up again, one that lives for a moment cannot.
    pub(super) fn insert(&mut self, pid: u32, process: Process) {
        if self.table.len() == self.capacity {
            self.hand = (self.hand + 1) % self.capacity;
            if let Some((&old, _)) = self.table.get_index(self.hand) {
                self.lose_sight(old);
                self.unplaced += 1;
            }
        }
        if let Ok(Some(before)) = self.table.insert(pid, process) {
            self.give_back(before);
        }
    }

    pub(super) fn remove(&mut self, pid: u32) {
        if let Some(process) = self.table.swap_remove(&pid) {
            self.give_back(process);
        }
    }

    pub(super) fn lose_sight_of_all(&mut self) {
        while let Some((&pid, _)) = self.table.first() {
            self.lose_sight(pid);
        }
        // Their ids may be others' by now.
        self.ended = Ended::default();
    }

    /// Forgets a process that lives, perhaps.
    pub(super) fn lose_sight(&mut self, pid: u32) {
        if let Some(process) = self.table.get(&pid) {
            self.strays.note(pid, process.sharing);
        }
        self.remove(pid);
    }

    fn give_back(&mut self, process: Process) {
        self.strings.give_back(process.executable);
        self.strings.give_back(process.place.directory);
        self.give_lineage_back(process.lineage);
    }
}

pub(super) fn hold(strings: &mut Strings, unplaced: &mut u64, string: &[u8]) -> Option<StringId> {
    let id = strings.hold(string);
    // One that is too long is read from /proc when it is needed, and marked then.
    if id.is_none() && string.len() <= crate::limits::PROCESS_STRING_BYTES {
        *unplaced += 1;
    }
    id
}
