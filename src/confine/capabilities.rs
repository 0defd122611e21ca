//! Capabilities that are kept, each with its reason; all others are given up.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::source::ebpf;

/// What a sensor needs as long as it lives.
const KEPT: [CapabilitySet; 6] = [
    // To load programs, from Linux 5.8 on.
    CapabilitySet::BPF,
    // To open perf buffers, to attach programs to tracepoints, and for these to read memory, from
    // 5.8 on.
    CapabilitySet::PERFMON,
    // The process connector, and its buffer.
    CapabilitySet::NET_ADMIN,
    // Whose executable, directory and descriptors they are, in /proc.
    CapabilitySet::SYS_PTRACE,
    // Files of the host that are not root's, or below a directory that is not.
    CapabilitySet::DAC_READ_SEARCH,
    // Addresses in /proc/kallsyms.
    CapabilitySet::SYSLOG,
];
/// Before Linux 5.8 it is what loads programs and opens perf buffers. Kernels of Debian and Ubuntu
/// want it for these also later if `kernel.perf_event_paranoid` is above 2, as it is by default; and
/// from 6.6 on io_uring, which is measured, if `kernel.io_uring_disabled` is 1.
const ADMIN: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// Whether this process has any.
pub fn has_any() -> bool {
    capabilities(None).is_ok_and(|sets| !sets.permitted.is_empty())
}

/// Gives up all others, for this process and whatever it would execute.
pub fn keep() -> io::Result<()> {
    let own = capabilities(None)?.permitted;
    let needed = own & KEPT.into_iter().collect();
    let admin = own & ADMIN;
    // What fails here leaves less to be given up, and no reason to keep the rest.
    let bounded = if own.contains(CapabilitySet::SETPCAP) { bound(needed | admin) } else { Ok(()) };
    match clear_ambient_capability_set() {
        // There are none before Linux 4.3.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    set(needed, needed | admin)?;
    let enough = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let is_enough = needed.contains(enough) && ebpf::can_be_watched_without_admin();
    let kept = if is_enough { needed } else { needed | admin };
    set(kept, kept).and(bounded)
}

fn set(effective: CapabilitySet, permitted: CapabilitySet) -> io::Result<()> {
    let inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective, permitted, inheritable })?)
}

/// Takes all others out of the bounding set.
fn bound(kept: CapabilitySet) -> io::Result<()> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            // Beyond the last that this kernel knows.
            Err(Errno::INVAL) => break,
            result => result?,
        }
    }
    Ok(())
}
