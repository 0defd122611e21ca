//! Keeps every tracepoint of the sensor in use until it is ended.
//!
//! From 6.13 on the kernel waits some 70 ms for each program that is detached, one after the other:
//! ten seconds for every sensor of `make test`. Half of that is for tracepoints that nobody uses any
//! more, and does not come while this runs. In guests it does not run: there the sensor ends as it
//! does anywhere else.

use mote::source::ebpf::hooks::{PROCESS, SIGNAL, SYSCALLS, URING};
use mote::source::ebpf::perf::hold_tracepoint;
use mote::source::ebpf::tracefs::Tracefs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Ok(tracefs) = Tracefs::find_or_mount() else { return ExitCode::FAILURE };
    let calls = SYSCALLS.iter().flat_map(|(enter, leave)| [enter, leave]);
    let held: Vec<_> = PROCESS
        .iter()
        .chain(calls)
        .chain(&URING)
        .chain([&SIGNAL])
        .filter_map(|hook| tracefs.format(hook.category, hook.event).ok()?)
        .filter_map(|format| hold_tracepoint(format.id, 0).ok())
        .collect();
    println!("{} tracepoints are held", held.len());
    loop {
        std::thread::park();
    }
}
