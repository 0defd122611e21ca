//! What all benchmarks found the last time, against the goals: a table, JSON and a plot, in
//! `target/bench`.

#[path = "../common/figures.rs"]
mod figures;

mod cost;
mod goals;
mod plot;

use figures::{Figure, Figures, folder};
use goals::{GOALS, Goal};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;

/// A goal, and what was measured of it.
struct Row {
    goal: &'static Goal,
    measured: Option<Figure>,
}

impl Row {
    fn verdict(&self) -> &'static str {
        match (self.measured, self.goal.most) {
            (None, _) => "not measured",
            (_, None) => "no goal",
            (Some(figure), Some(most)) if figure.median <= most => "reached",
            _ => "missed",
        }
    }
}

fn main() {
    let mut kept = BTreeMap::new();
    let rows: Vec<Row> = GOALS
        .iter()
        .map(|goal| {
            let (bench, name) = goal.figure;
            let figures = kept.entry(bench).or_insert_with(|| Figures::of_last_time(bench));
            let measured = figures.as_ref().and_then(|all| all.figures.get(name)).copied();
            Row { goal, measured }
        })
        .collect();
    let machines: Vec<&str> = kept.values().flatten().map(|all| all.machine.as_str()).collect();
    assert!(machines.windows(2).all(|two| two[0] == two[1]), "of several machines: {machines:?}");
    let Some(machine) = machines.first() else {
        println!("nothing was measured: make bench");
        return;
    };
    let table = table(machine, &rows);
    println!("\n{table}");
    let at = |name: &str| folder().join(name);
    fs::write(at("report.json"), serde_json::to_string_pretty(&as_json(machine, &rows)).unwrap())
        .unwrap();
    fs::write(at("report.svg"), plot::svg(machine, &rows)).unwrap();
    println!("The same as JSON and as a plot: target/bench/report.json, report.svg");
    if std::env::var_os("MOTE_README").is_some() {
        let overhead = kept.remove("overhead").flatten().expect("make bench BENCH=overhead first");
        let ratios = cost::ratios(&overhead);
        let tables = format!(
            "How many times as long a turn takes as without, medians of five rounds:\n\n{ratios}\n{table}"
        );
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let text = fs::read_to_string(readme).unwrap();
        fs::write(readme, cost::put(&text, &tables)).unwrap();
        println!("The README has it.");
    }
}

fn table(machine: &str, rows: &[Row]) -> String {
    let mut table = format!(
        "On {machine}; medians (lowest to highest):\n\n| what | goal | measured | |\n\
         | --- | --- | --- | --- |\n"
    );
    for row in rows {
        let Goal { what, most, unit, digits, .. } = *row.goal;
        let measured = row.measured.map_or("–".into(), |figure| {
            let [median, lowest, highest] =
                [figure.median, figure.lowest, figure.highest].map(|n| format!("{n:.digits$}"));
            match lowest == highest {
                true => format!("{median}{unit}"),
                false => format!("{median}{unit} ({lowest} to {highest})"),
            }
        });
        let most = most.map_or("–".into(), |most| format!("≤ {most}{unit}"));
        let verdict = row.verdict();
        table.push_str(&format!("| {what} | {most} | {measured} | {verdict} |\n"));
    }
    table
}

fn as_json(machine: &str, rows: &[Row]) -> serde_json::Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "what": row.goal.what,
                "goal": row.goal.most,
                "unit": row.goal.unit.trim(),
                "measured": row.measured,
                "verdict": row.verdict(),
            })
        })
        .collect();
    json!({ "machine": machine, "rows": rows })
}
