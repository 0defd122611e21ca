//! Events of a provider that tells ids only: who it was, and what it executes, is looked up.
//!
//! What is looked up after an event may have changed since: see [`Flags`]. The ids of a user
//! and the name are kept by events ([`Change`]), so they are those of then.

use super::identity::{Arguments, Identity, comm};
use super::life::{End, Life};
use super::lineage::Lineage;
use super::place::{Look, Place, Sharing, View};
use super::{Process, Processes, proc};
use crate::event::{Action, Change, Event, Flags, Truncated, replace};

impl Processes {
    /// Adds every process there is, with its identity.
    pub fn scan_identities(&mut self) {
        let pids: Vec<u32> = self.proc.pids().collect();
        for pid in pids {
            self.identified(pid);
        }
    }

    /// Fills what the event does not say, and learns from it. Whether there is something to
    /// report: the end of a thread that is not its process's last is nothing.
    pub fn complete(&mut self, event: &mut Event) -> bool {
        match event.action {
            Action::Fork => self.told_fork(event),
            Action::Exec => self.told_exec(event),
            Action::Exit => return self.told_exit(event),
            _ => {}
        }
        true
    }

    /// Fills who a process is that a record of the sensor's own is about, as far as it is known; its
    /// user and its name are those of now.
    pub fn tell_who(&mut self, event: &mut Event) {
        self.identify(event);
        tell(self.proc.identity(event.pid).map(|(identity, _)| identity), event);
    }

    /// Applies what changes a process from `event` on.
    pub fn change(&mut self, change: Change, event: &Event) {
        // What is not in the table is read from /proc when it is needed, as it is then.
        let Some(process) = self.table.get_mut(&event.pid) else { return };
        if change == Change::Thread {
            return process.life.grows();
        }
        if change == Change::Session {
            return process.lineage.sessions.lead(event.pid, process.start);
        }
        // The table stands for the process, which has the identity of its first thread: the
        // C library changes that of all.
        let Some(identity) = process.identity.as_mut().filter(|_| event.pid == event.tid) else {
            return;
        };
        match change {
            Change::User => identity.uid = event.uid,
            Change::Group => identity.gid = event.gid,
            Change::Name => identity.comm = comm(&event.comm),
            Change::Thread | Change::Session => {}
        }
    }

    fn told_fork(&mut self, event: &mut Event) {
        self.ended.remove(event.pid);
        self.strays.remove(event.pid);
        self.remove(event.pid);
        let start = self.start_of(event.pid, event.time_ns);
        event.start = start;
        let parent = event.ppid.and_then(|ppid| Some((ppid, self.identified(ppid)?)));
        let Some((ppid, parent)) = parent else {
            // The parent is gone. The child may be there.
            match self.identified(event.pid) {
                Some(child) => {
                    tell(child.identity, event);
                    self.tell(child.start, &child.lineage, event);
                    self.tell_program(event.pid, child.program(), event);
                    self.set_life(event.pid, Life::ONE);
                }
                None => tell(None, event),
            }
            return;
        };
        tell(parent.identity, event);
        let lineage = Lineage::of_child(&parent, start);
        self.tell(start, &lineage, event);
        self.tell_program(ppid, parent.program(), event);
        // What /proc said of the parent may have become so after the fork.
        let known_too_late = event.time_ns < parent.executable_look.ended_ns;
        let child = Process {
            ppid: event.ppid,
            executable: self.strings.hold_again(parent.executable),
            executable_kind: parent.executable_kind,
            executable_look: if known_too_late { Look::NEVER } else { parent.executable_look },
            excluded_with: parent.excluded_with,
            forked_ns: event.time_ns,
            start,
            lineage: self.hold_lineage(lineage),
            identity: parent.identity,
            life: Life::ONE,
            ..self.nowhere()
        };
        self.insert(event.pid, child);
    }

    fn told_exec(&mut self, event: &mut Event) {
        // Whoever had its id has ended; it lives.
        self.ended.remove(event.pid);
        self.strays.unite(event.pid);
        let before = self.identified(event.pid);
        if let Some(before) = before {
            event.ppid = before.ppid;
            self.tell(before.start, &before.lineage, event);
        }
        // Everything below is of now, not of then.
        event.flags.insert(Flags::EXECUTABLE_UNRESOLVED);
        let began_ns = (self.now_ns)();
        if let Some(path) = self.proc.link(event.pid, format_args!("exe"), &mut self.link) {
            let (path, kind) = proc::executable(path);
            event.executable_kind = kind;
            replace(&mut event.path, path);
            replace(&mut event.executable, &event.path);
        }
        match self.proc.arguments(event.pid, &mut event.args) {
            Arguments::Unread => event.flags.insert(Flags::ARGS_UNREAD),
            Arguments::Cut => event.truncated.insert(Truncated::ARGS),
            Arguments::Whole(count) => event.args_count = Some(count),
        }
        let now = self.proc.identity(event.pid).map(|(identity, _)| identity);
        let view = self.host.view(&self.proc, event.pid, &mut self.link);
        if let (Some(view), Some(before)) = (view, before) {
            // Nobody tells of its namespaces, and of what it opens.
            let mut lineage = Lineage { is_looked_at: false, ..before.lineage };
            self.find_container(event.pid, view, &mut lineage);
            if let Some(stat) = self.proc.stat(event.pid) {
                lineage.sessions = self.sessions(event.pid, stat);
            }
            self.tell(before.start, &lineage, event);
            if let Some(process) = self.table.get_mut(&event.pid) {
                process.lineage = lineage;
            }
        }
        let view = view.unwrap_or(View::UserNamespace);
        let known = !event.path.is_empty();
        if known {
            view.mark(event);
        } else {
            // Gone, or ended and not waited for.
            event.flags.insert(Flags::PATH_UNREAD);
        }
        // The ids of then are known from before; the name comes with the program.
        let identity = Identity {
            comm: now.filter(|_| known).unwrap_or(Identity::UNKNOWN).comm,
            ..before.and_then(|process| process.identity).or(now).unwrap_or(Identity::UNKNOWN)
        };
        identity.tell(event);
        let executable = if known { self.hold(&event.path) } else { None };
        let look = if known { self.look(began_ns, view) } else { Look::NEVER };
        let Some(process) = self.table.get_mut(&event.pid) else {
            let mut life = Life::default();
            life.executes();
            let process = Process {
                ppid: event.ppid,
                executable,
                executable_kind: event.executable_kind,
                executable_look: look,
                identity: Some(identity),
                life,
                ..self.nowhere()
            };
            self.insert(event.pid, process);
            return;
        };
        self.strings.give_back(process.executable);
        process.executable = executable;
        process.executable_kind = event.executable_kind;
        process.executable_look = look;
        process.executable_since_ns = None;
        process.identity = Some(identity);
        process.life.executes();
    }

    fn told_exit(&mut self, event: &mut Event) -> bool {
        let (pid, tid) = (event.pid, event.tid);
        if self.ended.contains(pid) {
            return false;
        }
        // Before it is asked who it was: it may be gone in between.
        let known = self.identified(pid);
        let mut life = known.map_or(Life::default(), |process| process.life);
        let end = End {
            leader: pid == tid,
            time_ns: event.time_ns,
            status: event.exit_status.unwrap_or(0),
        };
        let proc = &self.proc;
        let status = life.ends(end, |leader_ended| proc.others_live(pid, tid, leader_ended));
        let Some(status) = status else {
            self.set_life(pid, life);
            return false;
        };
        event.exit_status = Some(status);
        tell(known.and_then(|process| process.identity), event);
        if let Some(process) = known {
            event.ppid = process.ppid.or(event.ppid);
            self.tell(process.start, &process.lineage, event);
            if process.executable.is_some() {
                self.tell_program(pid, process.program(), event);
            }
        }
        self.remove(pid);
        self.strays.remove(pid);
        self.ended.insert(pid);
        true
    }

    /// What the table or /proc knows of a process, with its identity.
    fn identified(&mut self, pid: u32) -> Option<Process> {
        if let Some(process) = self.table.get(&pid)
            && process.identity.is_some()
        {
            return Some(*process);
        }
        let began_ns = (self.now_ns)();
        let (identity, ppid) = self.proc.identity(pid)?;
        if let Some(process) = self.table.get_mut(&pid) {
            process.identity = Some(identity);
            return Some(*process);
        }
        let stat = self.proc.stat(pid);
        let start = stat.map(|stat| stat.start);
        let mut lineage = start.map_or(Lineage::default(), |start| self.read_lineage(ppid, start));
        let (executable, executable_kind) = self.read_executable(pid);
        let view = self.host.view(&self.proc, pid, &mut self.link);
        self.find_container(pid, view.unwrap_or(View::Host), &mut lineage);
        if let Some(stat) = stat {
            lineage.sessions = self.sessions(pid, stat);
        }
        let process = Process {
            ppid: Some(ppid),
            executable,
            executable_kind,
            executable_look: self.look(began_ns, view.unwrap_or(View::UserNamespace)),
            excluded_with: self.excluded_with(ppid),
            start,
            lineage,
            identity: Some(identity),
            ..self.nowhere()
        };
        self.insert(pid, process);
        self.table.get(&pid).copied()
    }

    fn set_life(&mut self, pid: u32, life: Life) {
        if let Some(process) = self.table.get_mut(&pid) {
            process.life = life;
        }
    }

    /// A process of which nothing is known. Its place is not asked for: there are no names in
    /// what such a provider tells.
    fn nowhere(&self) -> Process {
        Process {
            ppid: None,
            executable: None,
            executable_kind: None,
            executable_look: Look::NEVER,
            executable_since_ns: None,
            excluded_with: None,
            forked_ns: 0,
            start: None,
            memfd: None,
            lineage: Lineage::default(),
            place: Place::unknown(self.epoch),
            sharing: Sharing::Own,
            identity: None,
            life: Life::default(),
        }
    }
}

fn tell(identity: Option<Identity>, event: &mut Event) {
    identity.unwrap_or(Identity::UNKNOWN).tell(event);
}
