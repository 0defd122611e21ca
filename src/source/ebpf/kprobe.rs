//! Kprobes, defined through tracefs: for what has no tracepoint.
//!
//! The kprobe PMU would leave nothing behind, but of the kernels that need this 4.15 does
//! not have it. A definition outlives a sensor that is killed; nothing is attached to it
//! then, so it costs nothing, and the next sensor removes it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::tracefs::{Format, Tracefs};

/// A program and the kernel function it is made for.
#[derive(Clone, Copy, Debug)]
pub struct Kprobe {
    /// The kernel function.
    pub function: &'static str,
    /// Name of the function in `bpf/`.
    pub program: &'static str,
    /// Whether it runs at the function's return.
    pub at_return: bool,
}

/// execve and execveat where they have no tracepoints. What gives back a slot comes before
/// what takes one.
pub const EXEC: [Kprobe; 4] = [
    Kprobe { function: "sys_execve", program: "probe_exec_return", at_return: true },
    Kprobe { function: "sys_execveat", program: "probe_exec_return", at_return: true },
    Kprobe { function: "sys_execve", program: "probe_execve", at_return: false },
    Kprobe { function: "sys_execveat", program: "probe_execveat", at_return: false },
];

/// The first part of the names of our groups of events; the sensor's pid is the second.
const GROUP: &str = "mote_";

/// A kprobe that the kernel knows of, as long as this lives.
#[derive(Debug)]
pub struct Definition {
    control: PathBuf,
    /// `GROUP/EVENT`.
    name: String,
}

impl Definition {
    /// Defines a kprobe. Returns what perf_event_open(2) takes as `config` too. `address`: where the
    /// function is, if that is known; else the kernel searches all of its symbols for it, more
    /// than once.
    pub fn add(
        tracefs: &Tracefs,
        kprobe: Kprobe,
        address: Option<u64>,
    ) -> io::Result<(Definition, u64)> {
        let kind = if kprobe.at_return { 'r' } else { 'p' };
        let group = format!("{GROUP}{}", std::process::id());
        let event = format!("{}_{}", kprobe.program, kprobe.function);
        let name = format!("{group}/{event}");
        let control = tracefs.kprobe_events();
        let place = match address {
            Some(address) => format!("{address:#x}"),
            None => kprobe.function.to_owned(),
        };
        tell(&control, &format!("{kind}:{name} {place}"))?;
        let definition = Definition { control, name };
        let id = tracefs.format(&group, &event)?.map(|Format { id, .. }| id);
        Ok((definition, id.ok_or(io::ErrorKind::NotFound)?))
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        // One that stays is removed by the next sensor.
        let _ = tell(&self.control, &format!("-:{}", self.name));
    }
}

/// Removes what sensors left that were killed.
pub fn remove_abandoned(tracefs: &Tracefs) {
    let control = tracefs.kprobe_events();
    let Ok(text) = fs::read_to_string(&control) else { return };
    for name in text.lines().filter_map(|line| abandoned(line, is_running)) {
        let _ = tell(&control, &format!("-:{name}"));
    }
}

/// The name of a definition (`p:GROUP/EVENT FUNCTION`) by a sensor that does not run.
fn abandoned(line: &str, is_running: impl Fn(u32) -> bool) -> Option<&str> {
    let (_, name) = line.split(' ').next()?.split_once(':')?;
    let pid = name.strip_prefix(GROUP)?.split_once('/')?.0.parse().ok()?;
    (!is_running(pid)).then_some(name)
}

fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Appends, since the file would forget every definition otherwise (linux
/// `kernel/trace/trace_kprobe.c`, `probes_open`).
fn tell(control: &Path, command: &str) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(control)?.write_all(command.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_definitions_of_dead_sensors_are_abandoned() {
        let running = |pid| pid == 7;
        for (line, expected) in [
            ("p:mote_8/probe_execve_sys_execve sys_execve", Some("mote_8/probe_execve_sys_execve")),
            ("r16:mote_8/a sys_execve", Some("mote_8/a")),
            ("p:mote_7/a sys_execve", None),
            ("p:kprobes/myprobe do_sys_open", None),
            ("p:mote_x/a sys_execve", None),
            ("", None),
        ] {
            assert_eq!(abandoned(line, running), expected, "{line}");
        }
    }
}
