//! The provider that runs, as the loop sees it.

use std::io;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::SensorError;
use super::pipeline::{Output, Pipeline, monotonic_ns};
use crate::host::distribution::Distribution;
use crate::host::provider::{self, Choice, Facts, Failure, Reason, Wanted, choose};
use crate::host::support::{Refusal, has_sap, support};
use crate::limits::{MESSAGES_PER_TURN, RECORDS_PER_TURN};
use crate::record::Provider;
use crate::say::warn;
use crate::source::ebpf::{self, Ebpf, cpus};
use crate::source::netlink::{self, Health, Netlink};

/// What there is to wait for, whichever it is: all of it is drained.
const SOURCE: Token = Token(2);

/// Between the stamp of a record and its arrival in the ring: microseconds, unless the
/// (virtual) CPU is taken away in between.
const MERGE_SLACK_NS: u64 = 1_000_000;

/// The provider that runs.
pub enum Source {
    /// eBPF.
    Ebpf(Box<Ebpf>),
    /// The process connector.
    Netlink(Box<Netlink>, Fallback),
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
}

/// How much a turn found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Idle,
    /// All there was.
    Busy,
    /// As much as a turn takes; there is more.
    Full,
}

impl Source {
    /// Starts the provider that is to be started.
    pub fn start(wanted: Wanted) -> Result<Source, SensorError> {
        let distribution = Distribution::read();
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy();
        let refusal = support(&distribution, &release, has_sap()).refusal(&distribution, &release);
        let facts = |ebpf| Facts { wanted, supported: refusal.is_none(), ebpf };
        let fallback = match (choose(facts(provider::Ebpf::Untried)), refusal.clone()) {
            (Choice::Netlink(Reason::Unsupported), Some(refusal)) => Fallback::Unsupported(refusal),
            (Choice::Netlink(_) | Choice::Nothing, _) => Fallback::Disabled,
            (Choice::Ebpf, _) => match Ebpf::start() {
                Ok(ebpf) => return Ok(Source::Ebpf(Box::new(ebpf))),
                Err(error) => match choose(facts(provider::Ebpf::Failed(failure(&error)))) {
                    Choice::Netlink(_) => Fallback::Failed(error),
                    Choice::Ebpf | Choice::Nothing => return Err(SensorError::Ebpf(error)),
                },
            },
        };
        match Netlink::start(monotonic_ns()) {
            Ok(netlink) => Ok(Source::Netlink(Box::new(netlink), fallback)),
            Err(error) => Err(SensorError::NoProvider(fallback, error)),
        }
    }

    /// Its name in records.
    pub fn provider(&self) -> Provider {
        match self {
            Source::Ebpf(_) => Provider::Ebpf,
            Source::Netlink(..) => Provider::Netlink,
        }
    }

    /// Learns the processes that are there already.
    pub fn scan(&self, pipeline: &mut Pipeline) {
        match self {
            Source::Ebpf(_) => pipeline.scan_processes(),
            Source::Netlink(..) => pipeline.scan_identities(),
        }
    }

    /// Makes it wake the loop.
    pub fn register(&self, registry: &Registry) -> Result<(), SensorError> {
        match self {
            Source::Ebpf(ebpf) => ebpf.fds().try_for_each(|fd| register(registry, fd)),
            Source::Netlink(netlink, _) => register(registry, netlink.fd()),
        }
    }

    /// Takes what there is, up to a turn's budget: all of what was before `end_ns`, or, as
    /// long as there is no end, what needs not wait for something older.
    pub fn drain(
        &mut self,
        end_ns: Option<u64>,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<Turn, SensorError> {
        let now_ns = monotonic_ns();
        let (taken, budget) = match self {
            Source::Ebpf(ebpf) => {
                let horizon_ns = end_ns.unwrap_or(now_ns.saturating_sub(MERGE_SLACK_NS));
                ebpf.refresh(|loss| pipeline.lose(loss));
                let taken = ebpf.drain(horizon_ns, RECORDS_PER_TURN, |taken| match taken {
                    ebpf::Taken::Record { class, cpu, record } => {
                        pipeline.record(class, cpu, record, output);
                    }
                    ebpf::Taken::Loss(loss) => pipeline.lose(loss),
                });
                (taken, RECORDS_PER_TURN)
            }
            Source::Netlink(netlink, _) => {
                let end_ns = end_ns.unwrap_or(u64::MAX);
                let taken = netlink.drain(now_ns, end_ns, MESSAGES_PER_TURN, |taken| match taken {
                    netlink::Taken::Message(message) => pipeline.message(message, output),
                    netlink::Taken::Loss(loss) => pipeline.lose(loss),
                });
                let failed = |error| SensorError::Os("receive from the process connector", error);
                (taken.map_err(failed)?, MESSAGES_PER_TURN)
            }
        };
        Ok(match taken {
            0 => Turn::Idle,
            _ if taken == budget => Turn::Full,
            _ => Turn::Busy,
        })
    }

    /// Reads what the kernel counted as lost elsewhere.
    pub fn read_losses(&mut self, pipeline: &mut Pipeline) {
        match self {
            Source::Ebpf(ebpf) => ebpf.read_skipped(|loss| pipeline.lose(loss)),
            // What is counted comes with the next drain.
            Source::Netlink(netlink, _) => netlink.count_overrun(),
        }
    }

    /// Looks whether events of all CPUs still come, and does what is needed. What fails is
    /// tried again the next time.
    pub fn look_after(
        &mut self,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        match self {
            Source::Ebpf(_) => self.look_after_rings(registry, pipeline, output),
            Source::Netlink(netlink, _) => {
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
                        "the process connector had stopped to send and was asked again: events \
                         of the last {seconds} seconds may be missing"
                    ));
                }
                Ok(())
            }
        }
    }

    fn look_after_rings(
        &mut self,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        let Source::Ebpf(ebpf) = self else { return Ok(()) };
        let Ok(online) = cpus::online() else { return Ok(()) };
        if !ebpf.lacks_cpus(&online) {
            return Ok(());
        }
        // Rings of CPUs that went offline are closed: what is in them is read before.
        let end_ns = Some(monotonic_ns());
        while self.drain(end_ns, pipeline, output)? != Turn::Idle {}
        let Source::Ebpf(ebpf) = self else { return Ok(()) };
        let changed = ebpf.sync_cpus(&online).map_err(SensorError::Ebpf);
        changed.and(self.register(registry))
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

fn failure(error: &ebpf::StartError) -> Failure {
    match error.errno() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Failure::Shortage,
        Some(libc::EPERM | libc::EACCES) if !rustix::process::geteuid().is_root() => Failure::User,
        _ => Failure::Host,
    }
}
