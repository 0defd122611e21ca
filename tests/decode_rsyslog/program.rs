//! `mote decode` with a pipe at each end, and what it is given.

use crate::common::line_of_all_actions;
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::read_to_string;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub fn record(seed: u64) -> String {
    String::from_utf8(line_of_all_actions(&mut Rng::with_seed(seed)).to_vec()).unwrap()
}

/// Documents of a record.
pub fn documents(record: &str) -> Vec<Value> {
    let mut program = Program::start(&["decode"]);
    program.tell(record);
    let (_, text, _) = program.ends();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub struct Program {
    pub child: Child,
    pub input: Option<ChildStdin>,
    pub output: BufReader<ChildStdout>,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mote"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Program { child, input, output }
    }

    pub fn tell(&mut self, line: &str) {
        let line = [line.as_bytes(), b"\n"].concat();
        self.input.as_mut().unwrap().write_all(&line).unwrap();
    }

    pub fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "it answers with a line");
        line
    }

    /// One line in, one line out, and it waits for the next.
    pub fn ask(&mut self, line: &str) -> Value {
        self.tell(line);
        serde_json::from_str(&self.answer()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// At the end of its input: status, the rest of its output, what it said.
    pub fn ends(mut self) -> (i32, String, String) {
        drop(self.input.take());
        let [mut rest, mut said] = [const { String::new() }; 2];
        self.output.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest, said)
    }
}

/// What cannot be parsed is null.
pub fn read_documents(file: &Path) -> Vec<Value> {
    let text = read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
}

pub fn wait_until(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "waited in vain");
        sleep(Duration::from_millis(10));
    }
}
