//! eBPF is tried where it is wanted and known to be safe.

use super::{Fallback, SensorError};
use crate::host::provider::{self, Choice, Facts, Failure, Reason, Wanted, choose};
use crate::host::support::refusal_here;
use crate::source::ebpf::{self, Ebpf, Options};

/// eBPF, or why it is not.
pub enum Started {
    /// It runs.
    Ebpf(Box<Ebpf>),
    /// It does not.
    Not(Fallback),
}

/// Starts it, if it may be. An error: it fails for a reason that can be changed.
pub fn start_ebpf(wanted: Wanted, options: Options) -> Result<Started, SensorError> {
    let refusal = refusal_here();
    let facts = |ebpf| Facts { wanted, supported: refusal.is_none(), ebpf };
    let fallback = match (choose(facts(provider::Ebpf::Untried)), refusal.clone()) {
        (Choice::Netlink(Reason::Unsupported), Some(refusal)) => Fallback::Unsupported(refusal),
        (Choice::Netlink(_) | Choice::Nothing, _) => Fallback::Disabled,
        (Choice::Ebpf, _) => match started(options) {
            Ok(ebpf) => return Ok(Started::Ebpf(Box::new(ebpf))),
            Err(error) => match choose(facts(provider::Ebpf::Failed(failure(&error)))) {
                Choice::Netlink(_) => Fallback::Failed(error),
                Choice::Ebpf | Choice::Nothing => return Err(SensorError::Ebpf(error)),
            },
        },
    };
    Ok(Started::Not(fallback))
}

fn started(options: Options) -> Result<Ebpf, ebpf::StartError> {
    let mut ebpf = Ebpf::start(options.rings)?;
    ebpf.set_options(options)?;
    Ok(ebpf)
}

fn failure(error: &ebpf::StartError) -> Failure {
    Failure::of(error.errno(), rustix::process::geteuid().is_root())
}
