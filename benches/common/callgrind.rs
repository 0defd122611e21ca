//! Instructions of an event, counted by callgrind.

use std::process::Command;

/// Turns of two runs: what they have in common is no event's.
const TURNS: [u32; 2] = [2, 12];
pub const EVENTS_A_TURN: usize = 1_000;

/// Of an event, by this program with these arguments and a number of turns behind them. `None` where
/// valgrind is not installed.
pub fn instructions(args: &[&str]) -> Option<f64> {
    let [few, many] = TURNS.map(|turns| collected(args, turns));
    let turns = f64::from(TURNS[1] - TURNS[0]);
    Some((many? - few?) as f64 / (turns * EVENTS_A_TURN as f64))
}

/// All that it executes.
fn collected(args: &[&str], turns: u32) -> Option<i64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(args)
        .arg(turns.to_string())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "valgrind: {said}");
    let count =
        said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    Some(count.unwrap_or_else(|| panic!("callgrind collected nothing: {said}")))
}
