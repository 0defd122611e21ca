//! Who a pid is: parent, executable, working directory.
//!
//! Filled from /proc at start and kept by events, in kernel order, so that a process that
//! is gone when its events are read is still known. Where the table does not know, /proc
//! is asked; what /proc says is of now, not of then, and is marked so where it matters.

mod proc;
mod strings;

use heapless::index_map::FnvIndexMap;

use crate::event::{AT_FDCWD, Action, Bytes, Endpoint, Event, Flags, Truncated};
use crate::limits::{PATH_BYTES, PROCESSES};
use crate::path::{self, Base};
use proc::Proc;
use strings::{StringId, Strings};

#[derive(Clone, Copy, Debug)]
struct Process {
    ppid: Option<u32>,
    executable: Option<StringId>,
    directory: Option<StringId>,
    /// Whether the kernel spelled `directory`.
    canonical: bool,
    /// `CLOCK_MONOTONIC` of the look at /proc that `directory` comes from. Earlier events
    /// may have happened elsewhere.
    directory_since_ns: u64,
}

/// The process table.
pub struct Processes {
    table: Box<FnvIndexMap<u32, Process, PROCESSES>>,
    strings: Strings,
    proc: Proc,
    /// Processes that found no place since [`take_unplaced`](Processes::take_unplaced).
    unplaced: u64,
    name: Box<Bytes<PATH_BYTES>>,
    link: Box<[u8; PATH_BYTES]>,
    now_ns: fn() -> u64,
    next_sweep_ns: u64,
}

/// How often a full table is searched for processes whose exit was lost.
const SWEEP_INTERVAL_NS: u64 = 1_000_000_000;

impl Processes {
    /// An empty table. `now_ns`: the clock of the events, `CLOCK_MONOTONIC`.
    pub fn new(now_ns: fn() -> u64) -> rustix::io::Result<Processes> {
        Ok(Processes {
            table: Box::new(FnvIndexMap::new()),
            strings: Strings::new(),
            proc: Proc::open()?,
            unplaced: 0,
            name: Box::new(Bytes::new()),
            link: Box::new([0; PATH_BYTES]),
            now_ns,
            next_sweep_ns: 0,
        })
    }

    /// Adds every process there is.
    pub fn scan(&mut self) {
        let pids: Vec<u32> = self.proc.pids().collect();
        for pid in pids {
            self.known(pid);
        }
    }

    /// Forgets everything: events that would have changed it were lost. What still lives
    /// is read again when it is needed.
    pub fn forget(&mut self) {
        while let Some((&pid, _)) = self.table.first() {
            self.remove(pid);
        }
    }

    /// How many processes there was no room for since the last call.
    pub fn take_unplaced(&mut self) -> u64 {
        std::mem::take(&mut self.unplaced)
    }

    /// Fills what the event itself does not say, and learns from it.
    pub fn enrich(&mut self, event: &mut Event) {
        match event.action {
            Action::Fork => self.fork(event),
            Action::Exec => self.exec(event),
            Action::Exit => {
                self.identify(event);
                self.remove(event.pid);
            }
            Action::Loss => {}
            _ => {
                self.identify(event);
                self.locate(event);
            }
        }
    }

    /// A process changed its working directory to `event.path`, or to its descriptor
    /// `event.dirfd` if that is empty.
    pub fn change_directory(&mut self, event: &mut Event) {
        let Some(process) = self.known(event.pid) else { return };
        if event.time_ns < process.directory_since_ns {
            return;
        }
        let whole = event.flags.is_empty() && event.truncated.is_empty();
        let directory = if event.path.is_empty() || !whole {
            // fchdir: its descriptor may be gone or another's by now.
            None
        } else {
            match self.absolute(event.pid, event.time_ns, AT_FDCWD, &mut event.path) {
                Found::Absolute { truncated: false, .. } => self.strings.hold(&event.path),
                _ => None,
            }
        };
        if let Some(process) = self.table.get_mut(&event.pid) {
            self.strings.give_back(process.directory);
            process.directory = directory;
            // A name given by the process may cross symbolic links.
            process.canonical = false;
        }
    }

    fn fork(&mut self, event: &mut Event) {
        let Some(parent) = event.ppid.and_then(|ppid| self.known(ppid)) else { return };
        self.copy_executable(parent, event);
        self.remove(event.pid);
        let child = Process {
            ppid: event.ppid,
            executable: self.strings.hold_again(parent.executable),
            directory: self.strings.hold_again(parent.directory),
            ..parent
        };
        self.insert(event.pid, child);
    }

    fn exec(&mut self, event: &mut Event) {
        let process = self.known(event.pid);
        event.ppid = process.and_then(|process| process.ppid);
        let dirfd = event.dirfd;
        if !event.path.is_empty() {
            let flags = self.absolute(event.pid, event.time_ns, dirfd, &mut event.path);
            self.mark(event, flags, Flags::PATH_RELATIVE, Truncated::PATH);
        }
        if event.ret != Some(0) {
            // The attempt failed: the process is still what it was.
            if let Some(process) = process {
                self.copy_executable(process, event);
            }
            return;
        }
        proc::copy(&event.path, &mut event.executable);
        if event.truncated.contains(Truncated::PATH) {
            event.truncated.insert(Truncated::EXECUTABLE);
        }
        let executable = self.strings.hold(&event.path);
        if let Some(process) = self.table.get_mut(&event.pid) {
            self.strings.give_back(process.executable);
            process.executable = executable;
        } else {
            self.strings.give_back(executable);
        }
    }

    fn identify(&mut self, event: &mut Event) {
        if let Some(process) = self.known(event.pid) {
            event.ppid = process.ppid;
            self.copy_executable(process, event);
        }
    }

    fn copy_executable(&mut self, process: Process, event: &mut Event) {
        match process.executable {
            Some(id) => proc::copy(self.strings.get(id), &mut event.executable),
            // Too long for the table, or the table has no room for it.
            None => {
                let pid = if event.action == Action::Fork { event.ppid } else { Some(event.pid) };
                let exe = format_args!("exe");
                if let Some(path) = pid.and_then(|pid| self.proc.link(pid, exe, &mut self.link)) {
                    proc::copy(proc::without_deleted(path), &mut event.executable);
                }
            }
        }
    }

    /// Makes the names of a file or network event absolute.
    fn locate(&mut self, event: &mut Event) {
        let (dirfd, from_dirfd) = (event.dirfd, event.from_dirfd);
        let by_name = match event.action {
            // Only a unix socket's name is a path, and only if it is not abstract.
            Action::Connect => {
                event.peer == Some(Endpoint::Unix) && event.path.first().is_some_and(|c| *c != 0)
            }
            // fchmod has none, and fchmodat2 may have none: the descriptor is the file.
            Action::Chmod => !event.path.is_empty() || dirfd >= 0,
            _ => !event.path.is_empty(),
        };
        if by_name && !event.flags.contains(Flags::PATH_UNREAD) {
            let dirfd = if event.action == Action::Connect { AT_FDCWD } else { dirfd };
            let found = self.absolute(event.pid, event.time_ns, dirfd, &mut event.path);
            self.mark(event, found, Flags::PATH_RELATIVE, Truncated::PATH);
        }
        if !event.from.is_empty() {
            let found = self.absolute(event.pid, event.time_ns, from_dirfd, &mut event.from);
            self.mark(event, found, Flags::FROM_RELATIVE, Truncated::FROM);
        }
    }

    fn mark(&self, event: &mut Event, found: Found, relative: Flags, cut: Truncated) {
        match found {
            Found::Nowhere => event.flags.insert(relative),
            Found::Absolute { certain, truncated } => {
                if !certain {
                    event.flags.insert(Flags::PATH_UNRESOLVED);
                }
                if truncated {
                    event.truncated.insert(cut);
                }
            }
        }
    }

    /// Replaces a name by its absolute path, if the directory it starts at is known.
    fn absolute(
        &mut self,
        pid: u32,
        time_ns: u64,
        dirfd: i32,
        name: &mut Bytes<PATH_BYTES>,
    ) -> Found {
        let mut certain = true;
        let base = if name.first() == Some(&b'/') {
            path::ROOT
        } else if dirfd == AT_FDCWD {
            let Some(process) = self.directory_of(pid) else { return Found::Nowhere };
            certain = time_ns >= process.directory_since_ns;
            let Some(id) = process.directory else { return Found::Nowhere };
            Base { path: self.strings.get(id), canonical: process.canonical }
        } else {
            // The descriptor of then may be another one now.
            certain = false;
            match self.proc.link(pid, format_args!("fd/{dirfd}"), &mut self.link) {
                Some(path) => Base { path: proc::without_deleted(path), canonical: true },
                None => return Found::Nowhere,
            }
        };
        self.name.clear();
        path::append(&mut self.name, name);
        let joined = path::join(base, &self.name, name);
        Found::Absolute { certain: certain && !joined.unresolved, truncated: joined.truncated }
    }

    /// A process whose working directory is known if it can be.
    fn directory_of(&mut self, pid: u32) -> Option<Process> {
        let process = self.known(pid)?;
        if process.directory.is_some() {
            return Some(process);
        }
        let directory = self.read_directory(pid)?;
        let process = self.table.get_mut(&pid)?;
        process.directory = Some(directory);
        process.canonical = true;
        process.directory_since_ns = (self.now_ns)();
        Some(*process)
    }

    fn read_directory(&mut self, pid: u32) -> Option<StringId> {
        let path = self.proc.link(pid, format_args!("cwd"), &mut self.link)?;
        self.strings.hold(proc::without_deleted(path))
    }

    /// What the table or /proc knows of a process.
    fn known(&mut self, pid: u32) -> Option<Process> {
        if let Some(process) = self.table.get(&pid) {
            return Some(*process);
        }
        let ppid = self.proc.ppid(pid)?;
        let exe = self.proc.link(pid, format_args!("exe"), &mut self.link);
        let executable = exe.and_then(|path| self.strings.hold(proc::without_deleted(path)));
        let directory = self.read_directory(pid);
        let process = Process {
            ppid: Some(ppid),
            executable,
            directory,
            canonical: true,
            directory_since_ns: (self.now_ns)(),
        };
        self.insert(pid, process);
        self.table.get(&pid).copied()
    }

    fn insert(&mut self, pid: u32, process: Process) {
        // A look at every process takes milliseconds: a host that really has so many, or a
        // user who makes them, must not be able to ask for it at every fork.
        if self.table.len() == PROCESSES {
            let now_ns = (self.now_ns)();
            if now_ns >= self.next_sweep_ns {
                self.next_sweep_ns = now_ns + SWEEP_INTERVAL_NS;
                self.remove_dead();
            }
        }
        if self.table.insert(pid, process).is_err() {
            self.unplaced += 1;
            self.strings.give_back(process.executable);
            self.strings.give_back(process.directory);
        }
    }

    /// Processes whose exit was lost keep their place until it is needed.
    fn remove_dead(&mut self) {
        let mut at = 0;
        while let Some((&pid, _)) = self.table.get_index(at) {
            if self.proc.exists(pid) { at += 1 } else { self.remove(pid) }
        }
    }

    fn remove(&mut self, pid: u32) {
        if let Some(process) = self.table.swap_remove(&pid) {
            self.strings.give_back(process.executable);
            self.strings.give_back(process.directory);
        }
    }
}

/// What became of a name.
enum Found {
    /// The directory it starts at is not known; it stays as it was.
    Nowhere,
    Absolute {
        certain: bool,
        truncated: bool,
    },
}

#[cfg(test)]
mod tests;
