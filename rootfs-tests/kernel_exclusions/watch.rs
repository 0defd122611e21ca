//! A provider, and what came of it.

use crate::support::again;
use crate::support::worker::Worker;
use mote::event::{Action, Event, LossPlace};
use mote::sensor::pipeline::monotonic_ns;
use mote::source::ebpf::decode::{Decoded, decode};
use mote::source::ebpf::object::Kernel;
use mote::source::ebpf::{Ebpf, RingSizes, Taken};
use std::collections::BTreeMap;

/// An event of some process.
#[derive(Clone, Debug)]
pub struct Seen {
    pub pid: u32,
    /// Of a fork.
    pub ppid: Option<u32>,
    pub time_ns: u64,
    /// `None`: a relocation.
    pub action: Option<Action>,
    pub syscall: Option<u32>,
    pub path: Vec<u8>,
}

pub struct Watch {
    pub ebpf: Ebpf,
    pub seen: Vec<Seen>,
    /// Events that rings had no room for.
    pub ring_full: u64,
    /// Excluded, lost and suppressed, by process.
    pub unsent: BTreeMap<Option<u32>, [u64; 3]>,
    /// All of them, by system call.
    pub unsent_calls: BTreeMap<u32, u64>,
    event: Box<Event>,
}

/// Takes what is in the rings.
pub fn take(ebpf: &mut Ebpf, event: &mut Event, seen: &mut Vec<Seen>) -> u64 {
    let mut full = 0;
    loop {
        let mut note = |loss: mote::event::Loss| {
            if loss.place == LossPlace::RingFull {
                full += loss.count;
            }
        };
        ebpf.refresh(&mut note);
        let taken = ebpf.drain(u64::MAX, usize::MAX, |taken| match taken {
            Taken::Loss(loss) => note(loss),
            Taken::Record { record, .. } => {
                event.clear();
                let decoded = decode(record, event).unwrap();
                seen.push(Seen {
                    pid: event.pid,
                    ppid: event.ppid,
                    time_ns: event.time_ns,
                    action: (decoded == Decoded::Event).then_some(event.action),
                    syscall: event.syscall,
                    path: event.path.to_vec(),
                });
            }
        });
        if taken == 0 {
            return full;
        }
    }
}

impl Watch {
    pub fn start() -> Watch {
        Watch::start_on(|kernel| kernel)
    }

    pub fn start_on(taken_for: fn(Kernel) -> Kernel) -> Watch {
        Watch {
            ebpf: Ebpf::start_on(RingSizes::default(), taken_for).unwrap(),
            seen: Vec::new(),
            ring_full: 0,
            unsent: BTreeMap::new(),
            unsent_calls: BTreeMap::new(),
            event: Box::default(),
        }
    }

    /// Takes all that is there by now: of a worker that has answered, all that it did.
    pub fn look(&mut self) {
        self.ring_full += take(&mut self.ebpf, &mut self.event, &mut self.seen);
        self.ebpf.read_unsent(|unsent| {
            let [excluded, lost, suppressed] = self.unsent.entry(unsent.pid).or_default();
            *excluded += unsent.excluded;
            *lost += unsent.lost;
            *suppressed += unsent.suppressed;
        });
        self.ebpf.read_unsent_calls(|number, new| {
            *self.unsent_calls.entry(number).or_default() += new;
        });
    }

    /// The events of a worker since the last time it was asked for.
    pub fn events(&mut self, worker: &Worker) -> Vec<Seen> {
        self.look();
        let pid = worker.pid();
        let (events, others) =
            std::mem::take(&mut self.seen).into_iter().partition(|e| e.pid == pid);
        self.seen = others;
        events
    }

    /// How many of them are of a kind; the others are forgotten.
    pub fn count(&mut self, worker: &Worker, action: Action) -> u64 {
        let events = self.events(worker);
        events.iter().filter(|event| event.action == Some(action)).count() as u64
    }

    /// When a worker executed its program.
    pub fn executed_ns(&mut self, worker: &Worker) -> u64 {
        let events = self.events(worker);
        let exec = events.iter().rfind(|event| event.action == Some(Action::Exec));
        self.expect(exec.is_some(), &format!("an exec of {}: {events:?}", worker.pid()));
        exec.unwrap().time_ns
    }

    /// A worker that is excluded from now on.
    pub fn exclude(&mut self, worker: &Worker) {
        assert!(self.ebpf.exclude(worker.pid(), monotonic_ns()), "{} is excluded", worker.pid());
    }

    /// How many calls of a process were dropped.
    pub fn excluded(&self, pid: u32) -> u64 {
        self.unsent.get(&Some(pid)).map_or(0, |[excluded, ..]| *excluded)
    }

    /// The same of all processes.
    pub fn excluded_in_all(&self) -> u64 {
        self.unsent.values().map(|[excluded, ..]| excluded).sum()
    }

    /// How many events of a process were lost.
    pub fn lost(&self, pid: u32) -> u64 {
        self.unsent.get(&Some(pid)).map_or(0, |[_, lost, _]| *lost)
    }

    /// How many events of a process were beyond its budget.
    pub fn suppressed(&self, pid: u32) -> u64 {
        self.unsent.get(&Some(pid)).map_or(0, |[.., suppressed]| *suppressed)
    }

    /// Fails, unless the kernel has skipped programs, which says nothing of what is tested.
    pub fn expect(&mut self, holds: bool, what: &str) {
        if holds {
            return;
        }
        let mut skipped = 0;
        self.ebpf.read_skipped(|loss| skipped += loss.count);
        if skipped != 0 {
            again("the kernel skipped programs while another was running");
        }
        panic!("{what}");
    }
}
