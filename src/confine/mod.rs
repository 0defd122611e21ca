//! What a running sensor may do, and no more: capabilities and system calls that it does not need
//! are given up when it has read its configuration, before it looks at other processes.
//!
//! It is done before eBPF is started the first time, not after: so what starts it again (a pause that
//! ends, eBPF that is enabled, a CPU that comes) has what the first start had, and a host where that
//! is too little shows it at once. No second process keeps what was given up.

mod capabilities;
mod system_calls;

pub use capabilities::has_any as has_privileges;

use crate::say::warn;
use crate::source::ebpf;

/// Gives up what is not needed, for the rest of this process's life. What cannot be given up is
/// kept, which is said. Root without any hears from what fails which it needs.
pub fn confine() {
    if !has_privileges() {
        return;
    }
    // With what will not be there later.
    ebpf::prepare();
    if let Err(error) = capabilities::keep() {
        warn(format_args!(
            "capabilities that are not needed could not be given up: {error}; the sensor goes on with them"
        ));
    }
    if let Err(error) = system_calls::filter() {
        warn(format_args!(
            "system calls that are not needed could not be forbidden: {error}; the sensor goes on with \
             them (the kernel needs CONFIG_SECCOMP_FILTER)"
        ));
    }
}
