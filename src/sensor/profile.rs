//! Capacities that are set together, by the size of the machine (`mote run --profile`).
//!
//! What is not here is the same on all machines: it is small, or takes no memory before it is used, or,
//! like the maps of the kernel part, has a size that programs and their verifier count on.

use std::fmt;
use std::str::FromStr;

use crate::limits::{BULK_BUDGET, QUEUE_MESSAGES, SPOOL_MIB};
use crate::process;
use crate::source::ebpf::RingSizes;

/// What a machine is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A router or a small appliance: 64 MiB of memory, one slow CPU.
    Tiny,
    /// Any other machine.
    #[default]
    Default,
    /// A build server: many CPUs, much memory, and bursts of files and programs.
    Large,
}

/// What a profile sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// The rings of each CPU, where there is memory for them.
    pub rings: RingSizes,
    /// What is remembered of processes.
    pub processes: process::Capacity,
    /// Messages that wait for each receiver, of [`LINE_BYTES`](crate::limits::LINE_BYTES).
    pub queue_messages: usize,
    /// What a spool holds for each receiver unless another size is given.
    pub spool_mib: u32,
    /// File and network events of a process, a second, unless another number is given.
    pub bulk_budget: u32,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 3] = [Profile::Tiny, Profile::Default, Profile::Large];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Tiny => "tiny",
            Profile::Default => "default",
            Profile::Large => "large",
        }
    }

    /// What it sets.
    pub fn capacities(self) -> Capacities {
        match self {
            Profile::Tiny => Capacities {
                // A slow CPU makes fewer events between two looks.
                rings: RingSizes { priority_bytes: 32 << 10, bulk_bytes: 64 << 10 },
                // More processes than such a machine has memory for.
                processes: process::Capacity { processes: 1024, strings: 256 },
                queue_messages: 32,
                // Often of flash memory.
                spool_mib: 8,
                // A tenth, for a CPU that is a tenth as fast.
                bulk_budget: 10_000,
            },
            Profile::Default => Capacities {
                rings: RingSizes::default(),
                processes: process::Capacity::default(),
                queue_messages: QUEUE_MESSAGES,
                spool_mib: SPOOL_MIB,
                bulk_budget: BULK_BUDGET,
            },
            Profile::Large => Capacities {
                // Bursts of four times as many events.
                rings: RingSizes { priority_bytes: 512 << 10, bulk_bytes: 1 << 20 },
                // There is room for no more.
                processes: process::Capacity::default(),
                // Few enough for `mote decode` to know those that come twice.
                queue_messages: 256,
                spool_mib: 256,
                // For CPUs that are twice as fast.
                bulk_budget: 200_000,
            },
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Profile, String> {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| format!("\"{name}\" is no profile; write tiny, default or large"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{
        BULK_BUDGET_MOST, DECODE_RECENT, PROCESS_STRINGS, PROCESSES, REPEATED_MESSAGES,
        RING_BYTES_LEAST, SPOOL_MIB_LEAST, SPOOL_MIB_MOST, SPOOL_RESENT_MESSAGES,
    };

    #[test]
    fn every_profile_is_within_the_limits() {
        for profile in Profile::ALL {
            let Capacities { rings, processes, queue_messages, spool_mib, bulk_budget } =
                profile.capacities();
            for bytes in [rings.priority_bytes, rings.bulk_bytes] {
                assert!(bytes.is_power_of_two() && bytes >= RING_BYTES_LEAST, "{profile}");
            }
            assert!(processes.processes <= PROCESSES && processes.strings <= PROCESS_STRINGS);
            assert!((SPOOL_MIB_LEAST..=SPOOL_MIB_MOST).contains(&spool_mib), "{profile}");
            assert!((1..=BULK_BUDGET_MOST).contains(&bulk_budget), "{profile}");
            // What may be sent again, of which the queue remembers as many once more.
            let resent = 2 * queue_messages + 2 * SPOOL_RESENT_MESSAGES as usize;
            assert!(resent <= DECODE_RECENT / 2, "{profile}");
            assert!(resent + REPEATED_MESSAGES <= DECODE_RECENT / 4 * 3, "{profile}");
        }
    }

    #[test]
    fn what_is_no_profile_is_told_what_is() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let error = "huge".parse::<Profile>().unwrap_err();
        assert_eq!(error, "\"huge\" is no profile; write tiny, default or large");
    }
}
