//! What the sensor says of itself.

use super::numbered::numbered;

/// The fields of a heartbeat record. Counts are since the sensor's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whether eBPF runs. If not, the process connector does.
    pub ebpf: bool,
    /// Events that were seen.
    pub received: u64,
    /// Of these, excluded by a rule.
    pub excluded: u64,
    /// Events that are missing, at most.
    pub lost: u64,
    /// Events that the syslog daemon took.
    pub sent: u64,
}

/// The fields of a pause record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// After so many seconds it ends, whatever the command does.
    pub limit_s: u32,
}

numbered! {
    /// Why a pause ended. The numbers are part of the record format.
    Resumption {
        /// The command is done.
        Done = 1, "done";
        /// Whoever asked for the pause is gone, and has not said that it is done.
        Gone = 2, "gone";
        /// It took too long.
        TimeLimit = 3, "time_limit";
    }
}
