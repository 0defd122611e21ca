//! The memory of a process, and of the kernel for it.

// Each benchmark uses another part of this.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};

/// `VmRSS`.
pub fn resident_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmRSS:")
}

/// The most that it was: `VmHWM`.
pub fn peak_resident_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, name: &str) -> u64 {
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Bytes that the kernel keeps for a sensor.
#[derive(Default)]
pub struct KernelBytes {
    /// Buffers of perf events.
    pub rings: u64,
    /// BPF maps, as the kernel accounts for them.
    pub maps: u64,
    /// BPF programs, the same.
    pub programs: u64,
}

/// Of its descriptors and mappings.
pub fn kernel_bytes(pid: u32) -> KernelBytes {
    let mut bytes = KernelBytes::default();
    let mut known = BTreeSet::new();
    for entry in read_dir(format!("/proc/{pid}/fdinfo")).unwrap() {
        let text = read_to_string(entry.unwrap().path()).unwrap_or_default();
        let of = |name: &str| -> Option<u64> {
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        // Of several descriptors of one map or program the first counts.
        match (of("map_id:"), of("prog_id:"), of("memlock:")) {
            (Some(id), _, Some(memlock)) if known.insert(("map", id)) => bytes.maps += memlock,
            (_, Some(id), Some(memlock)) if known.insert(("prog", id)) => bytes.programs += memlock,
            _ => {}
        }
    }
    for line in read_to_string(format!("/proc/{pid}/maps")).unwrap().lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let (true, Some((from, to))) = (line.ends_with("[perf_event]"), range) {
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
            bytes.rings += to - from;
        }
    }
    bytes
}
