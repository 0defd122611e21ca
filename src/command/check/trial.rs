//! Tries both providers.

use std::io::{IsTerminal, stderr};

use rustix::process::geteuid;

use crate::exit;
use crate::explain;
use crate::host::provider::{Failure, Wanted};
use crate::host::support::refusal_here;
use crate::say::say;
use crate::sensor::Fallback;
use crate::sensor::pipeline::monotonic_ns;
use crate::source::ebpf::{Ebpf, RingSizes};
use crate::source::netlink::{Netlink, StartError};

/// What became of it.
#[derive(Debug)]
pub struct Trial {
    /// What the configuration says, which is tried all the same.
    pub wanted: Wanted,
    /// Whether it was made as root.
    pub is_root: bool,
    /// Why eBPF does not run, if it does not.
    pub ebpf: Result<(), Fallback>,
    /// Why the process connector does not run, if it does not.
    pub connector: Result<(), StartError>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// eBPF can run.
    Ebpf,
    /// Only the process connector can.
    Connector,
    /// Neither.
    Neither,
    /// Neither, as long as something is short: `mote run` ends then, if eBPF is not disabled
    /// (see [`Failure::Shortage`]).
    Shortage,
    /// Whoever tried may not.
    NotRoot,
}

impl Trial {
    /// Starts one after the other, and ends it at once. What would bring this host down is not
    /// tried.
    pub fn make(wanted: Wanted) -> Trial {
        let ebpf = match refusal_here() {
            Some(refusal) => Err(Fallback::Unsupported(refusal)),
            None => {
                if stderr().is_terminal() {
                    say(format_args!("eBPF is tried; this takes some seconds"));
                }
                Ebpf::start(RingSizes::default()).map(drop).map_err(Fallback::Failed)
            }
        };
        if let Err(Fallback::Failed(error)) = &ebpf {
            explain::show_log(error);
        }
        let connector = Netlink::start(monotonic_ns()).map(drop);
        Trial { wanted, is_root: geteuid().is_root(), ebpf, connector }
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let failure = match &self.ebpf {
            Ok(()) => return Verdict::Ebpf,
            Err(Fallback::Failed(error)) => Failure::of(error.errno(), self.is_root),
            Err(Fallback::Unsupported(_) | Fallback::Disabled | Fallback::Paused) => Failure::Host,
        };
        match (failure, &self.connector) {
            (Failure::User, _) => Verdict::NotRoot,
            (Failure::Shortage, _) if self.wanted == Wanted::Ebpf => Verdict::Shortage,
            (_, Ok(())) => Verdict::Connector,
            (_, Err(StartError::Permission)) if !self.is_root => Verdict::NotRoot,
            (_, Err(_)) => Verdict::Neither,
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self.verdict() {
            Verdict::Ebpf => 0,
            Verdict::Connector => exit::CONNECTOR_ONLY,
            Verdict::Neither => exit::UNAVAILABLE,
            Verdict::Shortage => exit::OSERR,
            Verdict::NotRoot => exit::NOPERM,
        }
    }
}
