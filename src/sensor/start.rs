//! How a sensor comes to be.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mio::{Interest, Poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::complaint::Complaint;
use super::manager::Manager;
use super::pipeline::{Pipeline, monotonic_ns};
use super::profile::Profile;
use super::report::hostname;
use super::{Delivery, Providers, SIGNALS, SINKS, Sensor, SensorError, Settings};
use crate::claim::SoleDirectory;
use crate::control::server::Server;
use crate::host::boot::{BOOT_ID, boot_id};
use crate::host::distribution::Distribution;
use crate::record::Context;
use crate::say::{self, warn};
use crate::sink::{Capacity, Sinks, State, Target, spooled_for_others};
use crate::source::ebpf::Options;
use crate::syscalls::Arch;

/// How long a sensor that was told to end, or killed, just now may still have its directories: until it hears
/// that, which is after its start.
const ENDING: Duration = Duration::from_secs(1);

impl Sensor {
    /// Attaches, learns what runs already, and begins to connect to the receivers.
    pub fn start(
        mut settings: Settings,
        delivery: &Delivery,
        runtime_dir: &Path,
        profile: Profile,
        options: Options,
        heartbeat_interval: Duration,
    ) -> Result<Sensor, SensorError> {
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
        let mut server = Server::new(runtime_dir);
        take_directories(&mut settings, server.directory())?;
        let hostname = hostname();
        let Delivery { receivers, spool } = delivery;
        let name = String::from_utf8_lossy(&hostname);
        let capacities = profile.capacities();
        let queue = Capacity::of_messages(capacities.queue_messages);
        let sinks = Sinks::open(receivers, &name, poll.registry(), SINKS, spool.as_ref(), queue)
            .map_err(SensorError::Sink)?;
        for path in spool.iter().flat_map(|spool| spooled_for_others(spool, receivers)) {
            warn(format_args!(
                "{} has records for a receiver that is none now: name it with --syslog once more, \
                 read them with mote decode, or remove the directory",
                path.display()
            ));
        }
        for sink in sinks.iter().filter(|sink| !sink.has_spool()) {
            if let (target @ Target::Unix(_), State::Down(error)) =
                (&sink.receiver().target, sink.state())
            {
                return Err(SensorError::NoReceiver(target.clone(), error));
            }
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
        let mut pipeline =
            Pipeline::with_capacity(context, settings.filter(), capacities.processes)
                .map(Box::new)
                .map_err(|error| SensorError::Proc("/proc", error.into()))?;
        // After attaching: a process that starts in between is seen by one or the other.
        providers.scan(&mut pipeline);
        providers.register(poll.registry())?;
        let mut sensor = Sensor {
            poll,
            signals,
            profile,
            providers,
            pipeline,
            log_is_journal: sinks.iter().any(|sink| sink.receiver().target == Target::default())
                && say::goes_to_journal(),
            sinks,
            next_spooling: Instant::now(),
            manager: Manager::new(),
            server,
            server_lacking: Complaint::default(),
            settings,
            pause: None,
            watch: None,
            source_lacking: Complaint::default(),
            delivery: Default::default(),
            spooling: Default::default(),
            damage: Default::default(),
            distribution: Distribution::read(),
            started: Instant::now(),
            lost_at: None,
            lost: 0,
            next_heartbeat: Instant::now(),
            heartbeat_interval,
            capability: None,
            hostname,
        };
        sensor.apply_filter()?;
        sensor.look_at_server();
        Ok(sensor)
    }
}

/// Takes the directories that no two sensors share. Who waits has neither, so that of two that begin at a
/// time one gets both.
fn take_directories(
    settings: &mut Settings,
    runtime_dir: &mut SoleDirectory,
) -> Result<(), SensorError> {
    let until = Instant::now() + ENDING;
    loop {
        if settings.claim() {
            settings.read_local_again();
        }
        let (holder, path) = if let Some(holder) = settings.holder() {
            (holder, settings.state_dir())
        } else {
            runtime_dir.make_and_take();
            let Some(holder) = runtime_dir.holder() else { return Ok(()) };
            (holder, runtime_dir.path())
        };
        if Instant::now() >= until {
            return Err(SensorError::Claimed(holder, path.to_owned()));
        }
        settings.release();
        sleep(ENDING / 20);
    }
}
