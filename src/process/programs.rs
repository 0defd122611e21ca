//! Which processes execute what, for exclusions.

use super::place::View;
use super::{Process, Processes, proc};
use crate::event::{Bytes, RuleId, replace};
use crate::limits::{GENERATIONS, PATH_BYTES};

impl Processes {
    /// What a process executes, as far as is known.
    pub fn executable(&self, pid: u32) -> Option<&[u8]> {
        Some(self.strings.get(self.table.get(&pid)?.executable?))
    }

    /// What a process that lives executes now, whatever was told of it: of one that does not,
    /// nothing is changed.
    pub fn executable_now(&mut self, pid: u32, executable: &mut Bytes<PATH_BYTES>) {
        if let Some(path) = self.proc.link(pid, format_args!("exe"), &mut self.link) {
            replace(executable, proc::without_deleted(path));
        }
    }

    /// From when on it is certain what a process executes, in `CLOCK_MONOTONIC`. `None`: it is
    /// not, or the process has another root directory, below which any file can be anywhere.
    pub fn certain_since_ns(&self, pid: u32) -> Option<u64> {
        let process = self.table.get(&pid)?;
        process.executable_since_ns.filter(|_| process.place.view < View::OtherRoot)
    }

    /// Every process that is known, and what it executes.
    pub fn executables(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let executable = |process: &Process| Some(self.strings.get(process.executable?));
        self.table.iter().filter_map(move |(pid, process)| Some((*pid, executable(process)?)))
    }

    /// The exclusion that a process descends from.
    pub fn excluded_with(&self, pid: u32) -> Option<RuleId> {
        let (_, process) = self.table.get_index(self.find(pid)?)?;
        process.excluded_with
    }

    /// What a process starts from now on is excluded with it.
    pub fn exclude_children(&mut self, pid: u32, rule: RuleId) {
        if let Some(process) = self.table.get_mut(&pid) {
            process.excluded_with = Some(rule);
        }
    }

    /// Finds out anew whose children are excluded: those of the programs for which there is a
    /// `rule`, and theirs. Who descends from one that has ended by now is known by the exclusion
    /// that it had, if that is `kept`.
    pub fn mark_children(
        &mut self,
        rule: impl Fn(&[u8]) -> Option<RuleId>,
        kept: impl Fn(RuleId) -> Option<RuleId>,
    ) {
        let marked: Vec<(u32, Option<RuleId>)> = self
            .table
            .iter()
            .map(|(pid, process)| {
                let found = std::iter::successors(Some(*pid), |pid| self.living_parent(*pid))
                    .take(GENERATIONS)
                    .filter(|pid| self.certain_since_ns(*pid).is_some())
                    .find_map(|pid| rule(self.executable(pid)?));
                (*pid, found.or_else(|| kept(process.excluded_with?)))
            })
            .collect();
        for (pid, rule) in marked {
            if let Some(process) = self.table.get_mut(&pid) {
                process.excluded_with = rule;
            }
        }
    }

    /// The parent of a process, unless its id is that of a process that began later. Of a child
    /// that was there before events /proc told the parent, which then was the one of now.
    fn living_parent(&self, pid: u32) -> Option<u32> {
        let child = self.table.get(&pid)?;
        let ppid = child.ppid?;
        let parent = self.table.get(&ppid)?;
        (child.forked_ns == 0 || parent.forked_ns <= child.forked_ns).then_some(ppid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, Event};

    /// A fork of `parent` at a time, and the exec of `path` after it.
    fn begin(processes: &mut Processes, parent: u32, pid: u32, path: &str, time_ns: u64) {
        let mut event = Event::new();
        (event.action, event.pid, event.tid) = (Action::Fork, pid, pid);
        (event.ppid, event.time_ns, event.call_flags) = (Some(parent), time_ns, Some(0));
        processes.enrich(&mut event);
        let mut event = Event::new();
        (event.action, event.pid, event.tid) = (Action::Exec, pid, pid);
        (event.time_ns, event.ret) = (time_ns + 1, Some(0));
        event.path.extend_from_slice(path.as_bytes()).unwrap();
        processes.enrich(&mut event);
    }

    fn end(processes: &mut Processes, pid: u32, time_ns: u64) {
        let mut event = Event::new();
        (event.action, event.pid, event.tid, event.time_ns) = (Action::Exit, pid, pid, time_ns);
        processes.enrich(&mut event);
    }

    #[test]
    fn descendants_of_an_excluded_program_are_found() {
        const FIRST: u32 = 5_000_000;
        let mut processes = Processes::new(|| 1).unwrap();
        let own = std::process::id();
        begin(&mut processes, own, FIRST, "/usr/bin/make", 1_000);
        begin(&mut processes, FIRST, FIRST + 1, "/bin/sh", 2_000);
        begin(&mut processes, FIRST + 1, FIRST + 2, "/usr/bin/cc", 3_000);
        begin(&mut processes, own, FIRST + 3, "/bin/sh", 4_000);
        assert_eq!(processes.executable(FIRST + 1), Some(&b"/bin/sh"[..]));
        assert_eq!(processes.certain_since_ns(FIRST + 2), Some(3_001));
        let of_make = |path: &[u8]| (path == b"/usr/bin/make").then_some(RuleId(7));
        processes.mark_children(of_make, |_| None);
        let marked = |processes: &Processes, n| processes.excluded_with(FIRST + n);
        for (n, expected) in [(0, Some(7)), (1, Some(7)), (2, Some(7)), (3, None)] {
            assert_eq!(marked(&processes, n), expected.map(RuleId), "{n}");
        }
        // Who is made after that is one too, whatever it executes.
        begin(&mut processes, FIRST + 2, FIRST + 4, "/usr/bin/ld", 5_000);
        assert_eq!(marked(&processes, 4), Some(RuleId(7)));
        // One of them is gone: what it began stays known by what it was.
        end(&mut processes, FIRST + 1, 6_000);
        let renumbered = |rule: RuleId| (rule == RuleId(7)).then_some(RuleId(8));
        processes.mark_children(|path| of_make(path).map(|_| RuleId(8)), renumbered);
        for (n, expected) in [(0, Some(8)), (2, Some(8)), (3, None), (4, Some(8))] {
            assert_eq!(marked(&processes, n), expected.map(RuleId), "{n}");
        }
        processes.mark_children(|_| None, |_| None);
        assert_eq!(marked(&processes, 4), None);
    }

    /// An excluded program has the id of a process whose child still lives.
    #[test]
    fn a_child_of_a_process_that_had_its_id_is_no_descendant() {
        const FIRST: u32 = 5_000_000;
        let mut processes = Processes::new(|| 1).unwrap();
        let own = std::process::id();
        begin(&mut processes, own, FIRST, "/bin/sh", 1_000);
        begin(&mut processes, FIRST, FIRST + 1, "/usr/bin/cc", 2_000);
        end(&mut processes, FIRST, 3_000);
        begin(&mut processes, own, FIRST, "/usr/bin/make", 4_000);
        begin(&mut processes, FIRST, FIRST + 2, "/usr/bin/cc", 5_000);
        let of_make = |path: &[u8]| (path == b"/usr/bin/make").then_some(RuleId(7));
        processes.mark_children(of_make, |_| None);
        assert_eq!(processes.excluded_with(FIRST + 1), None);
        assert_eq!(processes.excluded_with(FIRST + 2), Some(RuleId(7)));
    }
}
