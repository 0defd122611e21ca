//! bpftrace with programs that do nothing on the calls of the loops: the floor of what a sensor on
//! tracepoints can cost.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The forms that the C library and the loops use.
const CALLS: [&str; 9] =
    ["rename", "openat", "connect", "accept4", "sendto", "execve", "exit_group", "clone", "vfork"];

/// A running bpftrace. Dropped, it ends.
pub struct Bpftrace {
    child: Child,
    /// Read, so that it is not ended by SIGPIPE.
    _output: BufReader<ChildStdout>,
}

impl Bpftrace {
    /// Waits until its programs are attached. Or says why it cannot.
    pub fn start() -> Result<Bpftrace, String> {
        let hooks = CALLS.map(|call| {
            let end = match call {
                "exit_group" => String::new(),
                _ => format!(", tracepoint:syscalls:sys_exit_{call}"),
            };
            format!("tracepoint:syscalls:sys_enter_{call}{end} {{ }}")
        });
        let program = format!("BEGIN {{ printf(\"attached\\n\"); }} {}", hooks.join(" "));
        // tracefs need not be mounted here, and is not from now on.
        let script = "ulimit -l unlimited; mount -t tracefs tracefs /sys/kernel/tracing; \
                      exec bpftrace -B line -e \"$0\"";
        let mut child = Command::new("unshare")
            .args(["-m", "sh", "-c", script, &program])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("attached\n") {
            if output.read_line(&mut said).unwrap() == 0 {
                let errors = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
                let _ = child.wait();
                return Err(format!("does not run here: {said}{errors}"));
            }
        }
        Ok(Bpftrace { child, _output: output })
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
    }
}
