//! The journal, of a systemd-journald that runs for the test alone.

use crate::daemons::documents::{document, places};
use crate::records::{assert_once, documents, send_records, wait_for_lines};
use crate::support::{mote, require_program, scratch, skip, wait_for};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{File, create_dir_all};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const JOURNALD: [&str; 2] = ["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"];

/// Nothing of the host is read, and nothing is switched on in its kernel.
const CONFIGURATION: &str =
    "[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToSyslog=no\n";

/// In a mount namespace, with a /run of its own.
struct Journald {
    child: Child,
    root: PathBuf,
}

impl Journald {
    fn start(dir: &Path) -> Journald {
        let unshare = require_program("unshare");
        require_program("journalctl");
        let Some(program) = JOURNALD.iter().find(|path| Path::new(path).is_file()) else {
            skip("systemd-journald is not installed");
        };
        if !rustix::process::geteuid().is_root() {
            skip("not root: systemd-journald cannot have a /run of its own");
        }
        for needed in ["/etc/machine-id", "/etc/systemd/journald.conf"] {
            if !Path::new(needed).exists() {
                skip(&format!("{needed} is not there"));
            }
        }
        let configuration = dir.join("journald.conf");
        std::fs::write(&configuration, CONFIGURATION).unwrap();
        let script = format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && \
             mount --bind {} /etc/systemd/journald.conf && exec {program}",
            configuration.display()
        );
        let child = Command::new(unshare)
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let root = PathBuf::from(format!("/proc/{}/root", child.id()));
        let mut journald = Journald { child, root };
        let socket = journald.socket();
        wait_for("systemd-journald", || {
            if let Some(status) = journald.child.try_wait().unwrap() {
                skip(&format!("systemd-journald does not run here ({status})"));
            }
            socket.exists().then_some(())
        });
        journald
    }

    fn socket(&self) -> PathBuf {
        self.root.join("run/systemd/journal/dev-log")
    }

    /// `journalctl` for this journal.
    fn reader(&self) -> String {
        let files = self.root.join("run/log/journal");
        wait_for("the journal's file", || {
            files.read_dir().is_ok_and(|mut all| all.next().is_some()).then_some(())
        });
        format!("journalctl -D {}", files.display())
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A command of a shell, with all that it starts.
struct Pipeline(Child);

impl Pipeline {
    fn start(script: &str, output: &Path, state: &Path) -> Pipeline {
        let file = File::options().append(true).create(true).open(output).unwrap();
        let child = Command::new("sh")
            .args(["-c", script])
            .env("STATE_DIRECTORY", state)
            .stdin(Stdio::null())
            .stdout(file)
            .process_group(0)
            .spawn()
            .unwrap();
        Pipeline(child)
    }

    /// SIGTERM to all of them, as systemd does.
    fn stop(mut self) {
        kill_process_group(Pid::from_child(&self.0), Signal::TERM).unwrap();
        wait_for("the end of a pipeline", || self.0.try_wait().unwrap());
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The README's live view.
pub fn live() {
    let (_guard, dir) = scratch();
    let journald = Journald::start(&dir);
    send_records(&journald.socket(), 0..5);
    let script = format!(
        "{} -t mote -o cat -f -n all | {} decode",
        journald.reader(),
        mote().canonicalize().unwrap().display()
    );
    let events = dir.join("events.json");
    let view = Pipeline::start(&script, &events, &dir);
    wait_for_lines(&events, documents(0..5).len());
    send_records(&journald.socket(), 5..20);
    wait_for_lines(&events, documents(0..20).len());
    view.stop();
    assert_once(&events, &documents(0..20));
}

/// The unit's command, through a restart, with messages that come while it is away.
pub fn service() {
    let (_guard, dir) = scratch();
    let journald = Journald::start(&dir);
    send_records(&journald.socket(), 0..5);
    create_dir_all(dir.join("log")).unwrap();
    let [(program, our_program), (log, our_log)] = places(&dir);
    let reader = journald.reader() + " -q -t mote";
    let unit = document(
        "mote-decode-journal.service",
        &[
            (program, our_program.as_str()),
            (log, our_log.as_str()),
            ("journalctl -q -t mote", reader.as_str()),
            ("sleep 5", "sleep 0.2"),
        ],
    );
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let events = dir.join("log/events.json");
    let mut sent = 5;
    for _ in 0..3 {
        let service = Pipeline::start(command, &dir.join("said"), &dir);
        wait_for_lines(&events, documents(0..sent).len());
        send_records(&journald.socket(), sent..sent + 5);
        sent += 5;
        wait_for_lines(&events, documents(0..sent).len());
        // The cursor is written when the events are on their way.
        std::thread::sleep(std::time::Duration::from_millis(500));
        service.stop();
        send_records(&journald.socket(), sent..sent + 5);
        sent += 5;
    }
    let service = Pipeline::start(command, &dir.join("said"), &dir);
    wait_for_lines(&events, documents(0..sent).len());
    service.stop();
    assert_once(&events, &documents(0..sent));
}
