//! Others that trace this kernel: bpftrace with programs that do nothing on the calls of the loops, which
//! is the floor of what a sensor on tracepoints can cost, and execsnoop of libbpf-tools, which tells of
//! programs and of nothing else.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// The forms that the C library and the loops use.
const CALLS: [&str; 9] =
    ["rename", "openat", "connect", "accept4", "sendto", "execve", "exit_group", "clone", "vfork"];

/// A running tracer. Dropped, it ends.
pub struct Tracer {
    child: Child,
    /// Takes what it writes.
    reader: Option<JoinHandle<()>>,
}

impl Tracer {
    pub fn bpftrace(cpu: usize) -> Result<Tracer, String> {
        let hooks = CALLS.map(|call| {
            let end = match call {
                "exit_group" => String::new(),
                _ => format!(", tracepoint:syscalls:sys_exit_{call}"),
            };
            format!("tracepoint:syscalls:sys_enter_{call}{end} {{ }}")
        });
        let program = format!("BEGIN {{ printf(\"attached\\n\"); }} {}", hooks.join(" "));
        Tracer::start(cpu, &["bpftrace", "-B", "line", "-e", &program], "attached\n")
    }

    pub fn execsnoop(cpu: usize) -> Result<Tracer, String> {
        Tracer::start(cpu, &["stdbuf", "-oL", "execsnoop"], "PCOMM")
    }

    /// Waits until it says that its programs are attached. Or says why it cannot. What it does itself it
    /// does on this CPU.
    fn start(cpu: usize, command: &[&str], attached: &str) -> Result<Tracer, String> {
        // tracefs need not be mounted here, and is not from now on.
        let script = "mount -t tracefs tracefs /sys/kernel/tracing; exec taskset -c \"$0\" \"$@\"";
        let mut child = Command::new("unshare")
            .args(["-m", "sh", "-c", script, &cpu.to_string()])
            .args(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains(attached) {
            if output.read_line(&mut said).unwrap() == 0 {
                let errors = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
                let _ = child.wait();
                return Err(format!("does not run here: {said}{errors}"));
            }
        }
        let reader = std::thread::spawn(move || {
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        });
        Ok(Tracer { child, reader: Some(reader) })
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
        let _ = self.reader.take().map(JoinHandle::join);
    }
}
