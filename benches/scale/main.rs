//! What many exclusions, many processes and a week of operation do to a sensor.
//!
//! The week is played in process, with the times of a week: `cargo test` plays it with fewer events.

#[path = "../../tests/no_allocation/allocator.rs"]
#[allow(dead_code)]
mod allocator;
#[path = "../common/callgrind.rs"]
mod callgrind;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/live.rs"]
mod live;
#[path = "../../tests/no_allocation/records.rs"]
#[allow(dead_code)]
mod records;
#[path = "../common/rules.rs"]
mod rules;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod exclusions;
mod processes;
mod receiver;
mod week;

use live::figures::Figures;
use std::process::ExitCode;
use support::require_live;

/// Prints and keeps the figures of rounds.
struct Table(Figures);

impl Table {
    fn row(&mut self, what: &str, name: &str, rounds: &[f64]) {
        let figure = self.0.add(name, rounds);
        println!(
            "| {what} | {:.2} ({:.2} to {:.2}) |",
            figure.median, figure.lowest, figure.highest
        );
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, kind, count, turns] = &args[..]
        && flag == "--exclusions"
    {
        exclusions::run(kind, count.parse().unwrap(), turns.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    // `cargo bench` says so; `cargo test` says nothing.
    match args.iter().any(|arg| arg == "--bench") {
        true => support::runner::run(&[("scale", bench)]),
        false => support::runner::run(&[("a_week_changes_nothing", week::a_week_changes_nothing)]),
    }
}

fn bench() {
    require_live();
    let mut table = Table(Figures::new());
    println!("{}\n\n| what | measured |\n| --- | --- |", table.0.machine);
    week::bench(&mut table);
    exclusions::in_process(&mut table);
    exclusions::live(&mut table);
    processes::bench(&mut table);
    table.0.keep("scale");
}
