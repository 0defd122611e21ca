//! The provider that runs, as the loop sees it; and two of them while one takes over from the
//! other, so that no event is missed in between.

mod takeover;

use std::io;
use std::time::{Instant, SystemTime};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::SensorError;
use super::attempt::{Started, start_ebpf};
use super::pipeline::{Output, Pipeline, monotonic_ns};
use crate::host::provider::Wanted;
use crate::host::support::Refusal;
use crate::limits::{MESSAGES_PER_TURN, RECORDS_PER_TURN, RETIRING};
use crate::record::Provider;
use crate::say::warn;
use crate::source::ebpf::{self, Ebpf, Options, Retiring, cpus};
use crate::source::netlink::{self, Health, Netlink};

/// What there is to wait for, whichever it is: all of it is drained.
const SOURCE: Token = Token(2);

/// Between the stamp of a record and its arrival in the ring: microseconds, unless the
/// (virtual) CPU is taken away in between.
const MERGE_SLACK_NS: u64 = 1_000_000;

/// The provider that runs.
pub struct Providers {
    ebpf: Option<Box<Ebpf>>,
    netlink: Option<Box<Netlink>>,
    /// Why it is not eBPF.
    fallback: Option<Fallback>,
    /// Programs that do nothing any more, and are detached one by one, oldest first.
    retiring: heapless::Deque<Retiring, RETIRING>,
    /// Until then the one that was there before runs too.
    overlap_until: Option<Instant>,
    /// Until then it is known what that one told.
    told_until: Option<Instant>,
    since: SystemTime,
    options: Options,
}

/// Why it is not eBPF.
#[derive(Debug)]
pub enum Fallback {
    /// The configuration disables it.
    Disabled,
    /// It is not for this kernel.
    Unsupported(Refusal),
    /// It does not run.
    Failed(ebpf::StartError),
    /// It is detached for the time of a command.
    Paused,
}

/// How much a turn found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Nothing.
    Idle,
    /// All there was.
    Busy,
    /// As much as a turn takes; there is more.
    Full,
}

impl Providers {
    /// Starts the provider that is to be started.
    pub fn start(wanted: Wanted, options: Options) -> Result<Providers, SensorError> {
        let mut providers = Providers {
            ebpf: None,
            netlink: None,
            fallback: None,
            retiring: heapless::Deque::new(),
            overlap_until: None,
            told_until: None,
            since: SystemTime::now(),
            options,
        };
        match start_ebpf(wanted, options)? {
            Started::Ebpf(ebpf) => providers.ebpf = Some(ebpf),
            Started::Not(fallback) => match Netlink::start(monotonic_ns()) {
                Ok(netlink) => {
                    providers.netlink = Some(Box::new(netlink));
                    providers.fallback = Some(fallback);
                }
                Err(error) => return Err(SensorError::NoProvider(fallback, error)),
            },
        }
        Ok(providers)
    }

    /// The one that runs, or is to.
    pub fn active(&self) -> Provider {
        if self.fallback.is_none() { Provider::Ebpf } else { Provider::Netlink }
    }

    /// Why it is not eBPF.
    pub fn fallback(&self) -> Option<&Fallback> {
        self.fallback.as_ref()
    }

    /// eBPF, if it runs.
    pub fn ebpf(&self) -> Option<&Ebpf> {
        self.ebpf.as_deref().filter(|_| self.fallback.is_none())
    }

    /// The same, for its exclusions, as long as anything of it tells events.
    pub fn ebpf_mut(&mut self) -> Option<&mut Ebpf> {
        self.ebpf.as_deref_mut()
    }

    /// What was chosen at the start.
    pub fn options(&self) -> Options {
        self.options
    }

    /// When it was started.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// How many programs the kernel has still to detach.
    pub fn detaching(&self) -> usize {
        let overlapping = self.ebpf.as_ref().filter(|_| self.fallback.is_some());
        overlapping.map_or(0, |ebpf| ebpf.programs().count())
            + self.retiring.iter().map(Retiring::attached).sum::<usize>()
    }

    /// Whether nothing of eBPF is left in the kernel.
    pub fn is_detached(&self) -> bool {
        self.ebpf.is_none() && self.retiring.is_empty()
    }

    /// Learns the processes that are there already.
    pub fn scan(&self, pipeline: &mut Pipeline) {
        match self.active() {
            Provider::Ebpf => pipeline.scan_processes(),
            Provider::Netlink => pipeline.scan_identities(),
        }
    }

    /// Makes them wake the loop.
    pub fn register(&self, registry: &Registry) -> Result<(), SensorError> {
        if let Some(ebpf) = &self.ebpf {
            ebpf.fds().try_for_each(|fd| register(registry, fd))?;
        }
        self.netlink.as_ref().map_or(Ok(()), |netlink| register(registry, netlink.fd()))
    }

    /// Takes what there is, up to a turn's budget: all of what was before `end_ns`, or, as
    /// long as there is no end, what needs not wait for something older. `is_last`: what is missing
    /// of the process connector's messages by then does not come any more.
    pub fn drain(
        &mut self,
        end_ns: Option<u64>,
        is_last: bool,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<Turn, SensorError> {
        let now_ns = monotonic_ns();
        let mut turn = Turn::Idle;
        let horizon_ns = end_ns.unwrap_or(now_ns.saturating_sub(MERGE_SLACK_NS));
        // First eBPF: of an event that both tell, it tells more.
        if let Some(ebpf) = &mut self.ebpf {
            pipeline.set_provider(Provider::Ebpf, output);
            ebpf.refresh(|loss| pipeline.lose(loss));
            // Before the end of a process is read, since who it was is forgotten then.
            ebpf.read_new_unsent(|unsent| pipeline.count_unsent(unsent));
            let taken = ebpf.drain(horizon_ns, RECORDS_PER_TURN, |taken| match taken {
                ebpf::Taken::Record { class, cpu, record } => {
                    pipeline.record(class, cpu, record, output);
                }
                ebpf::Taken::Loss(loss) => pipeline.lose(loss),
            });
            let told_until_ns = if taken < RECORDS_PER_TURN { horizon_ns } else { 0 };
            pipeline.take_excluded(told_until_ns, |pid, known_ns| ebpf.leave_out(pid, known_ns));
            turn = turn.max(Turn::of(taken, RECORDS_PER_TURN));
        }
        if let Some(netlink) = &mut self.netlink {
            pipeline.set_provider(Provider::Netlink, output);
            // What eBPF is still to tell waits for it.
            let until_ns =
                if self.ebpf.is_some() { horizon_ns } else { end_ns.unwrap_or(u64::MAX) };
            let taken = netlink.drain(now_ns, until_ns, is_last, MESSAGES_PER_TURN, |t| match t {
                netlink::Taken::Message(message) => pipeline.message(message, output),
                netlink::Taken::Loss(loss) => pipeline.lose(loss),
            });
            let failed = |error| SensorError::Os("receive from the process connector", error);
            turn = turn.max(Turn::of(taken.map_err(failed)?, MESSAGES_PER_TURN));
        }
        pipeline.set_provider(self.active(), output);
        Ok(turn)
    }

    /// Reads what the kernel counted as lost elsewhere, or excluded.
    pub fn read_losses(&mut self, pipeline: &mut Pipeline) {
        if let Some(ebpf) = &mut self.ebpf {
            ebpf.read_skipped(|loss| pipeline.lose(loss));
        }
        self.read_counts(pipeline);
    }

    /// The same once a second: how often programs were skipped is read of a part of them each time.
    pub fn look_for_losses(&mut self, pipeline: &mut Pipeline) {
        if let Some(ebpf) = &mut self.ebpf {
            ebpf.read_next_skipped(|loss| pipeline.lose(loss));
        }
        self.read_counts(pipeline);
    }

    fn read_counts(&mut self, pipeline: &mut Pipeline) {
        if let Some(ebpf) = &mut self.ebpf {
            ebpf.read_unsent(|unsent| pipeline.count_unsent(unsent));
        }
        // What is counted comes with the next drain.
        if let Some(netlink) = &mut self.netlink {
            netlink.count_overrun();
        }
    }

    /// The same by system call: for a watch, at its beginning and at its end.
    pub fn read_unsent_calls(&mut self, pipeline: &mut Pipeline) {
        if let Some(ebpf) = &mut self.ebpf {
            ebpf.read_unsent_calls(|number, count| pipeline.count_unsent_calls(number, count));
        }
    }

    /// Whether a CPU loses its events until it is [looked after](Providers::look_after).
    pub fn lack_a_ring(&self) -> bool {
        self.ebpf.as_ref().is_some_and(|ebpf| ebpf.lacks_a_ring())
    }

    /// Looks whether events of all CPUs still come, and does what is needed. What fails is
    /// tried again the next time.
    pub fn look_after(
        &mut self,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        if self.ebpf.is_some() {
            self.look_after_rings(registry, pipeline, output)?;
        }
        let Some(netlink) = &mut self.netlink else { return Ok(()) };
        let now_ns = monotonic_ns();
        let health = netlink.look_after(now_ns).map_err(SensorError::Netlink);
        if let Ok(Health::Well) = health {
            return Ok(());
        }
        // It has another socket, whether that hears or not.
        self.register(registry)?;
        if let Health::Renewed(heard_ns) = health? {
            let seconds = now_ns.saturating_sub(heard_ns) / 1_000_000_000;
            warn(format_args!(
                "the process connector had stopped to send and was asked again: events of the \
                 last {seconds} seconds may be missing"
            ));
        }
        Ok(())
    }

    fn look_after_rings(
        &mut self,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        let Ok(online) = cpus::online() else { return Ok(()) };
        if self.ebpf.as_ref().is_none_or(|ebpf| !ebpf.lacks_cpus(&online)) {
            return Ok(());
        }
        // Rings of CPUs that went offline are closed: what is in them is read before.
        let end_ns = Some(monotonic_ns());
        while self.drain(end_ns, false, pipeline, output)? != Turn::Idle {}
        let Some(ebpf) = &mut self.ebpf else { return Ok(()) };
        let changed = ebpf.sync_cpus(&online).map_err(SensorError::Ebpf);
        changed.and(self.register(registry))
    }
}

impl Turn {
    fn of(taken: usize, budget: usize) -> Turn {
        match taken {
            0 => Turn::Idle,
            _ if taken == budget => Turn::Full,
            _ => Turn::Busy,
        }
    }
}

fn register(registry: &Registry, fd: i32) -> Result<(), SensorError> {
    match registry.register(&mut SourceFd(&fd), SOURCE, Interest::READABLE) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SensorError::Os("wait for events (epoll)", error))
        }
        _ => Ok(()),
    }
}
