//! Instructions of a stage, counted by callgrind.

use crate::stages::STAGES;
use crate::support::skip;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Turns of two runs: what they have in common is no event's.
const TURNS: [u32; 2] = [2, 12];
const EVENTS_A_TURN: f64 = 1_000.0;
/// By how much a stage may need more, or less, than what is kept.
const TOLERANCE: f64 = 0.1;

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

/// Less is a reason to keep the new figures.
pub fn are_as_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pipeline/kept.json");
    let kept: BTreeMap<String, f64> =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let Some(counts) =
        STAGES.map(|(_, name)| Some((name, of(name)?))).into_iter().collect::<Option<Vec<_>>>()
    else {
        skip("valgrind is not installed");
    };
    for (name, count) in &counts {
        println!("{name}: {count:.0} instructions an event, {:.0} kept", kept[*name]);
    }
    for (name, count) in counts {
        let ratio = count / kept[name];
        assert!(
            (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio),
            "{name}: {count:.0} instructions an event in the place of {:.0}; if that has to be, keep \
             it in {}",
            kept[name],
            path.display()
        );
    }
}
