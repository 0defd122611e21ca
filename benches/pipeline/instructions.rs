//! Instructions of a stage.

use crate::callgrind::instructions;
use crate::kept::assert_as_kept;
use crate::stages::STAGES;
use crate::support::skip;

/// Of an event, up to this stage. `None` where valgrind is not installed.
pub fn of(stage: &str) -> Option<f64> {
    instructions(&["--stage", stage])
}

pub fn are_as_kept() {
    let Some(counts) =
        STAGES.map(|(_, name)| Some((name, of(name)?))).into_iter().collect::<Option<Vec<_>>>()
    else {
        skip("valgrind is not installed");
    };
    assert_as_kept("pipeline", &counts);
}
