//! What a sensor that has started says of itself.

use crate::explain::{self, connector};
use crate::say::{say, warn};
use crate::sensor::{Fallback, Source};
use crate::sink::Target;
use crate::source::ebpf::Ebpf;

/// Says which provider runs, and what it cannot see.
pub(super) fn announce(source: &Source, target: &Target) {
    match source {
        Source::Ebpf(ebpf) => announce_ebpf(ebpf, target),
        Source::Netlink(_, fallback) => {
            match fallback {
                Fallback::Disabled => warn(format_args!(
                    "eBPF is disabled in the configuration \
                     (features.ebpfSupplementaryEventProvider)"
                )),
                Fallback::Unsupported(refusal) => {
                    warn(format_args!("eBPF is not run here: {refusal}; {}", refusal.remedy))
                }
                Fallback::Failed(error) => {
                    explain::show_log(error);
                    let advice = explain::advice(error, explain::Host::read());
                    warn(format_args!("eBPF does not run: {error}; {advice}"));
                }
            }
            warn(format_args!("{}", connector::UNSEEN));
            say(format_args!("ready: netlink process connector, records go to {target}"));
        }
    }
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
    let missing = match ebpf.missing() {
        [] => String::new(),
        missing => format!(", not on this kernel: {}", missing.join(" ")),
    };
    say(format_args!("ready: {} hooks attached{missing}, records go to {target}", ebpf.attached()));
}
