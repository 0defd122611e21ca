//! How a process begins, and begins to execute another program.

use super::life::Life;
use super::lineage::Lineage;
use super::place::{Look, Sharing};
use super::{
    CLONE_FS, CLONE_NEWNS, CLONE_NEWUSER, CLONE_PARENT, Process, Processes, program, view_of,
};
use crate::event::{Event, Flags, Given, Truncated, replace};

/// For as long as the kernel may take to copy what a process has, before it tells of the child.
const FORKING_NS: u64 = 10_000_000_000;

impl Processes {
    pub(super) fn fork(&mut self, event: &mut Event) {
        self.ended.remove(event.pid);
        self.strays.remove(event.pid);
        self.remove(event.pid);
        let start = self.start_of(event.pid, event.time_ns);
        event.start = start;
        // Not told: which thread of the caller made it.
        let by = event.given.take();
        let Some(caller) = event.ppid else { return };
        self.settle(caller, event, false);
        let Some(parent) = self.known(caller) else { return };
        self.tell_program(caller, parent.program(), event);
        let flags = event.call_flags.unwrap_or(0);
        let lineage = if flags & CLONE_PARENT != 0 {
            event.ppid = parent.ppid;
            Lineage::of_sibling(&parent)
        } else {
            Lineage::of_child(&parent, start)
        };
        self.tell(start, &lineage, event);
        let shared = flags & CLONE_FS != 0;
        if shared && let Some(parent) = self.table.get_mut(&caller) {
            parent.sharing = Sharing::Processes;
        }
        // What /proc said of the parent may have become so after the fork. Who shares a
        // directory stays known even so.
        let known_too_late = event.time_ns < parent.executable_look.began_ns
            || event.time_ns < parent.place.look.ended_ns;
        if known_too_late && !shared {
            return;
        }
        let certain_at = (!known_too_late).then_some(event.time_ns);
        let mut place = parent.place;
        // The child has the directory of a moment before it was told: another thread may have
        // changed it since.
        let is_moved = match by {
            Some(Given::Process(tid)) => {
                tid != place.changed_by
                    && place.changed_ns != 0
                    && event.time_ns.saturating_sub(place.changed_ns) < FORKING_NS
            }
            _ => false,
        };
        // What the child has is the calling thread's, which may not be the process's.
        let doubtful = known_too_late || (!shared && (parent.sharing != Sharing::Own || is_moved));
        (place.changed_ns, place.changed_by) = (0, 0);
        place.directory = if doubtful { None } else { self.strings.hold_again(place.directory) };
        place.view = place.view.max(view_of(Some(flags & (CLONE_NEWNS | CLONE_NEWUSER))));
        // Namespaces of its own are those of a new container, perhaps.
        let is_looked_at = lineage.is_looked_at && place.view == parent.place.view;
        let child = Process {
            ppid: event.ppid,
            executable: self.strings.hold_again(parent.executable),
            executable_kind: parent.executable_kind,
            executable_look: if known_too_late { Look::NEVER } else { parent.executable_look },
            executable_since_ns: parent.executable_since_ns.and(certain_at),
            excluded_with: parent.excluded_with,
            forked_ns: event.time_ns,
            start,
            memfd: parent.memfd,
            lineage: Lineage { is_looked_at, ..self.hold_lineage(lineage) },
            place,
            sharing: if shared { Sharing::Processes } else { Sharing::Own },
            identity: None,
            life: Life::default(),
        };
        self.insert(event.pid, child);
    }

    pub(super) fn exec(&mut self, event: &mut Event) {
        let process = self.known(event.pid);
        self.locate(process.map(|process| process.whereabouts()), event);
        if event.ret == Some(0) {
            self.strays.unite(event.pid);
            self.look_for_container(event.pid);
            self.settle(event.pid, event, true);
        }
        if let Some(process) = self.table.get(&event.pid) {
            event.ppid = process.ppid;
            self.tell(process.start, &process.lineage, event);
        }
        self.tell_directory(event);
        if event.ret != Some(0) {
            // The attempt failed: the process is still what it was.
            if let Some(process) = process {
                self.tell_program(event.pid, process.program(), event);
            }
            return;
        }
        replace(&mut event.executable, &event.path);
        if event.truncated.contains(Truncated::PATH) {
            event.truncated.insert(Truncated::EXECUTABLE);
        }
        let is_magic = program::is_magic(&event.path);
        let doubts = Flags::PATH_UNRESOLVED
            .union(Flags::PATH_RELATIVE)
            .union(Flags::PATH_UNREAD)
            .union(Flags::USER_NAMESPACE);
        let certain = !event.flags.intersects(doubts)
            && !event.truncated.contains(Truncated::EXECUTABLE)
            && !is_magic;
        if is_magic {
            self.resolve(event);
        }
        if !certain {
            event.flags.insert(Flags::EXECUTABLE_UNRESOLVED);
        }
        let executable = self.hold(&event.executable);
        let Some(process) = self.table.get_mut(&event.pid) else {
            self.strings.give_back(executable);
            return;
        };
        if process.sharing == Sharing::Threads {
            // One thread is left, and perhaps not the one whose directory this is.
            self.strings.give_back(process.place.directory.take());
            process.sharing = Sharing::Own;
        }
        // What /proc showed after this event is what came of it, or of a later one.
        if event.time_ns < process.executable_look.began_ns {
            self.strings.give_back(executable);
            return;
        }
        self.strings.give_back(process.executable);
        process.executable = executable;
        process.executable_kind = event.executable_kind;
        process.close_on_exec();
        process.executable_look = if certain { Look::default() } else { Look::NEVER };
        process.executable_since_ns = certain.then_some(event.time_ns);
    }
}
