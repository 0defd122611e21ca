//! What crosses the ring, generated from `bpf/record.h`, and the kernel's perf interface,
//! generated from `linux/perf_event.h`. Sizes and offsets are asserted in both.

#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, missing_docs)]
#![allow(clippy::all, dead_code, unsafe_code, clippy::undocumented_unsafe_blocks)]

/// Records, settings, probe.
pub mod record {
    include!(concat!(env!("OUT_DIR"), "/record.rs"));
}

/// perf_event_open(2).
pub mod perf {
    include!(concat!(env!("OUT_DIR"), "/perf.rs"));
}
