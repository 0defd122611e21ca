//! The daemon most hosts run, as Debian packages it.

use crate::rig::{HOSTNAME, PATIENCE, Rig, skipped};
use mote::limits::LINE_BYTES;
use mote::sink::Capacity;
use rustix::process::{Pid, Signal};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

struct Daemon {
    child: Child,
    directory: tempfile::TempDir,
}

impl Daemon {
    /// Starts rsyslogd on a private socket and a free port; `None` where it is not
    /// installed, and `test` is skipped.
    fn start(test: &str) -> Option<Daemon> {
        if !Path::new(RSYSLOGD).exists() {
            skipped(test, &format!("{RSYSLOGD} is not installed (Debian package rsyslog)"));
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let fields = "%programname%|%procid%|%app-name%|%hostname%|%msgid%|%pri%|%msg%";
        let configuration = format!(
            "global(workDirectory=\"{}\" net.enableDNS=\"off\")\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             module(load=\"imtcp\")\n\
             template(name=\"fields\" type=\"string\" string=\"{fields}\\n\")\n\
             ruleset(name=\"all\") {{\n\
               action(type=\"omfile\" file=\"{}\" template=\"fields\")\n\
             }}\n\
             input(type=\"imuxsock\" socket=\"{}\" ruleset=\"all\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"0\" listenPortFileName=\"{}\"\n\
               ruleset=\"all\")\n",
            directory.path().display(),
            at("out"),
            at("log"),
            at("port"),
        );
        std::fs::write(at("conf"), configuration).unwrap();
        let daemon = Daemon { child: spawn(directory.path()), directory };
        daemon.wait_for_inputs();
        Some(daemon)
    }

    fn wait_for_inputs(&self) {
        self.wait("open its inputs", || {
            Path::new(&self.at("log")).exists() && !self.text("port").is_empty()
        });
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops every thread of it: a thread that still runs may read a message into memory,
    /// where no sender can know that it is lost by the SIGKILL that follows.
    fn freeze(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        self.wait("stop", || {
            std::fs::read_dir(&tasks).unwrap().flatten().all(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T'))
            })
        });
    }

    /// Ends it by `signal` and starts another.
    fn restart(&mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
        let _ = std::fs::remove_file(self.at("pid"));
        self.child = spawn(self.directory.path());
    }

    fn at(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "rsyslogd does not {what}: {}", self.text("stderr"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The fields of each of `count` lines it wrote.
    fn lines(&self, count: usize) -> Vec<Vec<String>> {
        self.wait("write all lines", || self.text("out").lines().count() >= count);
        self.text("out").lines().map(|l| l.split('|').map(str::to_owned).collect()).collect()
    }
}

fn spawn(directory: &Path) -> Child {
    let _ = std::fs::remove_file(directory.join("port"));
    Command::new(RSYSLOGD)
        .arg("-n")
        .arg("-f")
        .arg(directory.join("conf"))
        .arg("-i")
        .arg(directory.join("pid"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(directory.join("stderr")).unwrap())
        .spawn()
        .unwrap()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A payload with every character that the compact format has, in the longest message.
fn longest_payload() -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    "m1:".chars().chain(alphabet.chars().cycle()).take(LINE_BYTES - 128).collect()
}

#[test]
fn rsyslogd_reads_the_local_framing() {
    let Some(daemon) = Daemon::start("rsyslogd_reads_the_local_framing") else {
        return;
    };
    let payload = longest_payload();
    let mut rig = Rig::new(&format!("unix:{}", daemon.at("log")), Capacity::default());
    rig.offer(&["m1:first", &payload]);
    rig.run_empty();
    let pid = std::process::id().to_string();
    let lines = daemon.lines(2);
    assert_eq!(lines.len(), 2);
    for (line, text) in lines.iter().zip(["m1:first", &payload]) {
        assert_eq!([&line[0], &line[1], &line[2]], ["mote", &pid, "mote"]);
        assert_eq!(line[5], "86");
        // What follows the tag's colon is the message, its space included.
        assert!(line[6].trim_start() == text, "{}", line[6]);
    }
}

#[test]
fn rsyslogd_reads_the_remote_framing() {
    let Some(daemon) = Daemon::start("rsyslogd_reads_the_remote_framing") else {
        return;
    };
    let payload = longest_payload();
    let port = daemon.text("port");
    let mut rig = Rig::new(&format!("tcp:127.0.0.1:{}", port.trim()), Capacity::default());
    rig.offer(&["m1:first", &payload]);
    rig.run_empty();
    let pid = std::process::id().to_string();
    let lines = daemon.lines(2);
    assert_eq!(lines.len(), 2);
    for (line, text) in lines.iter().zip(["m1:first", &payload]) {
        assert_eq!(line[..6], ["mote", &pid, "mote", HOSTNAME, "0", "86"]);
        assert!(line[6] == text, "{}", line[6]);
    }
}

#[test]
fn a_restart_of_rsyslogd_loses_nothing() {
    let Some(mut daemon) = Daemon::start("a_restart_of_rsyslogd_loses_nothing") else {
        return;
    };
    let mut rig = Rig::new(&format!("unix:{}", daemon.at("log")), Capacity::default());
    for n in 0..90 {
        match n {
            // As its service manager does: it reads what it has before it ends.
            30 => daemon.restart(Signal::TERM),
            // Stopped, it accepts and does not read, and it dies so.
            60 => {
                daemon.wait_for_inputs();
                rig.run_empty();
                // Not a count of lines: some are there twice.
                daemon.wait("write line 59", || {
                    daemon.lines(1).iter().any(|line| line[6].trim_start() == "m1:59")
                });
                daemon.freeze();
            }
            66 => daemon.restart(Signal::KILL),
            _ => {}
        }
        rig.offer(&[&format!("m1:{n}")]);
        rig.turn();
    }
    daemon.wait_for_inputs();
    rig.run_empty();
    let last = |line: &Vec<String>| line[6].trim_start() == "m1:89";
    daemon.wait("write the last line", || daemon.lines(1).iter().any(last));
    let missing: Vec<usize> = (0..90)
        .filter(|n| !daemon.lines(1).iter().any(|l| l[6].trim_start() == format!("m1:{n}")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(rig.sink.take_shed(), mote::sink::Shed::default());
}
