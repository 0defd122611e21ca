//! What the sensor says of itself.

use super::marks::bit_set;
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
    /// `None`: the first sensors did not tell more.
    pub more: Option<HeartbeatMore>,
}

/// What a heartbeat tells beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatMore {
    /// Hooks that are attached.
    pub hooks: u32,
    /// Of the events that are missing, kept back by the flood guard.
    pub suppressed: u64,
    /// After so many seconds the next one is due: a sensor that is silent for twice as long is not
    /// there, or cannot be heard.
    pub interval_s: u32,
}

/// The fields of a capability record: what is seen from then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capability {
    /// Whether eBPF runs. If not, the process connector does.
    pub ebpf: bool,
    /// Hooks that are attached.
    pub hooks: u32,
    /// Exclusions, of every origin.
    pub exclusions: u32,
    /// File and network events that are told of a process, a second; 0: all.
    pub bulk_budget: u32,
    /// What a process sends to the same peer is told once in so many seconds.
    pub send_window_s: u32,
    /// What is not seen, though this kernel has it.
    pub blind_spots: BlindSpots,
}

bit_set! {
    /// What is not seen or not told.
    BlindSpots(u32) {
        /// The status of an exit.
        EXIT_STATUS = 1, "exit_status";
        /// That a process goes on when its first thread has ended.
        LAST_THREAD = 2, "last_thread";
        /// The status of a process whose threads end with different ones.
        GROUP_STATUS = 3, "group_status";
        /// Where descriptors lead, at the time of the call.
        DESCRIPTORS = 4, "descriptors";
        /// Addresses or transports of some sockets.
        SOCKETS = 5, "sockets";
        /// Names and addresses of io_uring's operations, and what it sends.
        IO_URING = 6, "io_uring";
        /// 32-bit system calls.
        COMPAT_SYSCALLS = 7, "compat_syscalls";
        /// System calls of x32.
        X32_SYSCALLS = 8, "x32_syscalls";
        /// Files, connections and system calls: the process connector tells of processes alone.
        ALL_BUT_PROCESSES = 9, "all_but_processes";
    }
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
