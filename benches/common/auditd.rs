//! The real auditd with Debian's settings, and what is run under it. Rules and settings that are
//! made here are taken back, and rules that were there are left alone.

use crate::support::{child, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Options of auditctl(8) of one rule, without the `-a always,exit` before them.
pub type Options = Vec<String>;

/// A running auditd. Dropped, it ends, and its rules and settings are gone.
pub struct Auditd {
    daemon: Child,
    rules: Vec<Options>,
    /// Options of auditctl(8) for what was set.
    before: Vec<(&'static str, String)>,
}

/// auditctl's options by the names that its status has for them.
const SETTINGS: [(&str, &str); 2] =
    [("backlog_limit", "-b"), ("backlog_wait_time", "--backlog_wait_time")];

impl Drop for Auditd {
    fn drop(&mut self) {
        self.take_back_rules();
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.daemon),
            rustix::process::Signal::TERM,
        );
        let _ = self.daemon.wait();
        for (option, value) in &self.before {
            let _ = auditctl(&[option, value]);
        }
    }
}

impl Auditd {
    /// Starts it with its log in `dir`. Or says why it cannot.
    ///
    /// The kernel audits no process that is older than the first start of auditd (linux
    /// `kernel/auditsc.c`, `audit_alloc`): what it is to audit has to be forked from now on.
    ///
    /// `log_mb` is how large a log gets. Debian's is 8, and of five the oldest goes. Its plugins are those of
    /// [`plugins`], whatever else is installed.
    pub fn start(dir: &Path, log_mb: u32) -> Result<Auditd, String> {
        // Another daemon's log is not a place for a million lines.
        if status("pid")? != "0" {
            return Err("is running already".into());
        }
        let plugins = plugins(dir);
        fs::create_dir_all(&plugins).unwrap();
        // Debian's settings, but for where the log is, and how large.
        let config = format!(
            "plugin_dir = {}\nlocal_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_format = ENRICHED\n\
             flush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = {log_mb}\nnum_logs = 5\n\
             max_log_file_action = ROTATE\nspace_left = 75\nspace_left_action = SYSLOG\n\
             admin_space_left = 50\nadmin_space_left_action = SUSPEND\n",
            plugins.display(),
            log(dir).display()
        );
        fs::write(dir.join("auditd.conf"), config).unwrap();
        // It switches audit on, and leaves it on.
        let before = vec![("-e", status("enabled")?)];
        let daemon = Command::new("auditd")
            .args(["-n", "-c"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("is not installed ({error})"))?;
        let mut auditd = Auditd { daemon, rules: Vec::new(), before };
        let id = auditd.daemon.id().to_string();
        wait_for("auditd", || {
            let up = status("pid").is_ok_and(|pid| pid == id);
            (up || auditd.daemon.try_wait().unwrap().is_some()).then_some(())
        });
        if auditd.daemon.try_wait().unwrap().is_some() {
            return Err("does not start here".into());
        }
        Ok(auditd)
    }

    /// Loads a rule `-a always,exit` with these options.
    pub fn add(&mut self, rule: &[&str]) -> Result<(), String> {
        let rule: Options = rule.iter().map(|option| (*option).into()).collect();
        change("-a", &rule)?;
        self.rules.push(rule);
        Ok(())
    }

    /// From now on nothing more is logged.
    pub fn take_back_rules(&mut self) {
        for rule in self.rules.drain(..) {
            let _ = change("-d", &rule);
        }
    }

    /// Sets what `/etc/audit/rules.d/audit.rules` of Debian has: how many events wait, and how long
    /// who makes more.
    pub fn set_backlog(&mut self, limit: u32, wait_time: u32) -> Result<(), String> {
        for ((name, option), value) in SETTINGS.into_iter().zip([limit, wait_time]) {
            self.before.push((option, status(name)?));
            auditctl(&[option, &value.to_string()])?;
        }
        Ok(())
    }
}

/// What an auditd writes that was started in `dir`.
pub fn log(dir: &Path) -> PathBuf {
    dir.join("audit.log")
}

/// Configurations of the plugins of an auditd that is started in `dir`.
pub fn plugins(dir: &Path) -> PathBuf {
    dir.join("plugins.d")
}

fn change(how: &str, rule: &[String]) -> Result<(), String> {
    let mut args = vec![how, "always,exit"];
    args.extend(rule.iter().map(String::as_str));
    auditctl(&args).map(|_| ())
}

/// What the status of the kernel's audit has of this name.
pub fn status(name: &str) -> Result<String, String> {
    let status = auditctl(&["-s"])?;
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
    status.lines().find_map(value).ok_or_else(|| format!("has no {name} in its status"))
}

fn auditctl(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("auditctl");
    command.args(args);
    match command.output() {
        Err(error) => Err(format!("auditctl is not installed ({error})")),
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("auditctl {}: {}", args.join(" "), said.trim()))
        }
    }
}

/// A number that comes of a new process.
pub fn in_new_process(turn: impl FnOnce() -> f64) -> f64 {
    use std::io::{Read, Write};
    let (mut read, mut write) = std::io::pipe().unwrap();
    let pid = child::fork(|| {
        write.write_all(&turn().to_ne_bytes()).unwrap();
        0
    });
    let mut number = [0; 8];
    read.read_exact(&mut number).unwrap();
    child::ends_with(pid, 0);
    f64::from_ne_bytes(number)
}
