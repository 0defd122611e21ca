//! Runs tests one after another in this thread and says what libtest would say.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::time::Instant;

/// A name and what to do.
pub type Test = (&'static str, fn());

struct Skipped(String);

/// Ends the running test as neither passed nor failed.
pub fn skip(reason: &str) -> ! {
    resume_unwind(Box::new(Skipped(reason.into())))
}

/// Runs every test whose name contains one of the arguments, or all.
pub fn run(tests: &[Test]) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let home = std::env::current_dir().unwrap();
    for (name, test) in &chosen {
        std::env::set_current_dir(&home).unwrap();
        let verdict = match catch_unwind(AssertUnwindSafe(test)) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(payload) => match payload.downcast_ref::<Skipped>() {
                Some(Skipped(reason)) => {
                    skipped += 1;
                    println!("skipped: {name} {reason}");
                    "ignored"
                }
                None => {
                    failed += 1;
                    "FAILED"
                }
            },
        };
        println!("test {name} ... {verdict}");
        std::io::stdout().flush().unwrap();
    }
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        tests.len() - chosen.len(),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
