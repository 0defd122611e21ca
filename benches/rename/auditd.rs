//! The same loop under auditd, with one rule on the same calls. The rule is removed
//! again, and rules that were there are left alone.

use crate::support::{child, wait_for};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RULE: &str = "always,exit";
const CALLS: &[&str] = &["-F", "arch=b64", "-S", "rename,renameat,renameat2", "-k", "mote-bench"];

struct Rule(Option<Child>);

impl Drop for Rule {
    fn drop(&mut self) {
        let _ = auditctl(&[&["-d", RULE], CALLS].concat());
        if let Some(daemon) = &mut self.0 {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_child(daemon),
                rustix::process::Signal::TERM,
            );
            let _ = daemon.wait();
        }
    }
}

/// One number a round, or why there is none.
pub fn measure(rounds: usize, mut turn: impl FnMut() -> f64) -> Result<Vec<f64>, String> {
    let status = auditctl(&["-s"])?;
    // Another daemon's log is not a place for a million lines.
    if !status.lines().any(|line| line == "pid 0") {
        return Err("is running already".into());
    }
    let dir = tempfile::tempdir().unwrap();
    let _rule = start(dir.path())?;
    Ok((0..rounds).map(|_| in_new_process(&mut turn)).collect())
}

/// The kernel audits no process that is older than the first start of auditd (linux
/// `kernel/auditsc.c`, `audit_alloc`).
fn in_new_process(turn: &mut impl FnMut() -> f64) -> f64 {
    let (mut read, mut write) = std::io::pipe().unwrap();
    let pid = child::fork(|| {
        write.write_all(&turn().to_ne_bytes()).unwrap();
        0
    });
    let mut ns = [0; 8];
    read.read_exact(&mut ns).unwrap();
    child::ends_with(pid, 0);
    f64::from_ne_bytes(ns)
}

fn start(dir: &Path) -> Result<Rule, String> {
    // Debian's settings, but for where the log is.
    let config = format!(
        "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_format = ENRICHED\n\
         flush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 8\nnum_logs = 5\n\
         max_log_file_action = ROTATE\nspace_left = 75\nspace_left_action = SYSLOG\n\
         admin_space_left = 50\nadmin_space_left_action = SUSPEND\n",
        dir.join("audit.log").display()
    );
    fs::write(dir.join("auditd.conf"), config).unwrap();
    let child = Command::new("auditd")
        .args(["-n", "-c"])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("is not installed ({error})"))?;
    let mut rule = Rule(Some(child));
    let id = format!("pid {}", rule.0.as_ref().unwrap().id());
    let daemon = rule.0.as_mut().unwrap();
    wait_for("auditd", || {
        let up = auditctl(&["-s"]).is_ok_and(|status| status.lines().any(|line| line == id));
        (up || daemon.try_wait().unwrap().is_some()).then_some(())
    });
    if daemon.try_wait().unwrap().is_some() {
        return Err("does not start here".into());
    }
    auditctl(&[&["-a", RULE], CALLS].concat())?;
    Ok(rule)
}

fn auditctl(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("auditctl");
    command.args(args);
    match command.output() {
        Err(error) => Err(format!("auditctl is not installed ({error})")),
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
    }
}
