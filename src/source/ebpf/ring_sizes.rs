//! How large rings are. They are the kernel's memory, taken once for each CPU and not given back before
//! the sensor ends.

use super::ring::RECORD_BYTES;
use crate::limits::{
    BULK_RING_BYTES, PRIORITY_RING_BYTES, RING_BYTES_LEAST, RING_MEMORY_DIVISOR,
    RING_WATERMARK_DIVISOR,
};

// A ring that wakes the sensor has room for as much again, and more.
const _: () = assert!(RING_BYTES_LEAST / RING_WATERMARK_DIVISOR >= RECORD_BYTES);

/// The rings of a CPU, in bytes: powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// Of process and system events.
    pub priority_bytes: usize,
    /// Of file and network events.
    pub bulk_bytes: usize,
}

impl Default for RingSizes {
    fn default() -> RingSizes {
        RingSizes { priority_bytes: PRIORITY_RING_BYTES, bulk_bytes: BULK_RING_BYTES }
    }
}

impl RingSizes {
    /// What this host has room for.
    pub(super) fn on_this_host(self, cpus: usize) -> RingSizes {
        let host = rustix::system::sysinfo();
        let memory_bytes = host.totalram.saturating_mul(host.mem_unit.into());
        self.within(memory_bytes, cpus, rustix::param::page_size())
    }

    /// Halved until those of all CPUs have their part of the memory, or are as small as they can be.
    fn within(self, memory_bytes: u64, cpus: usize, page_bytes: usize) -> RingSizes {
        let least_bytes = RING_BYTES_LEAST.max(page_bytes);
        let mut sizes = self.each(|bytes| bytes.max(page_bytes));
        while sizes.mapped_bytes(cpus, page_bytes) > memory_bytes / RING_MEMORY_DIVISOR {
            let smaller = sizes.each(|bytes| (bytes / 2).max(least_bytes));
            if smaller == sizes {
                break;
            }
            sizes = smaller;
        }
        sizes
    }

    fn each(self, of: impl Fn(usize) -> usize) -> RingSizes {
        RingSizes { priority_bytes: of(self.priority_bytes), bulk_bytes: of(self.bulk_bytes) }
    }

    /// Of all CPUs, with the page before each ring that says how far it is written and read.
    fn mapped_bytes(self, cpus: usize, page_bytes: usize) -> u64 {
        let of_a_cpu = self.priority_bytes + self.bulk_bytes + 2 * page_bytes;
        (of_a_cpu as u64).saturating_mul(cpus as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_BYTES: usize = 4 << 10;
    const MIB: u64 = 1 << 20;

    fn kib(priority: usize, bulk: usize) -> RingSizes {
        RingSizes { priority_bytes: priority << 10, bulk_bytes: bulk << 10 }
    }

    #[test]
    fn where_there_is_memory_rings_are_as_chosen() {
        for (memory_mib, cpus) in [(64, 1), (64, 2), (24 << 10, 2), (8 << 10, 256)] {
            let sizes = RingSizes::default().within(memory_mib * MIB, cpus, PAGE_BYTES);
            assert_eq!(sizes, RingSizes::default(), "{memory_mib} MiB, {cpus} CPUs");
        }
    }

    #[test]
    fn rings_of_many_cpus_share_a_part_of_the_memory() {
        let chosen = kib(128, 256);
        for (memory_mib, cpus, expected) in [
            (64, 3, kib(64, 128)),
            // Twice 392 KiB are a 64th of 49 MiB.
            (49, 2, chosen),
            (48, 2, kib(64, 128)),
            (1 << 10, 256, kib(16, 32)),
        ] {
            let sizes = chosen.within(memory_mib * MIB, cpus, PAGE_BYTES);
            assert_eq!(sizes, expected, "{memory_mib} MiB, {cpus} CPUs");
            assert!(sizes.mapped_bytes(cpus, PAGE_BYTES) <= memory_mib * MIB / 64);
        }
    }

    #[test]
    fn no_ring_is_too_small_for_the_longest_records() {
        let least = RingSizes { priority_bytes: RING_BYTES_LEAST, bulk_bytes: RING_BYTES_LEAST };
        for memory_mib in [0, 1, 64] {
            assert_eq!(kib(128, 256).within(memory_mib * MIB, 256, PAGE_BYTES), least);
        }
    }

    #[test]
    fn rings_are_powers_of_two_of_pages() {
        // Of arm64, on some distributions.
        const LARGE_PAGE_BYTES: usize = 64 << 10;
        assert_eq!(kib(32, 64).within(1 << 40, 4, LARGE_PAGE_BYTES), kib(64, 64));
        assert_eq!(kib(128, 256).within(0, 4, LARGE_PAGE_BYTES), kib(64, 64));
        for cpus in 1..=256 {
            let RingSizes { priority_bytes, bulk_bytes } =
                kib(512, 1024).within(512 * MIB, cpus, PAGE_BYTES);
            assert!(priority_bytes.is_power_of_two() && bulk_bytes.is_power_of_two(), "{cpus}");
        }
    }
}
