//! What benchmarks share.

// Each uses another part of this.
#![allow(dead_code)]

use mote::event::Bytes;
use mote::record::{Context, Provider};
use mote::syscalls::Arch;

/// A sensor of nowhere.
pub fn context() -> Context {
    Context {
        boot_id: [7; 16],
        start_ns: 0,
        hostname: Bytes::from_slice(b"bench").unwrap(),
        arch: Arch::X86_64,
        provider: Provider::Ebpf,
    }
}

/// The middle one; of two the higher.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
