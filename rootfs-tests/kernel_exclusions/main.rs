//! What the kernel part drops of excluded processes, and of those that flood, what it counts, and
//! how it ends: the provider by itself, without the rest of the sensor.

#[path = "../../tests/no_allocation/allocator.rs"]
mod allocator;
mod drops;
mod end;
mod floods;
mod lapses;
mod losses;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use support::worker;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == worker::NAME) {
        return worker::main(&args[2..]);
    }
    support::runner::run(
        &[drops::TESTS, lapses::TESTS, losses::TESTS, end::TESTS, floods::TESTS].concat(),
    )
}

/// A directory for a worker, with the file that it renames.
fn files() -> (tempfile::TempDir, PathBuf) {
    let (guard, dir) = support::scratch();
    std::fs::write(dir.join("a"), "").unwrap();
    (guard, dir)
}
