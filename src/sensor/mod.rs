//! The loop: the only module that names every stage.

mod attempt;
mod complaint;
mod error;
mod overlap;
mod pause;
pub mod pipeline;
mod providers;
mod report;
mod serve;
mod settings;
mod watch;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::control::server::{ClientId, Server};
use crate::event::{Bytes, Capability, Class};
use crate::host::boot::{BOOT_ID, boot_id};
use crate::host::distribution::Distribution;
use crate::limits::HOSTNAME_BYTES;
use crate::record::{Context, Provider};
use crate::say::{self, say, warn};
use crate::sink::{Sink, State, Target};
use crate::source::ebpf::Options;
use crate::stats::Totals;
use crate::syscalls::Arch;
use complaint::Complaint;
pub use error::SensorError;
use pause::Pausing;
use pipeline::{Output, Pipeline, monotonic_ns};
use providers::Turn;
pub use providers::{Fallback, Providers};
use report::hostname;
pub use settings::Settings;

const SIGNALS: Token = Token(0);
const SINK: Token = Token(1);

/// How long an event waits in a ring that is not filled to its watermark: while there is
/// something to do, and while there is not.
const BUSY_TICK: Duration = Duration::from_millis(50);
const IDLE_TICK: Duration = Duration::from_millis(200);
/// How long an event waits in a batch that is not full.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);
/// How often the kernel's loss counters, the CPUs and the managed configuration are looked at.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);
/// How long the receiver may take for what is left at the end.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// A started sensor.
pub struct Sensor {
    poll: Poll,
    signals: Signals,
    providers: Providers,
    pipeline: Pipeline,
    sink: Sink,
    target: Target,
    /// `None`: no command can reach this sensor, which it has said.
    server: Option<Server>,
    settings: Settings,
    pause: Option<Pausing>,
    watch: Option<Watching>,
    source_lacking: Complaint,
    delivery: Complaint,
    distribution: Distribution,
    started: Instant,
    /// When something was last lost, and how much until then, without what the flood guard kept
    /// back.
    lost_at: Option<Instant>,
    lost: u64,
    next_heartbeat: Instant,
    heartbeat_interval: Duration,
    /// What was last said that it sees. `None`: that may have changed.
    capability: Option<Capability>,
    hostname: Bytes<HOSTNAME_BYTES>,
    /// What is said is in the journal already, and would be there twice.
    log_is_journal: bool,
}

/// A client that waits for statistics.
struct Watching {
    client: ClientId,
    pid: u32,
    began: Instant,
    seconds: u32,
    top: u32,
    /// As it began.
    provider: Provider,
}

impl Output for Sink {
    fn offer(&mut self, class: Class, events: u32, if_lost: u64, line: &[u8]) {
        Sink::offer(self, class, events, if_lost, line);
    }
}

impl Sensor {
    /// Attaches, learns what runs already, and begins to connect to the receiver.
    pub fn start(
        mut settings: Settings,
        target: &Target,
        runtime_dir: &Path,
        options: Options,
        heartbeat_interval: Duration,
    ) -> Result<Sensor, SensorError> {
        if settings.claim() {
            settings.read_local_again();
        }
        if let Some(issue) = settings.claim_issue() {
            warn(format_args!("{}; {}", issue.problem, issue.remedy));
        }
        // The first look at the clock opens /proc/self/auxv before 6.4 (rustix's vDSO), and
        // panics where that fails: so before descriptors can run out.
        let _ = monotonic_ns();
        let os = |what| move |error: io::Error| SensorError::Os(what, error);
        let poll = Poll::new().map_err(os("wait for events (epoll)"))?;
        // Signals first: one that comes while the programs are loaded is not missed.
        let mut signals =
            Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(os("wait for signals"))?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(os("wait for signals"))?;
        let hostname = hostname();
        let sink = Sink::open(target, &String::from_utf8_lossy(&hostname), poll.registry(), SINK)
            .map_err(SensorError::Sink)?;
        if let (Target::Unix(_), State::Down(error)) = (target, sink.state()) {
            return Err(SensorError::NoReceiver(error));
        }
        let boot_id = boot_id().map_err(|error| SensorError::Proc(BOOT_ID, error))?;
        let providers = Providers::start(settings.wanted(), options)?;
        let context = Context {
            boot_id,
            start_ns: monotonic_ns(),
            hostname: hostname.clone(),
            arch: Arch::HOST,
            provider: providers.active(),
        };
        let mut pipeline = Pipeline::new(context, settings.filter())
            .map_err(|error| SensorError::Proc("/proc", error.into()))?;
        // After attaching: a process that starts in between is seen by one or the other.
        providers.scan(&mut pipeline);
        providers.register(poll.registry())?;
        let server = match Server::bind(runtime_dir, poll.registry()) {
            Ok(server) => Some(server),
            Err(error) => {
                warn(format_args!("{error}"));
                None
            }
        };
        let mut sensor = Sensor {
            poll,
            signals,
            providers,
            pipeline,
            sink,
            target: target.clone(),
            server,
            settings,
            pause: None,
            watch: None,
            source_lacking: Complaint::default(),
            delivery: Complaint::default(),
            distribution: Distribution::read(),
            started: Instant::now(),
            lost_at: None,
            lost: 0,
            next_heartbeat: Instant::now(),
            heartbeat_interval,
            capability: None,
            hostname,
            log_is_journal: *target == Target::default() && say::goes_to_journal(),
        };
        sensor.apply_filter()?;
        Ok(sensor)
    }

    /// The providers, for what is said at the start.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Runs until SIGTERM or SIGINT. Not before the receiver has what was seen, if it takes it.
    pub fn run(mut self) -> Result<(), SensorError> {
        let mut events = Events::with_capacity(64);
        let mut tick = BUSY_TICK;
        let mut next_flush = Instant::now() + FLUSH_INTERVAL;
        let mut next_housekeeping = Instant::now();
        loop {
            let sink_in = self.sink.deadline().map(|at| at.duration_since(Instant::now()));
            let timeout = tick.min(sink_in.unwrap_or(tick));
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(SensorError::Os("wait for events (epoll)", error));
                }
                _ => {}
            }
            let mut ending = false;
            let mut reloads = false;
            for event in &events {
                match event.token() {
                    SIGNALS => self.signals.pending().for_each(|signal| match signal {
                        SIGHUP => reloads = true,
                        _ => ending = true,
                    }),
                    SINK => self.sink.ready(self.poll.registry(), event),
                    token if Server::has(token) => self.serve(token)?,
                    _ => {}
                }
            }
            if ending || self.sink.is_closed() {
                break;
            }
            let now = Instant::now();
            self.sink.tick(self.poll.registry(), now);
            tick = match self.drain(None, false)? {
                Turn::Full => Duration::ZERO,
                Turn::Idle => IDLE_TICK,
                Turn::Busy => BUSY_TICK,
            };
            if self.advance(now)? {
                tick = tick.min(BUSY_TICK);
            }
            if reloads {
                self.reload()?;
            }
            if now >= next_housekeeping {
                self.keep_house(now)?;
                next_housekeeping = now + HOUSEKEEPING_INTERVAL;
            }
            if now >= next_flush {
                self.flush();
                next_flush = now + FLUSH_INTERVAL;
            }
            self.note_shed();
            self.send_log();
        }
        self.end()
    }

    /// What goes on beside events: a change of providers, a pause, a watch, clients. Whether
    /// there is more of it to do soon.
    fn advance(&mut self, now: Instant) -> Result<bool, SensorError> {
        let more = self.providers.advance(now, &mut self.pipeline, &mut self.sink)?;
        self.look_after_pause(now)?;
        self.look_after_watch(now)?;
        if let Some(server) = &mut self.server {
            server.tick(self.poll.registry(), now);
        }
        Ok(more)
    }

    /// Finishes batches that are not full. While a receiver is slow, those of file events
    /// had better fill up; while there is none, all of them.
    fn flush(&mut self) {
        if self.sink.backlog() == 0 {
            self.pipeline.flush(&mut self.sink);
        } else if self.sink.state() == State::Ready {
            self.pipeline.flush_priority(&mut self.sink);
        }
    }

    fn drain(&mut self, end_ns: Option<u64>, is_last: bool) -> Result<Turn, SensorError> {
        let turn = self.providers.drain(end_ns, is_last, &mut self.pipeline, &mut self.sink);
        if self.pipeline.take_exclusions_in_doubt() {
            self.push_exclusions();
        }
        turn
    }

    /// Tells the kernel part anew whom it is to leave out.
    fn push_exclusions(&mut self) {
        if let Some(ebpf) = self.providers.ebpf_mut() {
            ebpf.include_all();
            for (pid, since_ns) in self.pipeline.excluded_processes() {
                ebpf.exclude(pid, since_ns);
            }
        }
    }

    /// Takes everything that was before this moment. `is_last`: nothing is taken after it.
    fn drain_all(&mut self, is_last: bool) -> Result<(), SensorError> {
        let end_ns = Some(monotonic_ns());
        while self.drain(end_ns, is_last)? != Turn::Idle {}
        Ok(())
    }

    /// What fails here is tried again the next time: a CPU may go offline between two looks.
    fn keep_house(&mut self, now: Instant) -> Result<(), SensorError> {
        self.providers.read_losses(&mut self.pipeline);
        self.look_at_delivery();
        let registry = self.poll.registry();
        let kept = self.providers.look_after(registry, &mut self.pipeline, &mut self.sink);
        let missing = match self.providers.active() {
            Provider::Ebpf => "events of that CPU",
            Provider::Netlink => "events",
        };
        if let Some(error) = self.source_lacking.news(kept.err()) {
            warn(format_args!(
                "{error}; it is tried again every second, and {missing} are missing until it works"
            ));
        }
        let Totals { lost, suppressed, .. } = self.pipeline.totals();
        // Who floods is an issue of its own.
        let lost = lost.saturating_sub(suppressed);
        if lost > self.lost {
            (self.lost, self.lost_at) = (lost, Some(now));
        }
        if self.settings.claim() || self.settings.has_changed() {
            self.reload()?;
        }
        self.look_at_hostname();
        self.tell_capability();
        if now >= self.next_heartbeat {
            self.beat();
        }
        Ok(())
    }

    /// Says what keeps records from being delivered, once.
    fn look_at_delivery(&mut self) {
        let problem = match self.sink.state() {
            State::Down(error) => Some(io::Error::from(error)),
            // Another attempt: it will show.
            State::Connecting => return,
            State::Ready | State::Closed => None,
        };
        if let Some(error) = self.delivery.news(problem) {
            warn(format_args!(
                "records cannot be delivered ({error}): they wait in memory, and what finds no \
                 room there is counted; it is tried again until it works"
            ));
        }
    }

    /// Counts what the sink could not deliver.
    fn note_shed(&mut self) {
        for loss in self.sink.take_shed().losses() {
            self.pipeline.lose(loss);
        }
    }

    /// Sends what the sensor said of itself.
    fn send_log(&mut self) {
        if self.log_is_journal || !say::has_unsent() {
            return;
        }
        say::take_unsent(|level, line| self.sink.offer_log(level, line));
    }

    /// Delivers what was seen until now. The kernel detaches when the process ends: closing
    /// a tracepoint's event waits for every CPU (`tracepoint_synchronize_unregister`), some
    /// 60 ms each, and the last events should not wait for that.
    fn end(mut self) -> Result<(), SensorError> {
        // The next sensor may want both before the kernel has detached this one.
        self.server = None;
        self.settings.release();
        self.drain_all(true)?;
        self.providers.read_losses(&mut self.pipeline);
        // Of what was lost, the messages tell that it makes come.
        self.drain_all(true)?;
        let until = Instant::now() + DRAIN_TIME;
        self.note_shed();
        self.beat();
        self.pipeline.flush(&mut self.sink);
        self.sink.drain(until);
        if self.sink.backlog() == 0 {
            // What was shed meanwhile can be told.
            self.note_shed();
            self.pipeline.flush(&mut self.sink);
            self.sink.drain(until);
        }
        let shed = self.sink.take_shed();
        let undelivered = self.sink.backlog() as u64 + shed.queue.messages + shed.refused.messages;
        let Totals { received, excluded, lost, .. } = self.pipeline.totals();
        let detaching =
            if self.providers.is_detached() { "" } else { "; detaching takes some seconds" };
        say(format_args!(
            "ending: {received} events seen, {excluded} of them excluded, {lost} lost{detaching}"
        ));
        self.send_log();
        self.sink.drain(until);
        match self.sink.state() {
            State::Closed => Err(SensorError::ReaderGone),
            _ if undelivered == 0 => Ok(()),
            State::Down(error) => Err(SensorError::Undelivered(undelivered, Some(error))),
            _ => Err(SensorError::Undelivered(undelivered, None)),
        }
    }
}
