//! Runs tests one after another in this thread and says what libtest would say.

use super::sensor::wait_for_those_that_left;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// A name and what to do.
pub type Test = (&'static str, fn());

struct Skipped(String);
struct Again(String);

/// How often a test is played before it fails, if each time something came between that is
/// no fault of what is tested.
const ATTEMPTS: usize = 3;

/// Ends the running test as neither passed nor failed.
pub fn skip(reason: &str) -> ! {
    resume_unwind(Box::new(Skipped(reason.into())))
}

/// Ends the running test, to be played once more: this attempt says nothing.
pub fn again(reason: &str) -> ! {
    resume_unwind(Box::new(Again(reason.into())))
}

/// Plays a test until an attempt says something.
fn play(name: &str, test: fn(), home: &Path) -> std::thread::Result<()> {
    let attempt = || {
        std::env::set_current_dir(home).unwrap();
        catch_unwind(AssertUnwindSafe(test))
    };
    let mut result = attempt();
    for _ in 1..ATTEMPTS {
        let Err(payload) = &result else { break };
        let Some(Again(reason)) = payload.downcast_ref() else { break };
        println!("again: {name} {reason}");
        result = attempt();
    }
    result
}

/// Runs every test whose name contains one of the arguments, or all.
pub fn run(tests: &[Test]) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    // cargo hands the same filter to every program; in a guest it is for this one.
    if chosen.is_empty() && std::env::var_os("MOTE_GUEST").is_some() {
        println!("no test has such a name: {}", wanted.join(" "));
        return ExitCode::FAILURE;
    }
    let start = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let home = std::env::current_dir().unwrap();
    for (name, test) in &chosen {
        let verdict = match play(name, *test, &home) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(payload) => {
                if let Some(Skipped(reason)) = payload.downcast_ref() {
                    skipped += 1;
                    println!("skipped: {name} {reason}");
                    "ignored"
                } else {
                    if let Some(Again(reason)) = payload.downcast_ref() {
                        println!("{name}: {reason}, in each of {ATTEMPTS} attempts");
                    }
                    failed += 1;
                    "FAILED"
                }
            }
        };
        println!("test {name} ... {verdict}");
        std::io::stdout().flush().unwrap();
    }
    if !wait_for_those_that_left() {
        failed += 1;
    }
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        tests.len() - chosen.len(),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
