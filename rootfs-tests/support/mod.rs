//! What the live tests share. Each of them is one program with one thread and its own
//! `main`: it forks, changes directory and leaves privileges behind, and inside a guest
//! it runs as it is.

// Every test program uses another part of this.
#![allow(dead_code, unused_imports)]

pub mod child;
pub mod command;
pub mod confine;
pub mod expect;
pub mod memory;
pub mod rsyslog;
pub mod runner;
pub mod sensor;
pub mod sys;
pub mod worker;
pub mod workload;

pub use runner::{again, skip};
pub use sensor::{Sensor, decode};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that has to happen. Only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a sensor may take to be ready: an emulated CPU that is busy besides loads some 300
/// programs in a minute.
pub const STARTING: Duration = Duration::from_secs(180);

/// The program under test: what `make` built, or what cargo built for this test.
pub fn mote() -> PathBuf {
    std::env::var_os("MOTE_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_mote")), PathBuf::from)
}

/// Skips the test where no sensor can run.
pub fn require_live() {
    if !rustix::process::geteuid().is_root() {
        skip("not root");
    }
    if !bpf_allowed() {
        skip("this kernel or container refuses bpf(2)");
    }
}

/// Skips the test where the kernel has no process connector.
pub fn require_connector() {
    if !rustix::process::geteuid().is_root() {
        skip("not root");
    }
    // A line for everything that can be asked through it (linux drivers/connector/connector.c).
    let known = std::fs::read_to_string("/proc/net/connector").unwrap_or_default();
    if !known.contains("cn_proc") {
        skip("this kernel or container has no process connector");
    }
}

/// Skips the test where a program is missing.
pub fn require_program(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    match path.split(':').map(|dir| Path::new(dir).join(name)).find(|file| file.is_file()) {
        Some(file) => file,
        None => skip(&format!("{name} is not installed")),
    }
}

/// Asks the kernel for the smallest map there is, independently of the sensor.
#[allow(unsafe_code)]
fn bpf_allowed() -> bool {
    const BPF_MAP_CREATE: libc::c_long = 0;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    // union bpf_attr: map_type, key_size, value_size, max_entries.
    let attr: [u32; 4] = [BPF_MAP_TYPE_ARRAY, 4, 4, 1];
    // Before 5.11 a map counts against RLIMIT_MEMLOCK, and so do those of a sensor that has
    // just ended, until the kernel frees them. The limit is put back for the sensor's sake:
    // it has to raise its own.
    let limit = getrlimit(Resource::Memlock);
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
    // SAFETY: the kernel reads size_of(attr) bytes of `attr`, which outlives the call.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, attr.as_ptr(), size_of_val(&attr)) };
    let _ = setrlimit(Resource::Memlock, limit);
    if fd < 0 {
        return false;
    }
    // SAFETY: `fd` was just opened and nothing else has it.
    unsafe { libc::close(fd as i32) };
    true
}

/// Whether this kernel skips programs while another one is preempted (from 7.x on). It counts
/// the runs, also those that had no event to tell.
pub fn programs_are_skipped() -> bool {
    release() >= (7, 0)
}

/// The first two numbers of the kernel's release.
pub fn release() -> (u32, u32) {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().unwrap().parse::<u32>().unwrap();
    (next(), next())
}

/// Waits until `done` answers, and says what it waited for when it never does.
pub fn wait_for<T>(what: &str, done: impl FnMut() -> Option<T>) -> T {
    wait_at_most(PATIENCE, what, done)
}

/// The same for what may take longer on an emulated CPU.
pub fn wait_at_most<T>(patience: Duration, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = done() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Runs a command that has to succeed and returns what it printed.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Another name of this test's program: an executable that no other process has.
pub fn program_as(path: &Path) {
    other_name(&std::env::current_exe().unwrap(), path);
}

/// Another name of a file, or a copy where it is on another file system.
pub fn other_name(file: &Path, path: &Path) {
    let file = file.canonicalize().unwrap();
    if std::fs::hard_link(&file, path).is_err() {
        std::fs::copy(&file, path).unwrap();
    }
}

/// An own directory whose name crosses no symbolic link.
pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}
