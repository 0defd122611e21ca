//! The loop: the only module that names every stage.

mod attempt;
mod complaint;
mod delivery;
mod error;
mod manager;
mod overlap;
mod pause;
pub mod pipeline;
pub mod profile;
mod providers;
mod reload;
mod report;
mod serve;
mod settings;
mod start;
mod watch;

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use signal_hook::consts::SIGHUP;
use signal_hook_mio::v1_0::Signals;

use crate::control::server::{ClientId, Server};
use crate::event::{Bytes, Capability};
use crate::host::distribution::Distribution;
use crate::limits::{HOSTNAME_BYTES, RECEIVERS};
use crate::memory;
use crate::record::Provider;
use crate::say::{say, warn};
use crate::sink::{Damage, Sinks};
use crate::stats::Totals;
use complaint::{Complaint, News};
pub use delivery::Delivery;
pub use error::SensorError;
use manager::Manager;
use pause::Pausing;
use pipeline::{Pipeline, monotonic_ns};
use profile::Profile;
use providers::Turn;
pub use providers::{Fallback, Providers};
pub use settings::Settings;

const SIGNALS: Token = Token(0);
/// Of as many as there are receivers.
const SINKS: Token = Token(3);

/// How long an event waits in a ring that is not filled to its watermark: while there is
/// something to do, and while there is not.
const BUSY_TICK: Duration = Duration::from_millis(50);
const IDLE_TICK: Duration = Duration::from_millis(200);
/// How long an event waits in a batch that is not full.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);
/// How often the kernel's loss counters, the CPUs and the managed configuration are looked at.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// A started sensor.
pub struct Sensor {
    // Both go first when the loop fails: the next sensor may want their directories before the kernel has
    // detached this one.
    server: Server,
    settings: Settings,
    poll: Poll,
    signals: Signals,
    profile: Profile,
    providers: Providers,
    /// On the heap, as all that is large: on the stack its pages stay resident for every copy that the
    /// start makes.
    pipeline: Box<Pipeline>,
    sinks: Sinks,
    /// When batches are next written to the spool that are not full.
    next_spooling: Instant,
    manager: Manager,
    /// That no command can reach this sensor.
    server_lacking: Complaint,
    pause: Option<Pausing>,
    watch: Option<Watching>,
    source_lacking: Complaint,
    /// Of each receiver: that records cannot be delivered, and not be kept on disk.
    delivery: [Complaint; RECEIVERS],
    spooling: [Complaint; RECEIVERS],
    /// The same: what was said of what could not be read there.
    damage: [Damage; RECEIVERS],
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

impl Sensor {
    /// The providers, for what is said at the start.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Makes the control socket, if it is not there. A sensor that was killed has it until the kernel has
    /// detached its programs, and somebody may have removed it.
    fn look_at_server(&mut self) {
        let error = self.server.listen(self.poll.registry()).err();
        match self.server_lacking.news(error) {
            Some(News::Wrong(error)) => {
                warn(format_args!("{error}; it is tried again every second"))
            }
            Some(News::Well) => say(format_args!("mote's commands reach this sensor now")),
            None => {}
        }
    }

    /// Runs until SIGTERM or SIGINT. Not before the receiver has what was seen, if it takes it.
    pub fn run(mut self) -> Result<(), SensorError> {
        let mut events = Events::with_capacity(64);
        let mut tick = BUSY_TICK;
        let mut next_flush = Instant::now() + FLUSH_INTERVAL;
        let mut next_housekeeping = Instant::now();
        self.manager.ready();
        memory::give_back();
        loop {
            let sink_in = self.sinks.deadline().map(|at| at.duration_since(Instant::now()));
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
                    token if Server::has(token) => self.serve(token)?,
                    _ => drop(self.sinks.ready(self.poll.registry(), event)),
                }
            }
            if ending || self.sinks.is_closed() {
                break;
            }
            let now = Instant::now();
            self.sinks.tick(self.poll.registry(), now);
            tick = match self.drain(None, false)? {
                Turn::Full => Duration::ZERO,
                Turn::Idle => IDLE_TICK,
                Turn::Busy => BUSY_TICK,
            };
            if self.advance(now)? {
                tick = tick.min(BUSY_TICK);
            }
            if reloads {
                self.manager.reloading();
                self.reload()?;
                self.manager.ready();
            }
            // A CPU that has come loses its events until it has a ring.
            let early = match self.providers.lack_a_ring() {
                true => HOUSEKEEPING_INTERVAL - BUSY_TICK,
                false => Duration::ZERO,
            };
            if now + early >= next_housekeeping {
                self.keep_house(now)?;
                next_housekeeping = now + HOUSEKEEPING_INTERVAL;
            }
            if now >= next_flush {
                self.flush(now);
                next_flush = now + FLUSH_INTERVAL;
            }
            self.note_shed();
            self.send_log();
            self.manager.lives();
        }
        self.manager.stopping();
        self.end()
    }

    /// What goes on beside events: the rest of a start, a change of providers, a pause, a watch,
    /// clients. Whether there is more of it to do soon.
    fn advance(&mut self, now: Instant) -> Result<bool, SensorError> {
        let more = self.providers.advance(now, &mut self.pipeline, &mut self.sinks)?;
        self.look_after_pause(now)?;
        self.look_after_watch(now)?;
        self.server.tick(self.poll.registry(), now);
        Ok(more)
    }

    fn drain(&mut self, end_ns: Option<u64>, is_last: bool) -> Result<Turn, SensorError> {
        let turn = self.providers.drain(end_ns, is_last, &mut self.pipeline, &mut self.sinks);
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
        self.providers.look_for_losses(&mut self.pipeline);
        self.look_at_delivery();
        let registry = self.poll.registry();
        let kept = self.providers.look_after(registry, &mut self.pipeline, &mut self.sinks);
        let missing = match self.providers.active() {
            Provider::Ebpf => "events of that CPU",
            Provider::Netlink => "events",
        };
        if let Some(News::Wrong(error)) = self.source_lacking.news(kept.err()) {
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
        self.look_at_server();
        self.look_at_hostname();
        self.tell_capability();
        if now >= self.next_heartbeat {
            self.beat();
        }
        Ok(())
    }
}
