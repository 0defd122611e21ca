//! What is said of the process connector: where it runs, and where it does not either.

use crate::say::REPORT;
use crate::source::ebpf;
use crate::source::netlink::StartError;

/// What it costs that it runs instead of eBPF.
pub const UNSEEN: &str = "the netlink process connector runs instead: only exec, fork and \
    exit are seen, not files, connections and execs that fail, and what a process executes is \
    looked up in /proc after the event";

/// Adds to what is said of eBPF why the connector does not run either.
pub(super) fn or(sentence: String, ebpf: &ebpf::StartError, error: &StartError) -> String {
    match (ebpf, error) {
        // The same, with the same remedy.
        (ebpf::StartError::PidNamespace, StartError::PidNamespace) => sentence,
        _ => nor(sentence, error),
    }
}

/// Adds why the connector does not run either.
pub(super) fn nor(sentence: String, error: &StartError) -> String {
    format!("{sentence}. {}", not_either(&error.to_string(), remedy(error)))
}

/// What is said of a connector that does not run either.
pub fn not_either(reason: &str, remedy: &str) -> String {
    format!("The netlink process connector does not run either: {reason}; {remedy}")
}

/// What to do.
pub fn remedy(error: &StartError) -> &'static str {
    match error {
        StartError::PidNamespace => {
            "start it on the host, or with the host's process ids (docker: --pid=host)"
        }
        StartError::UserNamespace => "start it on the host, or with the host's user ids",
        StartError::NetNamespace => {
            "start it on the host, or with the host's network (docker: --network=host)"
        }
        StartError::Permission => "give the sensor CAP_NET_ADMIN",
        StartError::NoConnector | StartError::NoProcessEvents => {
            "a kernel with CONFIG_CONNECTOR=y and CONFIG_PROC_EVENTS=y is needed"
        }
        StartError::Silent => {
            "end other programs that listen to it (forkstat, atop, cgrulesengd, ...), and start \
             the sensor again"
        }
        StartError::Call(..) => REPORT,
    }
}
