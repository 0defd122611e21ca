//! rsyslogd and syslog-ng with a configuration of the documentation.

use super::documents::document;
use crate::support::{require_program, skip, wait_at_most, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, create_dir_all, read_dir, read_to_string, write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Clone, Copy)]
pub enum Kind {
    Rsyslog,
    SyslogNg,
}

impl Kind {
    /// How systemd tells it that files were renamed, in the documentation's logrotate.conf.
    fn told(self) -> &'static str {
        match self {
            Kind::Rsyslog => "/usr/bin/systemctl kill -s HUP rsyslog.service",
            Kind::SyslogNg => "/usr/bin/systemctl kill -s HUP syslog-ng.service",
        }
    }

    /// Skips the test where it is not there.
    pub fn require(self) {
        match self {
            Kind::Rsyslog => drop(require_program("rsyslogd")),
            Kind::SyslogNg => drop(syslog_ng()),
        }
    }
}

/// What a daemon listens to.
pub enum Input {
    /// Its `log.sock`, as a host's /dev/log.
    Socket,
    /// A port of the document.
    Port(u16),
}

pub struct Daemon {
    kind: Kind,
    dir: PathBuf,
    input: Input,
    child: Option<Child>,
}

impl Daemon {
    /// With the document's text as a file of a configuration like Debian's, in a directory of its
    /// own. `before` stands before it.
    pub fn start(kind: Kind, dir: &Path, input: Input, before: &str, text: &str) -> Daemon {
        kind.require();
        if text.contains("relp\"") && !has_relp() {
            skip("rsyslog-relp is not installed");
        }
        create_dir_all(dir.join("log")).unwrap();
        create_dir_all(dir.join("spool")).unwrap();
        let at = |name: &str| dir.join(name).display().to_string();
        write(at("mote.conf"), text).unwrap();
        let main = match (kind, &input) {
            (Kind::Rsyslog, Input::Socket) => format!(
                "global(workDirectory=\"{}\" net.enableDNS=\"off\")\n{before}\n\
                 module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{}\")\n\
                 include(file=\"{}\")\naction(type=\"omfile\" file=\"{}\")\n",
                at("spool"),
                at("log.sock"),
                at("mote.conf"),
                at("rest")
            ),
            (Kind::Rsyslog, Input::Port(_)) => format!(
                "global(workDirectory=\"{}\" net.enableDNS=\"off\")\n{before}\n\
                 include(file=\"{}\")\naction(type=\"omfile\" file=\"{}\")\n",
                at("spool"),
                at("mote.conf"),
                at("rest")
            ),
            (Kind::SyslogNg, _) => format!(
                "@version: 3.35\n{before}\nsource s_src {{ unix-dgram(\"{}\"); internal(); }};\n\
                 @include \"{}\"\ndestination d_rest {{ file(\"{}\"); }};\n\
                 log {{ source(s_src); destination(d_rest); }};\n",
                at("log.sock"),
                at("mote.conf"),
                at("rest")
            ),
        };
        write(at("main.conf"), main).unwrap();
        let mut daemon = Daemon { kind, dir: dir.into(), input, child: None };
        daemon.begin();
        daemon
    }

    /// That of a host, which sends to this port as a document of the documentation says.
    pub fn start_host(kind: Kind, name: &str, dir: &Path, port: u16) -> Daemon {
        let port = port.to_string();
        let replaced = [("collector.example.com", "127.0.0.1"), ("10514", port.as_str())];
        let sooner = [("resumeInterval=\"5\"", "resumeInterval=\"1\"")];
        // How long it waits until it tries again is a global option of syslog-ng (60 s).
        let (replaced, before) = match kind {
            Kind::Rsyslog => ([&replaced[..], &sooner].concat(), ""),
            Kind::SyslogNg => (replaced.to_vec(), "options { time-reopen(1); };"),
        };
        Daemon::start(kind, dir, Input::Socket, before, &document(name, &replaced))
    }

    /// Starts it, again after [`Daemon::stop`], and waits until it listens.
    pub fn begin(&mut self) {
        let at = |name: &str| self.dir.join(name);
        let mut command = match self.kind {
            Kind::Rsyslog => {
                let mut command = Command::new(require_program("rsyslogd"));
                command.arg("-n").arg("-f").arg(at("main.conf")).arg("-i").arg(at("pid"));
                command
            }
            Kind::SyslogNg => {
                let mut command = syslog_ng();
                command.args(["-F", "--no-caps", "-f"]).arg(at("main.conf"));
                command.arg("-R").arg(at("persist")).arg("-p").arg(at("pid"));
                command.arg("-c").arg(at("control")).current_dir(&self.dir);
                command
            }
        };
        let log = File::options().append(true).create(true).open(at("daemon.log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("a syslog daemon", || match self.input {
            Input::Socket => {
                UnixDatagram::unbound().unwrap().connect(self.socket()).is_ok().then_some(())
            }
            Input::Port(port) => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()),
        });
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// SIGTERM, as its service manager sends it; it saves what it has.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        // It may do first what waits in its queues.
        wait_at_most(Duration::from_secs(150), "the end of a syslog daemon", || {
            child.try_wait().unwrap()
        });
    }

    /// As `systemctl restart` does it: SIGTERM to the daemon and to the programs that it runs.
    pub fn stop_as_service(&mut self) {
        for program in self.programs() {
            let _ = kill_process(Pid::from_raw(program as i32).unwrap(), Signal::TERM);
        }
        self.stop();
    }

    /// SIGKILL, to it and not to the programs that it runs.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.take().unwrap().wait().unwrap();
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("log.sock")
    }

    /// Messages that the document leaves to others.
    pub fn rest(&self) -> PathBuf {
        self.dir.join("rest")
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it said of itself.
    pub fn said(&self) -> String {
        read_to_string(self.dir.join("daemon.log")).unwrap()
            + &read_to_string(self.rest()).unwrap_or_default()
    }

    /// The process of mote that it runs.
    pub fn program(&self) -> u32 {
        wait_for("the daemon's program", || self.programs().first().copied())
    }

    pub fn programs(&self) -> Vec<u32> {
        let own = self.child.as_ref().unwrap().id().to_string();
        let is_child = |pid: &u32| {
            let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit(") ").next().unwrap_or_default();
            fields.split(' ').nth(1) == Some(&own)
        };
        let names = read_dir("/proc").unwrap().flatten();
        let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_child).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            println!("{:?}: {}", self.dir, self.said());
        }
    }
}

/// A package of its own. Where modules are differs from distribution to distribution.
fn has_relp() -> bool {
    let folders = read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let others = [PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")];
    folders.chain(others).any(|folder| folder.join("rsyslog/omrelp.so").is_file())
}

/// Of the machine, or what `scripts/syslog-ng` has unpacked.
fn syslog_ng() -> Command {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    if let Some(file) =
        path.split(':').map(|dir| Path::new(dir).join("syslog-ng")).find(|f| f.is_file())
    {
        return Command::new(file);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/syslog-ng");
    let program = root.join("usr/sbin/syslog-ng");
    if !program.is_file() {
        skip("syslog-ng is neither installed nor unpacked (scripts/syslog-ng)");
    }
    let folders = |dir: &str| -> Vec<PathBuf> {
        let entries = read_dir(root.join(dir)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let versions = folders("usr/lib/syslog-ng");
    let modules = versions.iter().find(|dir| dir.join("libafprog.so").is_file()).unwrap();
    let mut libraries = vec![root.join("usr/lib/syslog-ng")];
    libraries.extend(folders("usr/lib").into_iter().chain(folders("lib")));
    let mut command = Command::new(program);
    command.arg(format!("--module-path={}", modules.display()));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
    command
}

/// logrotate with the file of the documentation, as if a day were over; its daemon is told.
pub fn rotate(dir: &Path, daemon: &Daemon) {
    let program = require_program("logrotate");
    let log = dir.join("log").display().to_string();
    let tell = format!("kill -HUP {}", daemon.child.as_ref().unwrap().id());
    let replaced = [("/var/log/mote", log.as_str()), (daemon.kind.told(), tell.as_str())];
    let file = dir.join("logrotate.conf");
    write(&file, document("logrotate.conf", &replaced)).unwrap();
    let mut command = Command::new(program);
    crate::support::output_of(command.arg("-f").arg("-s").arg(dir.join("rotated")).arg(file));
}
