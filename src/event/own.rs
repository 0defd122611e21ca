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
    /// Of those that are missing, kept back by the flood guard. `None`, as what follows: an old
    /// sensor.
    pub suppressed: Option<u64>,
    /// Hooks that are attached.
    pub hooks: Option<u32>,
    /// After so many seconds the next one is due: a sensor that is silent for twice as long is not
    /// there, or cannot be heard.
    pub interval_s: Option<u32>,
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

numbered! {
    /// What is not seen or not told. The numbers are part of the record format.
    BlindSpot {
        /// The status of an exit.
        ExitStatus = 1, "exit_status";
        /// That a process goes on when its first thread has ended.
        LastThread = 2, "last_thread";
        /// The status of a process whose threads end with different ones.
        GroupStatus = 3, "group_status";
        /// Where descriptors lead, at the time of the call.
        Descriptors = 4, "descriptors";
        /// Addresses or transports of some sockets.
        Sockets = 5, "sockets";
        /// Names and addresses of io_uring's operations, and what it sends.
        IoUring = 6, "io_uring";
        /// 32-bit system calls.
        CompatSyscalls = 7, "compat_syscalls";
        /// System calls of x32.
        X32Syscalls = 8, "x32_syscalls";
        /// Files, connections and system calls: the process connector tells of processes alone.
        AllButProcesses = 9, "all_but_processes";
    }
}

/// A set of them: a bit for each number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlindSpots(pub u32);

impl BlindSpots {
    /// Whether it is one of them.
    pub fn contains(self, spot: BlindSpot) -> bool {
        self.0 & 1 << spot as u8 != 0
    }

    /// Their names. Of those that this version does not know there are none.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        BlindSpot::ALL.into_iter().filter(move |spot| self.contains(*spot)).map(BlindSpot::name)
    }
}

impl FromIterator<BlindSpot> for BlindSpots {
    fn from_iter<I: IntoIterator<Item = BlindSpot>>(spots: I) -> BlindSpots {
        BlindSpots(spots.into_iter().fold(0, |bits, spot| bits | 1 << spot as u8))
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
