//! After the start no event touches the heap: ring → record → event → known process →
//! filter → batch → line, or line of text, counted by the allocator. Only a message's syslog header does.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../src/source/ebpf/ring_file.rs"]
mod ring_file;

mod allocator;
mod counting;
mod formats;
mod netlink;
mod pipeline;
mod records;
mod rings;
mod sink;
