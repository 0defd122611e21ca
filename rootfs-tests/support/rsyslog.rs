//! A real rsyslogd on a private socket, writing a file.

use super::{require_program, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct Rsyslog {
    program: PathBuf,
    dir: PathBuf,
    child: Option<Child>,
}

impl Rsyslog {
    pub fn start(dir: &Path) -> Rsyslog {
        let program = require_program("rsyslogd");
        let path = |name: &str| dir.join(name).display().to_string();
        // Without a rate limit, like the drop-in that docs recommend: imuxsock else sheds
        // by the sender's pid. The rest is Debian's default, and so is the template.
        let config = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"RSYSLOG_TraditionalFileFormat\")\n\
             template(name=\"severities\" type=\"string\" string=\"%syslogfacility-text% \
             %syslogseverity-text% %syslogtag%%msg%\\n\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"severities\")\n",
            path("log.sock"),
            path("messages"),
            path("severities")
        );
        write(dir.join("rsyslog.conf"), config).unwrap();
        let mut rsyslog = Rsyslog { program, dir: dir.into(), child: None };
        rsyslog.begin();
        rsyslog
    }

    /// Starts it, again after [`Rsyslog::stop`], and waits for its socket.
    pub fn begin(&mut self) {
        let child = Command::new(&self.program)
            .arg("-n")
            .arg("-f")
            .arg(self.dir.join("rsyslog.conf"))
            .arg("-i")
            .arg(self.dir.join("rsyslog.pid"))
            .stdin(Stdio::null())
            .stderr(File::create(self.dir.join("rsyslog.log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("rsyslogd's socket", || self.dir.join("log.sock").exists().then_some(()));
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// SIGTERM: it writes what it has and removes its socket.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        wait_for("the end of rsyslogd", || child.try_wait().unwrap());
    }

    /// For `--syslog`.
    pub fn address(&self) -> String {
        format!("unix:{}", self.dir.join("log.sock").display())
    }

    /// What it wrote.
    pub fn messages(&self) -> PathBuf {
        self.dir.join("messages")
    }

    /// The same, with facility, severity and tag in front.
    pub fn severities(&self) -> PathBuf {
        self.dir.join("severities")
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
