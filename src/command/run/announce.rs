//! What a sensor that has started says of itself.

use crate::explain::{self, connector};
use crate::health::Issue;
use crate::limits::RING_MEMORY_DIVISOR;
use crate::say::{say, warn};
use crate::sensor::{Fallback, Providers};
use crate::sink::Receiver;
use crate::source::ebpf::{Ebpf, RingSizes};

/// Says which provider runs, and what it cannot see.
pub(super) fn announce(providers: &Providers, receivers: &[Receiver]) {
    let target = receivers.iter().map(Receiver::to_string).collect::<Vec<_>>().join(", ");
    say(format_args!(
        "mote {} started on Linux {}",
        env!("CARGO_PKG_VERSION"),
        rustix::system::uname().release().to_string_lossy()
    ));
    if let Some(ebpf) = providers.ebpf() {
        announce_rings(providers.options().rings, ebpf.ring_sizes());
        return announce_ebpf(ebpf, &target);
    }
    if let Some(fallback) = providers.fallback() {
        if let Fallback::Failed(error) = fallback {
            explain::show_log(error);
        }
        let Issue { problem, remedy } = explain::fallback(fallback);
        warn(format_args!("{problem}; {remedy}"));
    }
    warn(format_args!("{}", connector::UNSEEN));
    say(format_args!("ready: netlink process connector, records go to {target}"));
}

fn announce_ebpf(ebpf: &Ebpf, target: &str) {
    for (_, sentence) in explain::blind_spots(ebpf) {
        warn(format_args!("{sentence}"));
    }
    let missing = match ebpf.missing() {
        [] => String::new(),
        missing => format!(", not on this kernel: {}", missing.join(" ")),
    };
    say(format_args!("ready: {} hooks attached{missing}, records go to {target}", ebpf.attached()));
}

/// Says so where there is no memory for the rings of the profile.
fn announce_rings(chosen: RingSizes, made: RingSizes) {
    if made.bulk_bytes < chosen.bulk_bytes || made.priority_bytes < chosen.priority_bytes {
        say(format_args!(
            "rings have {} and {} KiB a CPU, not {} and {}: those of all CPUs take a \
             {RING_MEMORY_DIVISOR}th of the memory at most, and what they have no room for is counted",
            made.priority_bytes >> 10,
            made.bulk_bytes >> 10,
            chosen.priority_bytes >> 10,
            chosen.bulk_bytes >> 10,
        ));
    }
}
