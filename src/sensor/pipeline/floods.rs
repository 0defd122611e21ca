//! What the flood guard of the kernel part kept back, reported by process.

use super::{Output, Pipeline};
use crate::event::{Action, Class, Loss, LossPlace, append};
use crate::stats::floods::{Flood, NOBODY};

impl Pipeline {
    /// Reports what was kept back of every process.
    pub(super) fn report_floods(&mut self, output: &mut impl Output) {
        while let Some((pid, count)) = self.stats.floods.take_next() {
            self.begin_own(Action::Loss);
            if pid != NOBODY {
                (self.event.pid, self.event.tid) = (pid, pid);
                self.processes.tell_who(&mut self.event);
            }
            self.write_flood(count, output);
        }
    }

    /// The same of a process whose end is the event: who it was is forgotten with that.
    pub(super) fn report_flood_of_ended(&mut self, output: &mut impl Output) {
        if self.event.action != Action::Exit {
            return;
        }
        let Some(count) = self.stats.floods.take(self.event.pid) else { return };
        core::mem::swap(&mut self.event, &mut self.own);
        self.begin_own(Action::Loss);
        (self.event.pid, self.event.tid) = (self.own.pid, self.own.pid);
        self.processes.tell_who(&mut self.event);
        // /proc may not have these any more.
        (self.event.uid, self.event.gid) = (self.own.uid, self.own.gid);
        self.event.comm.clear();
        append(&mut self.event.comm, &self.own.comm);
        self.write_flood(count, output);
        core::mem::swap(&mut self.event, &mut self.own);
    }

    fn write_flood(&mut self, count: u64, output: &mut impl Output) {
        let (class, cpu) = (Some(Class::Bulk), None);
        self.event.loss =
            Some(Loss { place: LossPlace::FloodGuard, class, cpu, receiver: None, count });
        let event = &self.event;
        self.stats.floods.note(event.pid, &event.executable, count, event.time_ns);
        self.write(output);
    }

    /// The last processes of which something was kept back.
    pub fn floods(&self) -> &[Flood] {
        self.stats.floods.last()
    }
}
