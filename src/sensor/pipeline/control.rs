//! What is asked of the pipeline beside events: a change of provider or of exclusions, a
//! watch, records of the sensor's own.

use super::{Class, Output, Pipeline};
use crate::event::{
    Action, Bytes, Capability, Heartbeat, Pause, Resumption, RuleId, Truncated, append,
};
use crate::filter::Filter;
use crate::limits::HOSTNAME_BYTES;
use crate::record::Provider;
use crate::sensor::overlap::Overlap;
use crate::sensor::watch::Watch;
use crate::source::ebpf::Unsent;

/// The sensor's.
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();

/// Who asked for a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Pipeline {
    /// From now on events come from this provider: a batch has one.
    pub fn set_provider(&mut self, provider: Provider, output: &mut impl Output) {
        if self.provider == provider {
            return;
        }
        self.finish_all(output);
        self.batches.iter_mut().for_each(|batch| batch.set_provider(provider));
        self.provider = provider;
    }

    /// Two providers run from now on.
    pub fn begin_overlap(&mut self) {
        self.overlap.get_or_insert_with(Overlap::new);
    }

    /// One does again.
    pub fn end_overlap(&mut self) {
        self.overlap = None;
    }

    /// Forgets what is known of processes, and looks at those that live.
    pub fn learn_anew(&mut self) {
        self.processes.learn_anew();
        // They have no exclusion yet that could be kept.
        self.mark_children(|_| None);
    }

    /// What is to be excluded, and how often it was.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Other exclusions. Rules that stay keep their counts, and the descendants of a process.
    pub fn set_filter(&mut self, mut filter: Filter) {
        filter.keep_hits(&self.filter);
        let before = core::mem::replace(&mut self.filter, filter);
        self.mark_children(|id| before.rule(id).map(|rule| &*rule.path));
    }

    /// `before`: the program that a rule was for.
    fn mark_children<'a>(&mut self, before: impl Fn(RuleId) -> Option<&'a [u8]>) {
        let filter = &self.filter;
        let rule = |path: &[u8]| -> Option<RuleId> {
            let (rule, children) = filter.process_rule(path)?;
            children.then_some(rule)
        };
        self.processes.mark_children(rule, |id| rule(before(id)?));
    }

    /// The processes that are excluded, for the kernel part, and from when on that is certain
    /// (`CLOCK_MONOTONIC`).
    pub fn excluded_processes(&self) -> impl Iterator<Item = (u32, u64)> {
        self.processes.executables().filter_map(|(pid, _)| {
            Some((pid, self.processes.certain_since_ns(pid)?)).filter(|_| self.is_excluded(pid))
        })
    }

    fn is_excluded(&self, pid: u32) -> bool {
        let program = self.processes.executable(pid);
        program.is_some_and(|path| self.filter.process_rule(path).is_some())
            || self.processes.excluded_with(pid).is_some()
    }

    /// Processes that the kernel part is to leave out since the last call, and from when on
    /// that is certain; or that it is to leave out no longer (`None`). `each` answers whether
    /// something happened since then in the process's place, perhaps to another one.
    ///
    /// What is certain may be of long ago, and on a busy host something happens in every place
    /// sooner or later. Such a process is noted with the time of now. Once all that was before
    /// then has been told (`told_until_ns`), and this is still what the process executes, it is
    /// certain that it was so then.
    pub fn take_excluded(
        &mut self,
        told_until_ns: u64,
        mut each: impl FnMut(u32, Option<u64>) -> bool,
    ) {
        let mut renewed = core::mem::take(&mut self.renewed);
        renewed.retain(|&(pid, at_ns)| {
            if at_ns >= told_until_ns {
                return true;
            }
            // What was forgotten and learnt again since is certain from a later time on.
            let is_certain = self.processes.certain_since_ns(pid).is_some_and(|ns| ns <= at_ns);
            if is_certain && self.is_excluded(pid) {
                each(pid, Some(at_ns));
            }
            false
        });
        for (pid, excluded) in core::mem::take(&mut self.newly_excluded) {
            if !excluded {
                each(pid, None);
                continue;
            }
            let Some(since_ns) = self.processes.certain_since_ns(pid) else { continue };
            let is_noted = renewed.iter().any(|(noted, _)| *noted == pid);
            if each(pid, Some(since_ns)) && !is_noted {
                // One that finds no room is noted by its next event.
                let _ = renewed.push((pid, (self.now_ns)()));
            }
        }
        self.renewed = renewed;
    }

    /// Whether the kernel part is to leave out nobody, until it is told anew.
    pub fn take_exclusions_in_doubt(&mut self) -> bool {
        core::mem::take(&mut self.exclusions_in_doubt)
    }

    /// Events of a process that the kernel part did not send.
    pub fn count_unsent(&mut self, unsent: Unsent) {
        let Unsent { pid, excluded, lost, suppressed } = unsent;
        let executable = pid.and_then(|pid| self.processes.executable(pid));
        let own = executable.and_then(|path| self.filter.process_rule(path)).map(|(id, _)| id);
        let rule = own.or_else(|| self.processes.excluded_with(pid?));
        self.stats.totals.received += excluded;
        self.stats.totals.excluded += excluded;
        if let Some(rule) = rule {
            self.filter.count(rule, excluded);
        }
        if let Some(watch) = &mut self.watch {
            watch.note_unsent(executable, excluded, lost + suppressed);
        }
        self.stats.suppress(pid, suppressed);
    }

    /// The same by system call.
    pub fn count_unsent_calls(&mut self, number: u32, count: u64) {
        if let Some(watch) = &mut self.watch {
            watch.note_calls(number, count);
        }
    }

    /// Begins to count what causes events.
    pub fn begin_watch(&mut self) {
        self.watch = Some(Box::new(Watch::new()));
    }

    /// Ends that.
    pub fn end_watch(&mut self) -> Option<Box<Watch>> {
        self.watch.take()
    }

    /// Says that the sensor lives.
    pub fn write_heartbeat(&mut self, heartbeat: Heartbeat, output: &mut impl Output) {
        self.begin_own(Action::Heartbeat);
        self.event.heartbeat = Some(heartbeat);
        append(&mut self.event.from, VERSION);
        self.write(output);
    }

    /// Says what it sees from now on. `missing`: hooks that this kernel does not have.
    pub fn write_capability(
        &mut self,
        capability: Capability,
        missing: &[String],
        output: &mut impl Output,
    ) {
        self.begin_own(Action::Capability);
        self.event.capability = Some(capability);
        append(&mut self.event.from, VERSION);
        append(&mut self.event.path, rustix::system::uname().release().to_bytes());
        for hook in missing {
            let cut = append(&mut self.event.args, hook.as_bytes())
                || append(&mut self.event.args, b"\0");
            if cut {
                self.event.truncated.insert(Truncated::ARGS);
                break;
            }
        }
        self.write(output);
    }

    /// The host has another name from now on.
    pub fn set_hostname(&mut self, hostname: &Bytes<HOSTNAME_BYTES>, output: &mut impl Output) {
        self.finish_all(output);
        self.batches.iter_mut().for_each(|batch| batch.set_hostname(hostname));
    }

    /// What every event of a batch has is about to change.
    fn finish_all(&mut self, output: &mut impl Output) {
        Class::ALL.into_iter().for_each(|class| self.finish(class, output));
    }

    /// Says that eBPF is detached.
    pub fn write_pause(&mut self, asker: Asker, limit_s: u32, output: &mut impl Output) {
        self.begin_own(Action::Pause);
        (self.event.pid, self.event.tid) = (asker.pid, asker.pid);
        self.processes.tell_who(&mut self.event);
        (self.event.uid, self.event.gid) = (asker.uid, asker.gid);
        // It lives, unless it was killed meanwhile: /proc is right whatever was lost before.
        self.processes.executable_now(asker.pid, &mut self.event.executable);
        self.event.pause = Some(Pause { limit_s });
        self.write(output);
    }

    /// Says that it is attached again.
    pub fn write_resume(&mut self, why: Resumption, output: &mut impl Output) {
        self.begin_own(Action::Resume);
        self.event.resumption = Some(why);
        self.write(output);
    }

    pub(super) fn begin_own(&mut self, action: Action) {
        self.event.clear();
        self.event.action = action;
        self.event.time_ns = (self.now_ns)();
    }
}
