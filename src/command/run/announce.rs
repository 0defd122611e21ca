//! What a sensor that has started says of itself.

use crate::explain::{self, connector};
use crate::health::Issue;
use crate::say::{say, warn};
use crate::sensor::{Fallback, Providers};
use crate::sink::Receiver;
use crate::source::ebpf::Ebpf;

/// Says which provider runs, and what it cannot see.
pub(super) fn announce(providers: &Providers, receivers: &[Receiver]) {
    let target = receivers.iter().map(Receiver::to_string).collect::<Vec<_>>().join(", ");
    say(format_args!(
        "mote {} started on Linux {}",
        env!("CARGO_PKG_VERSION"),
        rustix::system::uname().release().to_string_lossy()
    ));
    if let Some(ebpf) = providers.ebpf() {
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
