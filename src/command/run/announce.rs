//! What a sensor that has started says of itself.

use crate::explain::{self, connector};
use crate::health::Issue;
use crate::say::{say, warn};
use crate::sensor::{Fallback, Providers};
use crate::sink::Target;
use crate::source::ebpf::Ebpf;

/// Says which provider runs, and what it cannot see.
pub(super) fn announce(providers: &Providers, target: &Target) {
    say(format_args!(
        "mote {} started on Linux {}",
        env!("CARGO_PKG_VERSION"),
        rustix::system::uname().release().to_string_lossy()
    ));
    if let Some(ebpf) = providers.ebpf() {
        return announce_ebpf(ebpf, target);
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

fn announce_ebpf(ebpf: &Ebpf, target: &Target) {
    let known = ebpf.known();
    if !known.exit_status {
        warn(format_args!(
            "this kernel's task_struct could not be measured: exit events have no status"
        ));
    }
    if !known.last_thread {
        warn(format_args!(
            "this kernel's task_struct could not be measured: a process whose first thread ends \
             before others is reported as ended then"
        ));
    }
    if known.last_thread && !known.group_status {
        warn(format_args!(
            "this kernel's signal_struct could not be measured: a process whose threads end with \
             different statuses may be reported with another one than its parent gets"
        ));
    }
    if !known.descriptors {
        warn(format_args!(
            "this kernel's open files could not be measured: names that start at a descriptor \
             are looked up in /proc, late, and marked"
        ));
    }
    if known.descriptors && !known.sockets {
        warn(format_args!(
            "this kernel's sockets could not be measured as a whole: of some or all of them their own \
             addresses and who connects to them are not told, or the transport is not"
        ));
    }
    if !known.uring {
        warn(format_args!(
            "this kernel's io_uring could not be measured: its operations are told without names and \
             addresses, and what they send is not told"
        ));
    }
    let missing = match ebpf.missing() {
        [] => String::new(),
        missing => format!(", not on this kernel: {}", missing.join(" ")),
    };
    say(format_args!("ready: {} hooks attached{missing}, records go to {target}", ebpf.attached()));
}
