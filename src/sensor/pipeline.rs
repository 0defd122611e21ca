//! Record → event → known process → not excluded → batch. No I/O but /proc; no heap.

mod control;
mod floods;

pub use control::Asker;

use rustix::time::{ClockId, clock_gettime};

use super::overlap::Overlap;
use super::watch::Watch;
use crate::event::{Action, Bytes, Class, Event, IfLost, Loss, LossPlace, Relocation};
use crate::filter::{Filter, RuleKind};
use crate::limits::{LINE_BYTES, NEWLY_EXCLUDED};
use crate::process::{self, Processes};
use crate::record::{Context, Encoder, Provider, PushError};
use crate::source::ebpf::decode::{Decoded, decode};
use crate::source::netlink::decode::{Message, Told};
use crate::stats::{Stats, Totals};

/// Where finished lines go.
pub trait Output {
    /// Takes a line that carries `events` events. A reader who does not get it misses
    /// `if_lost`: these, and those that its loss records count.
    fn offer(&mut self, class: Class, events: u32, if_lost: &IfLost, line: &[u8]);
}

/// The stages between the rings and the sink.
pub struct Pipeline {
    /// The clock of the events.
    now_ns: fn() -> u64,
    event: Box<Event>,
    /// For a record of the sensor's own while there is an event.
    own: Box<Event>,
    processes: Processes,
    filter: Filter,
    /// By [`Class`].
    batches: [Box<Encoder>; 2],
    /// By [`Class`]: what a reader does not learn of without the batch.
    if_lost: [IfLost; 2],
    line: Box<Bytes<LINE_BYTES>>,
    sequence: u64,
    stats: Stats,
    provider: Provider,
    /// While two providers run.
    overlap: Option<Overlap>,
    /// While somebody watches.
    watch: Option<Box<Watch>>,
    /// Processes that the kernel part is to leave out from now on, or no longer.
    newly_excluded: heapless::Vec<(u32, bool), NEWLY_EXCLUDED>,
    /// Those of which that has to be certain anew, as of these times.
    renewed: heapless::Vec<(u32, u64), NEWLY_EXCLUDED>,
    /// What the kernel part leaves out is in doubt.
    exclusions_in_doubt: bool,
}

impl Pipeline {
    /// Everything that the stages need, allocated.
    pub fn new(context: Context, filter: Filter) -> rustix::io::Result<Pipeline> {
        Pipeline::with_capacity(context, filter, process::Capacity::default())
    }

    /// [`Pipeline::new`] with a table of processes of another size.
    pub fn with_capacity(
        context: Context,
        filter: Filter,
        processes: process::Capacity,
    ) -> rustix::io::Result<Pipeline> {
        Pipeline::with_clock(context, filter, processes, monotonic_ns)
    }

    /// The same by another clock than `CLOCK_MONOTONIC`, for events that are not of now.
    pub fn with_clock(
        context: Context,
        filter: Filter,
        processes: process::Capacity,
        now_ns: fn() -> u64,
    ) -> rustix::io::Result<Pipeline> {
        Ok(Pipeline {
            now_ns,
            event: Box::new(Event::new()),
            own: Box::new(Event::new()),
            processes: Processes::with_capacity(now_ns, processes)?,
            filter,
            provider: context.provider,
            overlap: None,
            watch: None,
            newly_excluded: heapless::Vec::new(),
            renewed: heapless::Vec::new(),
            exclusions_in_doubt: false,
            batches: Class::ALL.map(|class| Box::new(Encoder::new(class, context.clone()))),
            if_lost: Default::default(),
            line: Box::new(Bytes::new()),
            sequence: 0,
            stats: Stats::default(),
        })
    }

    /// Learns the processes that are there already.
    pub fn scan_processes(&mut self) {
        self.processes.scan();
    }

    /// Learns them for a provider that tells ids only.
    pub fn scan_identities(&mut self) {
        self.processes.scan_identities();
    }

    /// Totals since the start.
    pub fn totals(&self) -> Totals {
        self.stats.totals
    }

    /// One record from a ring of `class`.
    pub fn record(&mut self, class: Class, cpu: u32, bytes: &[u8], output: &mut impl Output) {
        self.event.clear();
        match decode(bytes, &mut self.event) {
            Err(_) => self.lose(Loss {
                place: LossPlace::Malformed,
                class: Some(class),
                cpu: u16::try_from(cpu).ok(),
                receiver: None,
                count: 1,
            }),
            Ok(Decoded::Relocation(to)) => self.relocate(to),
            Ok(Decoded::Both(to)) => {
                self.relocate(to);
                self.processes.enrich(&mut self.event);
                self.pass(output);
            }
            Ok(Decoded::Event) if self.processes.is_told_twice(&self.event) => {}
            // Reported already; but the connector does not tell where a child works, for one.
            Ok(Decoded::Event) if self.is_repeated(Provider::Ebpf) => {
                self.processes.enrich(&mut self.event);
            }
            Ok(Decoded::Event) => {
                self.report_flood_of_ended(output);
                self.note_ancestor();
                self.processes.enrich(&mut self.event);
                self.pass(output);
            }
        }
    }

    fn relocate(&mut self, to: Relocation) {
        self.processes.relocate(to, &mut self.event);
        // Its program is not certain any more.
        let moves = matches!(to, Relocation::Directory | Relocation::Unseen);
        if !moves && !self.note_excluded(false) {
            self.exclusions_in_doubt = true;
        }
    }

    /// One message of the process connector.
    pub fn message(&mut self, message: &Message, output: &mut impl Output) {
        self.event.clear();
        match message.tell(&mut self.event) {
            // The end of a thread may be that of its process: that is known afterwards.
            Told::Event if self.event.action == Action::Exit => {
                self.report_flood_of_ended(output);
                self.note_ancestor();
                if self.processes.complete(&mut self.event) && !self.is_repeated(Provider::Netlink)
                {
                    self.pass(output);
                }
            }
            Told::Event if self.is_repeated(Provider::Netlink) => {}
            Told::Event => {
                if self.processes.complete(&mut self.event) {
                    self.pass(output);
                }
            }
            Told::Change(change) => self.processes.change(change, &self.event),
            Told::Nothing => {}
        }
    }

    fn is_repeated(&mut self, by: Provider) -> bool {
        self.overlap.as_mut().is_some_and(|overlap| overlap.is_repeated(by, &self.event))
    }

    /// Which exclusion a process descends from that ends: it is forgotten with its process.
    fn note_ancestor(&mut self) {
        if self.event.action == Action::Exit {
            self.event.excluded_ancestor = self.processes.excluded_with(self.event.pid);
        }
    }

    /// An event that is complete.
    fn pass(&mut self, output: &mut impl Output) {
        let pid = self.event.pid;
        if self.event.action != Action::Exit {
            self.event.excluded_ancestor = self.processes.excluded_with(pid);
        }
        self.stats.totals.received += 1;
        if let Some(watch) = &mut self.watch {
            watch.note(&self.event);
        }
        let Some(id) = self.filter.excluded_by(&self.event) else { return self.write(output) };
        self.stats.totals.excluded += 1;
        if let Some(watch) = &mut self.watch {
            watch.note_excluded();
        }
        let Some(rule) = self.filter.rule(id).filter(|rule| rule.kind == RuleKind::Process) else {
            return;
        };
        if rule.children {
            self.processes.exclude_children(pid, id);
        }
        // The kernel part leaves out what it does from now on.
        self.processes.doubt_sessions(pid);
        self.note_excluded(self.event.action != Action::Exit);
    }

    /// For the kernel part. Whether there was room.
    fn note_excluded(&mut self, excluded: bool) -> bool {
        let noted = (self.event.pid, excluded);
        self.newly_excluded.last() == Some(&noted) || self.newly_excluded.push(noted).is_ok()
    }

    /// Counts a loss, to be reported with the next [`flush`](Pipeline::flush), and forgets
    /// what it makes doubtful.
    pub fn lose(&mut self, loss: Loss) {
        use LossPlace::{Connector, Malformed, ProgramSkipped, RingFull, RingOutput};
        match (loss.place, loss.class) {
            _ if loss.count == 0 => {}
            (ProgramSkipped, _) => {
                // Perhaps one that would have ended an exclusion in the kernel.
                self.exclusions_in_doubt = true;
                self.processes.forget();
            }
            (Connector, _) | (RingFull | RingOutput | Malformed, Some(Class::Priority)) => {
                self.processes.forget();
            }
            (RingFull | RingOutput | Malformed, _) => self.processes.forget_places(),
            _ => {}
        }
        self.stats.lose(loss);
    }

    /// Counts what a receiver did not take: see [`Stats::shed`].
    pub fn shed(&mut self, losses: impl Iterator<Item = Loss>, new_events: u64) {
        self.stats.shed(losses, new_events);
    }

    /// Reports losses, and finishes the batches.
    pub fn flush(&mut self, output: &mut impl Output) {
        self.flush_priority(output);
        self.finish(Class::Bulk, output);
    }

    /// Reports losses, and finishes the batch of what cannot wait.
    pub fn flush_priority(&mut self, output: &mut impl Output) {
        let unplaced = self.processes.take_unplaced();
        self.stats.lose(Loss {
            place: LossPlace::ProcessTable,
            class: None,
            cpu: None,
            receiver: None,
            count: unplaced,
        });
        while let Some(loss) = self.stats.unreported() {
            self.event.clear();
            self.event.action = Action::Loss;
            self.event.time_ns = (self.now_ns)();
            self.event.loss = Some(loss);
            self.stats.reported(loss);
            self.write(output);
        }
        self.report_floods(output);
        self.finish(Class::Priority, output);
    }

    /// Whether a batch has something in it.
    pub fn is_empty(&self) -> bool {
        self.batches.iter().all(|batch| batch.is_empty())
            && self.stats.unreported().is_none()
            && self.stats.floods.is_empty()
    }

    fn write(&mut self, output: &mut impl Output) {
        let class = self.event.action.class();
        self.event.sequence = self.sequence + 1;
        let mut result = self.batches[class as usize].push(&self.event);
        if result == Err(PushError::Full) {
            self.finish(class, output);
            result = self.batches[class as usize].push(&self.event);
        }
        if result == Err(PushError::TooLarge) {
            // Unrelated paths near their capacity.
            self.event.shed();
            result = self.batches[class as usize].push(&self.event);
        }
        match result {
            Ok(()) => {
                self.sequence += 1;
                self.if_lost[class as usize].add(&self.event);
            }
            Err(_) => self.stats.lose(Loss {
                place: LossPlace::BatchFull,
                class: Some(class),
                cpu: None,
                receiver: None,
                count: self.event.if_lost(),
            }),
        }
    }

    fn finish(&mut self, class: Class, output: &mut impl Output) {
        let encoder = &mut self.batches[class as usize];
        if encoder.is_empty() {
            return;
        }
        encoder.set_boot_time(nanoseconds(ClockId::Realtime) - nanoseconds(ClockId::Boottime));
        let events = encoder.finish(realtime_offset_ns(), &mut self.line);
        let if_lost = core::mem::take(&mut self.if_lost[class as usize]);
        output.offer(class, events as u32, &if_lost, &self.line);
    }
}

/// `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns` has it.
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic) as u64
}

/// Unix time less `CLOCK_MONOTONIC`: read anew for every batch, since clocks are set.
fn realtime_offset_ns() -> i64 {
    nanoseconds(ClockId::Realtime) - nanoseconds(ClockId::Monotonic)
}

fn nanoseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
