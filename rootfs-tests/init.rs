//! Scripts for hosts without systemd. OpenRC's takes a root file system: rootfs-tests/service/openrc.

mod support;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use support::command::Answer;
use support::sensor::managed_file;
use support::{PATIENCE, mote, require_live, require_program, scratch, wait_for};

const SYSV: &str = include_str!("../packaging/init/sysv");
const PROCD: &str = include_str!("../packaging/init/procd");

fn main() -> ExitCode {
    support::runner::run(&[
        ("sysv_by_the_shell_of_the_host", sysv_by_the_shell_of_the_host),
        ("sysv_by_busybox", sysv_by_busybox),
        ("procd_is_told_what_to_run", procd_is_told_what_to_run),
    ])
}

/// The script with places in `scratch`, and what calls it.
struct Script<'a> {
    shell: &'a [&'a str],
    path: PathBuf,
    scratch: &'a Path,
}

impl Script<'_> {
    fn install<'a>(scratch: &'a Path, shell: &'a [&'a str]) -> Script<'a> {
        let mut text = SYSV.to_owned();
        let places = [
            ("/usr/bin/mote", mote()),
            ("/etc/default/mote", scratch.join("default")),
            ("/var/run/mote.pid", scratch.join("pid")),
        ];
        for (place, instead) in places {
            assert_eq!(text.matches(&format!("={place}\n")).count(), 1, "{place}");
            text = text.replace(place, instead.to_str().unwrap());
        }
        let path = scratch.join("script");
        fs::write(&path, text).unwrap();
        Script { shell, path, scratch }
    }

    fn options(&self, options: &str) {
        fs::write(self.scratch.join("default"), format!("MOTE_OPTIONS=\"{options}\"\n")).unwrap();
    }

    fn call(&self, action: &str) -> Answer {
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).arg(&self.path).arg(action).stdin(Stdio::null());
        Answer::from(command.output().unwrap())
    }

    fn pid(&self) -> Pid {
        let text = fs::read_to_string(self.scratch.join("pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }
}

/// A test that fails leaves no sensor behind.
impl Drop for Script<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && self.scratch.join("pid").exists() {
            let _ = kill_process(self.pid(), Signal::KILL);
        }
    }
}

fn sysv_by_the_shell_of_the_host() {
    require_live();
    let (_guard, dir) = scratch();
    let script = Script::install(&dir, &["/bin/sh"]);
    let _receiver = lives(&script);

    // A wrong option is said where it is seen.
    script.options("--no-such-option");
    let refused = script.call("start").expect(1);
    assert!(refused.out.contains("--no-such-option"), "{refused:?}");
    script.call("status").expect(3);

    // Of one that was killed its file is left.
    let reads = options(&dir);
    script.options(&reads);
    script.call("start").expect(0);
    let pid = script.pid();
    kill_process(pid, Signal::KILL).unwrap();
    ended(pid);
    script.call("status").expect(1);
    script.call("start").expect(0);
    assert_ne!(script.pid(), pid);
    script.call("stop").expect(0);
}

fn sysv_by_busybox() {
    require_live();
    let busybox = require_program("busybox");
    let (_guard, dir) = scratch();
    lives(&Script::install(&dir, &[busybox.to_str().unwrap(), "sh"]));
}

/// Whoever inherits the process takes it off the list.
fn ended(pid: Pid) {
    wait_for("the sensor's end", || test_kill_process(pid).is_err().then_some(()));
}

/// Options of a sensor that has nothing of the host's.
fn options(dir: &Path) -> String {
    let config = managed_file(dir);
    fs::write(&config, "{}").unwrap();
    let places = [("syslog", "receiver"), ("runtime-dir", "run"), ("state-dir", "state")];
    let mut options = format!("--config {}", config.display());
    for (name, place) in places {
        let unix = if name == "syslog" { "unix:" } else { "" };
        options += &format!(" --{name} {unix}{}", dir.join(place).display());
    }
    options
}

/// Gives back what has to be there for another start.
fn lives(script: &Script) -> UnixDatagram {
    let dir = script.scratch;
    let receiver = UnixDatagram::bind(dir.join("receiver")).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    script.call("status").expect(3);
    script.call("reload").expect(7);
    script.options(&options(dir));
    let started = script.call("start").expect(0);
    assert!(started.out.contains("mote: ready: "), "{started:?}");
    let pid = script.pid();

    let again = script.call("start").expect(0);
    assert!(again.out.contains("runs already"), "{again:?}");
    assert_eq!(script.pid(), pid);
    script.call("status").expect(0);

    script.call("reload").expect(0);
    let mut message = [0; 8_192];
    wait_for("the configuration to be read again", || {
        let length = receiver.recv(&mut message).unwrap();
        let text = String::from_utf8_lossy(&message[..length]);
        text.contains("was read again").then_some(())
    });
    assert_eq!(script.pid(), pid);

    script.call("stop").expect(0);
    ended(pid);
    script.call("status").expect(3);
    // Nothing is left to be stopped, which is no fault.
    script.call("stop").expect(0);
    script.call("restrat").expect(2);
    receiver
}

/// OpenWrt's functions stand for what they would tell procd.
fn procd_is_told_what_to_run() {
    let (_guard, dir) = scratch();
    let defaults = dir.join("default");
    fs::write(&defaults, "MOTE_OPTIONS=\"--profile tiny\"\n").unwrap();
    assert_eq!(PROCD.matches("/etc/default/mote").count(), 2);
    let script = PROCD.replace("/etc/default/mote", defaults.to_str().unwrap());
    let path = dir.join("script");
    fs::write(&path, script).unwrap();
    let program = "for name in open_instance set_param close_instance send_signal; do \
                   eval \"procd_$name() { echo $name \\\"\\$@\\\"; }\"; done; \
                   . \"$0\"; start_service; reload_service; echo \"$USE_PROCD $START\"";
    let answer =
        Answer::from(Command::new("/bin/sh").arg("-c").arg(program).arg(path).output().unwrap());
    let told = answer.expect(0).out;
    let lines: Vec<_> = told.lines().map(str::trim_end).collect();
    let expected = [
        "open_instance",
        "set_param command /usr/bin/mote run --profile tiny",
        "set_param respawn 600 5 20",
        "set_param term_timeout 90",
        "close_instance",
        "send_signal mote",
        "1 13",
    ];
    assert_eq!(lines, expected);
}
