//! mote's other commands, asked of the sensor of a test.

use super::{Sensor, again, mote, wait_for};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Answer {
    /// It has to have ended with this code.
    pub fn expect(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// It has to have been refused with this code, in one line that has these words in it.
    pub fn refused(self, code: i32, words: &[&str]) {
        let answer = self.expect(code);
        let one_line = answer.err.lines().count() == 1 && answer.err.starts_with("mote: ");
        assert!(one_line && answer.out.is_empty(), "{answer:?}");
        words.iter().for_each(|word| assert!(answer.err.contains(word), "`{word}`: {answer:?}"));
    }
}

/// The command, to the sensor that was started in `scratch`.
pub fn command(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(mote());
    // What follows `--` is another program's.
    let own = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
    command.args(&args[..own]).arg("--runtime-dir").arg(scratch.join("run")).args(&args[own..]);
    command.stdin(Stdio::null());
    command
}

/// Runs it.
pub fn ask(scratch: &Path, args: &[&str]) -> Answer {
    Answer::from(command(scratch, args).output().unwrap())
}

/// What `mote health` says of a sensor that is as it should be.
pub fn healthy(scratch: &Path) -> String {
    unflooded(scratch, ask(scratch, &["health"])).expect(0).out
}

/// The answer, unless events were lost: then health is not as the test would have it.
fn unflooded(scratch: &Path, answer: Answer) -> Answer {
    if answer.code == Some(1) {
        again_if_lost(scratch);
    }
    answer
}

/// Where the host is flooded, or the kernel skips programs, what a test waits for may never come.
pub fn again_if_lost(scratch: &Path) {
    if health(scratch, "events_lost") != 0 {
        again("events were lost");
    }
}

/// The value of a field of `mote health`, however the sensor is.
pub fn health(scratch: &Path, field: &str) -> Value {
    let answer = ask(scratch, &["health", "--field", field]);
    assert!(matches!(answer.code, Some(0 | 1)), "{answer:?}");
    serde_json::from_str(&answer.out).unwrap()
}

/// The output of a command that prints JSON and succeeds.
pub fn json(scratch: &Path, args: &[&str]) -> Value {
    let args = [args, &["--output", "json"]].concat();
    serde_json::from_str(&unflooded(scratch, ask(scratch, &args)).expect(0).out).unwrap()
}

/// `mote diagnostic ebpf-statistics`, which watches what causes events. See [`wait_for_begin`].
pub fn watch(scratch: &Path, args: &[&str]) -> Child {
    let args = [&["diagnostic", "ebpf-statistics"], args].concat();
    let mut command = command(scratch, &args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A sensor that says who asks.
pub fn start_that_tells_who_asks(scratch: &Path) -> Sensor {
    Sensor::start_with(scratch, &["--syslog", "stdout", "--log-level", "debug"])
}

/// Waits until the sensor, which [`start_that_tells_who_asks`] started, watches for it.
pub fn wait_for_begin(sensor: &Sensor, watch: &Child) {
    let words = format!("process {} asks: Statistics", watch.id());
    wait_for("a watch", || sensor.log().contains(&words).then_some(()));
}
