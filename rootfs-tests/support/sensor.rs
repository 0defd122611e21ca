//! Starts and stops the sensor, and decodes what it sent.

use super::{PATIENCE, STARTING, mote, wait_at_most, wait_for};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::cell::RefCell;
use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running sensor. Dropped, it is killed.
pub struct Sensor {
    child: Child,
    log: PathBuf,
}

impl Sensor {
    /// Starts it with `--syslog TO` and waits until every hook is attached. What goes to
    /// `stdout` is found in [`Sensor::records`].
    pub fn start(scratch: &Path, to: &str) -> Sensor {
        Sensor::start_with(scratch, &["--syslog", to])
    }

    /// Starts it with its records in a file and this configuration.
    pub fn start_configured(scratch: &Path, config: &Value) -> Sensor {
        std::fs::write(managed_file(scratch), config.to_string()).unwrap();
        Sensor::start_to_file(scratch)
    }

    /// Starts it with these arguments. What it keeps and where it is reached is below
    /// `scratch`, and no configuration of the host matters.
    pub fn start_with(scratch: &Path, args: &[&str]) -> Sensor {
        Sensor::start_command(scratch, run_command(scratch, args))
    }

    /// Starts it as this command does, and waits until every hook is attached.
    pub fn start_command(scratch: &Path, command: Command) -> Sensor {
        let mut sensor = Sensor::spawn(scratch, command);
        wait_at_most(STARTING, "the sensor's ready line", || {
            if let Some(status) = sensor.child.try_wait().unwrap() {
                panic!("the sensor ended with {status}: {}", sensor.log());
            }
            sensor.log().contains("mote: ready:").then_some(())
        });
        sensor
    }

    /// Starts it, and waits for nothing.
    pub fn spawn(scratch: &Path, mut command: Command) -> Sensor {
        let log = scratch.join("sensor.log");
        let records = File::create(scratch.join("sensor.records")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(records)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", mote().display()));
        Sensor { child, log }
    }

    /// Starts it with its records in a file.
    pub fn start_to_file(scratch: &Path) -> Sensor {
        Sensor::start(scratch, "stdout")
    }

    /// What it sent to its standard output.
    pub fn records(scratch: &Path) -> PathBuf {
        scratch.join("sensor.records")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        read_to_string(&self.log).unwrap()
    }

    /// How long it has run on a CPU: in nanoseconds where the kernel tells, else in ticks.
    pub fn cpu_time(&self) -> Duration {
        let pid = self.pid();
        let first = |text: String| text.split(' ').next()?.parse().ok();
        let schedstat = read_to_string(format!("/proc/{pid}/schedstat"));
        if let Some(ns) = schedstat.ok().and_then(first).filter(|ns| *ns > 0) {
            return Duration::from_nanos(ns);
        }
        let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let behind_name = stat.rsplit(") ").next().unwrap();
        let ticks = |nth| behind_name.split(' ').nth(nth).unwrap().parse::<u64>().unwrap();
        // utime and stime, proc_pid_stat(5).
        let seconds = (ticks(11) + ticks(12)) as f64 / clock_ticks_per_second() as f64;
        Duration::from_secs_f64(seconds)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the end of the sensor", || child.try_wait().unwrap())
    }

    /// SIGTERM: it has to send what it has and exit 0.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "SIGTERM: {status}: {}", self.log());
        self.show_warnings();
    }

    /// They explain what a test may then miss.
    fn show_warnings(&self) {
        self.log().lines().filter(|line| line.contains("warning")).for_each(|l| println!("{l}"));
    }

    /// SIGTERM, and the records are complete; the kernel detaches while the next test runs.
    /// How it ended is looked at by the runner, when all tests have run.
    pub fn leave(self) {
        self.signal(Signal::TERM);
        wait_for("the end of the records", || self.log().contains("mote: ending:").then_some(()));
        self.show_warnings();
        LEFT.with_borrow_mut(|left| left.push((self, true)));
    }

    /// SIGKILL, and nobody waits for its end.
    pub fn abandon(self) {
        self.signal(Signal::KILL);
        LEFT.with_borrow_mut(|left| left.push((self, false)));
    }

    /// SIGKILL, and it is gone.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

thread_local! {
    /// With whether it is to exit with 0.
    static LEFT: RefCell<Vec<(Sensor, bool)>> = const { RefCell::new(Vec::new()) };
}

/// Waits for the end of all sensors that left: whether each exited with 0.
pub fn wait_for_those_that_left() -> bool {
    let mut all_well = true;
    for (mut sensor, succeeds) in LEFT.take() {
        let status = sensor.wait();
        if succeeds && !status.success() {
            println!("a sensor that was told to end: {status}");
            all_well = false;
        }
    }
    all_well
}

/// The managed configuration of a sensor.
pub fn managed_file(scratch: &Path) -> PathBuf {
    scratch.join("mote_managed.json")
}

/// `mote run`, with all that it uses below `scratch`.
pub fn run_command(scratch: &Path, args: &[&str]) -> Command {
    let config = managed_file(scratch);
    if !config.exists() {
        std::fs::write(&config, "{}").unwrap();
    }
    let mut command = Command::new(mote());
    command.arg("run").args(args).arg("--config").arg(config);
    command.arg("--runtime-dir").arg(scratch.join("run"));
    command.arg("--state-dir").arg(scratch.join("state"));
    command
}

impl Drop for Sensor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the sensor's log: {}", read_to_string(&self.log).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of a file of syslog lines.
pub fn decode(file: &Path) -> Vec<Value> {
    decode_where(file, |_| true)
}

/// Those of them that are wanted: a flood would not fit into a small guest.
pub fn decode_where(file: &Path, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(mote())
        .arg("decode")
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(said.reopen().unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let events = lines
        .map(|line| line.expect("mote decode prints UTF-8"))
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .filter(|event| wanted(event))
        .collect();
    let status = child.wait().unwrap();
    let said = read_to_string(said.path()).unwrap();
    // It speaks of bad records, and of what it received twice and printed once.
    assert!(
        status.success() && (said.is_empty() || said.contains(" 0 bad records")),
        "mote decode: {status}: {said}"
    );
    events
}

/// Decodes until `complete` is satisfied: a receiver writes its file when it likes. The
/// last state is returned even if it never is; the comparison then shows what is missing.
pub fn decode_until(file: &Path, complete: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let step = Duration::from_millis(250);
    let mut events = Vec::new();
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if file.exists() {
            events = decode(file);
            if complete(&events) {
                break;
            }
        }
        std::thread::sleep(step);
    }
    events
}
