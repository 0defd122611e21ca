//! What an event costs the sensor, from a record of a ring to a queued message: nanoseconds, and
//! instructions as callgrind counts them.
//!
//! Instructions are the same on every machine but for a few, so that `cargo test` compares them with
//! those that are kept (`kept.json`).

#[path = "../common/callgrind.rs"]
mod callgrind;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/figures.rs"]
mod figures;
#[path = "../common/kept.rs"]
mod kept;
#[path = "../../tests/no_allocation/records.rs"]
#[allow(dead_code)]
mod records;
#[path = "../../rootfs-tests/support/mod.rs"]
mod support;

mod instructions;
mod stages;

use figures::Figures;
use stages::{STAGES, Stage, run};
use std::process::ExitCode;
use std::time::Instant;

const ROUNDS: usize = 15;
/// A turn is a thousand events.
const TURNS: usize = 100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, name, turns] = &args[..]
        && flag == "--stage"
    {
        run(stage(name), turns.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    // `cargo bench` says so; `cargo test` says nothing.
    if args.iter().any(|arg| arg == "--bench") {
        bench();
        return ExitCode::SUCCESS;
    }
    support::runner::run(&[("instructions_are_as_kept", instructions::are_as_kept)])
}

fn stage(name: &str) -> Stage {
    STAGES.into_iter().find(|(_, of)| *of == name).expect("the name of a stage").0
}

fn bench() {
    let mut ns = [const { Vec::new() }; STAGES.len()];
    for _ in 0..ROUNDS {
        for (at, (stage, _)) in STAGES.into_iter().enumerate() {
            let start = Instant::now();
            let events = run(stage, TURNS);
            ns[at].push(start.elapsed().as_nanos() as f64 / events as f64);
        }
    }
    let mut figures = Figures::new();
    println!(
        "{}\n{ROUNDS} rounds of {TURNS},000 events; medians (lowest to highest)\n",
        figures.machine
    );
    println!("| as far as | ns an event | events a second | instructions an event |");
    println!("| --- | --- | --- | --- |");
    for (at, (_, name)) in STAGES.into_iter().enumerate() {
        let figure = figures.add(format!("{name}_ns"), &ns[at]);
        let instructions =
            instructions::of(name).map_or("callgrind is not there".into(), |count| {
                figures.add(format!("{name}_instructions"), &[count]);
                format!("{count:.0}")
            });
        println!(
            "| {name} | {:.0} ({:.0} to {:.0}) | {:.0} | {instructions} |",
            figure.median,
            figure.lowest,
            figure.highest,
            1e9 / figure.median
        );
    }
    figures.keep("pipeline");
}
