//! Instructions of a stage, counted by callgrind.

use crate::kept::assert_as_kept;
use crate::stages::STAGES;
use crate::support::skip;
use std::process::Command;

/// Turns of two runs: what they have in common is no event's.
const TURNS: [u32; 2] = [2, 12];
const EVENTS_A_TURN: f64 = 1_000.0;

/// Of an event, up to this stage. `None` where valgrind is not installed.
pub fn of(stage: &str) -> Option<f64> {
    let [few, many] = TURNS.map(|turns| collected(stage, turns));
    let turns = f64::from(TURNS[1] - TURNS[0]);
    Some((many? - few?) as f64 / (turns * EVENTS_A_TURN))
}

/// All that this program executes.
fn collected(stage: &str, turns: u32) -> Option<i64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--stage", stage, &turns.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "valgrind: {said}");
    let count =
        said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    Some(count.unwrap_or_else(|| panic!("callgrind collected nothing: {said}")))
}

pub fn are_as_kept() {
    let Some(counts) =
        STAGES.map(|(_, name)| Some((name, of(name)?))).into_iter().collect::<Option<Vec<_>>>()
    else {
        skip("valgrind is not installed");
    };
    assert_as_kept("pipeline", &counts);
}
