//! Who a pid is: parent, executable, working directory, and whose file system it sees.
//!
//! Filled from /proc at start and kept by events, in kernel order, so that a process that
//! is gone when its events are read is still known. Where the table does not know, /proc
//! is asked; what /proc says is of now, not of then, and is marked so where it matters.
//!
//! The table stands for a process, not for its threads. Names are text (see [`path`]): a
//! working directory that is renamed under a process keeps its old name here.

mod begin;
pub(crate) mod cgroup;
mod clock;
mod ended;
pub(crate) mod identity;
mod life;
mod lineage;
mod locate;
mod place;
pub(crate) mod proc;
mod program;
mod programs;
mod session;
mod strays;
mod strings;
mod table;
mod told;

use heapless::index_map::FnvIndexMap;

use crate::event::{Action, Bytes, Event, ExecutableKind, Flags, Relocation, RuleId};
use crate::limits::{MOVES_UNSEEN_NS, PATH_BYTES, PROCESS_STRINGS, PROCESSES};
use clock::BootClock;
use ended::Ended;
use identity::Identity;
use life::Life;
use lineage::Lineage;
use locate::Whereabouts;
use place::{HostNamespaces, Look, Place, Sharing, Spelling, View};
use proc::Proc;
use program::Memfd;
use strays::Strays;
use strings::{StringId, Strings};

/// `CLONE_*` (linux `include/uapi/linux/sched.h`).
const CLONE_FS: u32 = 0x200;
const CLONE_PARENT: u32 = 0x8000;
const CLONE_NEWNS: u32 = 0x2_0000;
const CLONE_NEWUSER: u32 = 0x1000_0000;

#[derive(Clone, Copy, Debug)]
struct Process {
    ppid: Option<u32>,
    /// `None`: it is too long for the table, or the table is full of others.
    executable: Option<StringId>,
    executable_kind: Option<ExecutableKind>,
    /// The look at /proc that `executable` comes from; [`Look::NEVER`] if it is in doubt.
    executable_look: Look,
    /// From when on it is certain that it executes this, in `CLOCK_MONOTONIC`: the event that
    /// told, or the look. `None`: it is not certain.
    executable_since_ns: Option<u64>,
    /// The exclusion that it descends from, if that is for descendants too. Its own included.
    excluded_with: Option<RuleId>,
    /// When an event told that it began; 0: it was there before that was known.
    forked_ns: u64,
    /// Hundredths of a second since boot. `None`: not known.
    start: Option<u64>,
    memfd: Option<Memfd>,
    lineage: Lineage,
    place: Place,
    sharing: Sharing,
    /// Where the provider does not tell it.
    identity: Option<Identity>,
    /// Where the provider tells of threads.
    life: Life,
}

/// How much is remembered; [`Capacity::default`] is that of `limits`, which is the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Processes at the same time.
    pub processes: usize,
    /// Their executables, working directories and containers.
    pub strings: usize,
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity { processes: PROCESSES, strings: PROCESS_STRINGS }
    }
}

/// The process table.
pub struct Processes {
    table: Box<FnvIndexMap<u32, Process, PROCESSES>>,
    /// Places of the table that are used.
    capacity: usize,
    strings: Strings,
    proc: Proc,
    host: HostNamespaces,
    ended: Ended,
    /// Counts the losses after which no place is known any more.
    epoch: u32,
    /// Until when, in `CLOCK_MONOTONIC`, a process that is looked up may move without being told.
    unseen_until_ns: u64,
    strays: Strays,
    /// Processes that gave up their place, and names that found none, since
    /// [`take_unplaced`](Processes::take_unplaced).
    unplaced: u64,
    name: Box<Bytes<PATH_BYTES>>,
    link: Box<[u8; PATH_BYTES]>,
    now_ns: fn() -> u64,
    clock: BootClock,
    /// Whose place in a full table is given away next.
    hand: usize,
    /// Where the last one was that was looked up: most have several events in a row.
    last: usize,
}

impl Processes {
    /// An empty table. `now_ns`: the clock of the events, `CLOCK_MONOTONIC`.
    pub fn new(now_ns: fn() -> u64) -> rustix::io::Result<Processes> {
        Processes::with_capacity(now_ns, Capacity::default())
    }

    /// [`Processes::new`] with a table of another size.
    pub fn with_capacity(now_ns: fn() -> u64, capacity: Capacity) -> rustix::io::Result<Processes> {
        let proc = Proc::open()?;
        let mut link = Box::new([0; PATH_BYTES]);
        let host = HostNamespaces::read(&proc, &mut link);
        Ok(Processes {
            table: Box::new(FnvIndexMap::new()),
            capacity: capacity.processes.clamp(1, PROCESSES),
            strings: Strings::new(capacity.strings),
            proc,
            host,
            ended: Ended::default(),
            epoch: 0,
            unseen_until_ns: 0,
            strays: Strays::default(),
            unplaced: 0,
            name: Box::new(Bytes::new()),
            link,
            now_ns,
            clock: BootClock::new(clock::readings),
            hand: 0,
            last: 0,
        })
    }

    /// Adds every process there is.
    pub fn scan(&mut self) {
        let pids: Vec<u32> = self.proc.pids().collect();
        for pid in pids {
            self.known(pid);
        }
    }

    /// Forgets everything: process events were lost. What still lives is read again when
    /// it is needed.
    pub fn forget(&mut self) {
        self.lose_sight_of_all();
        // What was lost may have said that one moves unseen.
        self.unseen_until_ns = (self.now_ns)().saturating_add(MOVES_UNSEEN_NS);
    }

    /// Forgets everything, and adds every process that lives: nobody told of them for a while.
    pub fn learn_anew(&mut self) {
        self.lose_sight_of_all();
        self.scan();
    }

    /// Forgets where every process is: relocations may have been lost.
    pub fn forget_places(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// How many processes and names there was no room for since the last call.
    pub fn take_unplaced(&mut self) -> u64 {
        std::mem::take(&mut self.unplaced)
    }

    /// Whether the end of a process was told before: the kernel part cannot always tell
    /// which of its last threads is the last.
    pub fn is_told_twice(&self, event: &Event) -> bool {
        event.action == Action::Exit && self.ended.contains(event.pid)
    }

    /// Fills what the event itself does not say, and learns from it.
    pub fn enrich(&mut self, event: &mut Event) {
        match event.action {
            Action::Fork => self.fork(event),
            Action::Exec => self.exec(event),
            Action::Exit => {
                self.identify(event);
                self.remove(event.pid);
                self.strays.remove(event.pid);
                self.ended.insert(event.pid);
            }
            action if action.is_own() => {}
            _ => {
                let whereabouts = self.identify(event);
                self.locate(whereabouts, event);
                self.change_sessions(event);
                if event.action == Action::MemfdCreate {
                    self.made_memfd(event);
                }
            }
        }
    }

    /// Applies what changes the meaning of the process's names from `event` on.
    pub fn relocate(&mut self, relocation: Relocation, event: &mut Event) {
        let Some(process) = self.known(event.pid) else { return };
        const NOWHERE: (Option<StringId>, Spelling) = (None, Spelling::Doubtful);
        let before = process.place;
        // Else the look may have shown it, or another one have come last, told or not.
        let is_last = event.time_ns >= before.look.ended_ns
            && event.time_ns >= before.changed_ns
            && event.entered_ns >= before.unseen_until_ns;
        // `None`: it stays.
        let directory = match relocation {
            // A change that the look at /proc showed already.
            Relocation::Directory if event.time_ns < before.look.began_ns => None,
            Relocation::Directory if is_last => {
                Some(self.new_directory(process.whereabouts(), event).unwrap_or(NOWHERE))
            }
            Relocation::Directory => Some(NOWHERE),
            Relocation::Unseen | Relocation::Namespaces => Some(NOWHERE),
            Relocation::Root => None,
        };
        let Some(process) = self.table.get_mut(&event.pid) else {
            self.strings.give_back(directory.and_then(|(id, _)| id));
            return;
        };
        let place = &mut process.place;
        if let Some((id, spelling)) = directory {
            self.strings.give_back(place.directory);
            (place.directory, place.spelling) = (id, spelling);
        }
        match relocation {
            Relocation::Directory if is_last => place.unseen_until_ns = 0,
            Relocation::Directory => {}
            Relocation::Unseen => {
                let until_ns = event.time_ns.saturating_add(MOVES_UNSEEN_NS);
                place.unseen_until_ns = place.unseen_until_ns.max(until_ns);
                self.unseen_until_ns = self.unseen_until_ns.max(until_ns);
            }
            Relocation::Root => place.view = place.view.max(View::OtherRoot),
            Relocation::Namespaces => {
                let view = match view_of(event.call_flags) {
                    // It has that namespace's root directory too (setns(2)).
                    View::OtherMounts if event.action == Action::Setns => View::OtherRoot,
                    view => view,
                };
                place.view = place.view.max(view);
            }
        }
        if event.time_ns >= place.changed_ns {
            (place.changed_ns, place.changed_by) = (event.time_ns, event.tid);
        }
        if place.view != before.view || relocation == Relocation::Namespaces {
            process.lineage.is_looked_at = false;
        }
        let divides = relocation == Relocation::Namespaces
            // Sent when it was entered: it may take effect at any time.
            || event.flags.contains(Flags::RESULT_UNKNOWN);
        if divides && process.sharing == Sharing::Own {
            process.sharing = Sharing::Threads;
        }
    }

    /// Fills who did it. What its names start at; `None`: the process was not known and is gone.
    fn identify(&mut self, event: &mut Event) -> Option<Whereabouts> {
        let index = self.index(event.pid)?;
        let (_, process) = self.table.get_index(index)?;
        if process.lineage.sessions.are_in_doubt() {
            self.settle(event.pid, event, false);
        }
        // Not copied: it is large, and most of it is not needed.
        let (_, process) = self.table.get_index(index)?;
        let (program, whereabouts) = (process.program(), process.whereabouts());
        event.ppid = process.ppid;
        self.tell(process.start, &process.lineage, event);
        self.tell_program(event.pid, program, event);
        Some(whereabouts)
    }
}

/// What a process sees that was made with, or got, namespaces by these `CLONE_*`; `None`:
/// whatever there is.
fn view_of(clone_flags: Option<u32>) -> View {
    match clone_flags {
        None => View::UserNamespace,
        Some(flags) if flags & CLONE_NEWUSER != 0 => View::UserNamespace,
        Some(flags) if flags & CLONE_NEWNS != 0 => View::OtherMounts,
        Some(_) => View::Host,
    }
}

#[cfg(test)]
mod tests;
