//! Copies of this host, for what the pages do to one: `rootfs-tests/docs/host`.

use crate::pages::repository;
use crate::support::confine::require_mounts;
use crate::support::{STARTING, mote, require_program, skip, wait_at_most};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{read_dir, read_to_string, write};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A copy of this host. Dropped, all that was started there is ended.
pub struct Host {
    keeper: Keeper,
    /// Has the network namespace of its syslog daemon, in which there are no ports of others.
    network: Option<Keeper>,
    /// What commands there have in their environment.
    environment: Vec<(&'static str, String)>,
    /// Groups of processes, of each command one.
    groups: Vec<Pid>,
    _dir: tempfile::TempDir,
}

/// What a command printed, and how it ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A command that was started.
pub struct Job {
    line: String,
    group: Pid,
    file: PathBuf,
}

impl Host {
    /// With a network for the syslog daemons.
    pub fn first() -> Host {
        require_mounts();
        require_program("unshare");
        require_program("ip");
        let script = ["sh", "-c", "ip link set lo up && echo ready && read -r end"];
        let network = Keeper::start(Command::new("unshare").arg("--net").args(script));
        let mut host = Host::copy();
        host.set("MOTE_DOCS_NET", format!("/proc/{}/ns/net", network.child.id()));
        host.network = Some(network);
        host
    }

    /// Another one, with the same network.
    pub fn beside(first: &Host) -> Host {
        let mut host = Host::copy();
        host.environment = first.environment.clone();
        host
    }

    /// That of the collector, which is reached from the first.
    pub fn second(first: &mut Host) -> Host {
        let host = Host::beside(first);
        first.set("MOTE_DOCS_COLLECTOR", host.root().display().to_string());
        host
    }

    /// One on which nothing was done yet.
    fn copy() -> Host {
        let dir = tempfile::tempdir().unwrap();
        let tests = repository().join("rootfs-tests/docs");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).arg(tests.join("host"));
        let keeper = Keeper::start(command.arg(dir.path()).arg(repository()));
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}/stand-in:{path}:/usr/sbin:/sbin", tests.display());
        let environment = vec![("PATH", path)];
        Host { keeper, network: None, environment, groups: Vec::new(), _dir: dir }
    }

    /// Where its files are, to this host (proc(5)).
    fn root(&self) -> PathBuf {
        Path::new("/proc").join(self.keeper.child.id().to_string()).join("root")
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    /// The program under test is what `make build` has left there.
    pub fn take_program(&mut self) {
        let program = mote().canonicalize().unwrap();
        self.well("mkdir -p dist && rm -f dist/mote*");
        self.well(&format!("cp /run/old{} dist/mote", program.display()));
    }

    /// And its package what `make dist` has.
    pub fn take_package(&mut self) {
        self.well("SOURCE_DATE_EPOCH=1 packaging/dist amd64 0.0.1 dist/mote");
    }

    /// Runs a command that has to succeed.
    pub fn well(&mut self, line: &str) {
        let ended = self.run(line);
        assert_eq!(ended.code, 0, "{line}: {}", ended.err);
    }

    /// Runs a command to its end. What it leaves in the background goes on.
    pub fn run(&mut self, line: &str) -> Ended {
        let job = self.start(line);
        let code = job.wait();
        Ended { code, out: job.printed("out"), err: job.printed("err") }
    }

    /// Starts one that goes on. A sensor is ready then.
    pub fn start_until_ready(&mut self, line: &str) -> Job {
        let job = self.start(line);
        let begin = Instant::now();
        wait_at_most(STARTING, "a command that goes on", || {
            assert!(job.code().is_none(), "{line} ended: {}", job.printed("err"));
            let is_ready = match line.contains("mote run") {
                true => job.printed("err").contains("mote: ready:"),
                false => begin.elapsed() > Duration::from_secs(1),
            };
            is_ready.then_some(())
        });
        job
    }

    fn start(&mut self, line: &str) -> Job {
        let name = format!("run/jobs/{}", self.groups.len());
        let file = self.root().join(&name);
        let variables = self.environment.iter();
        let variables: String =
            variables.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        write(&file, variables + line).unwrap();
        writeln!(self.keeper.child.stdin.as_ref().unwrap(), "/{name}").unwrap();
        let group = Pid::from_raw(self.keeper.line().parse().unwrap()).unwrap();
        self.groups.push(group);
        Job { line: line.to_owned(), group, file }
    }

    fn end(&self) {
        for note in read_dir(self.root().join("run/units")).into_iter().flatten().flatten() {
            let pid = read_to_string(note.path()).ok().and_then(|text| text.trim().parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        for group in &self.groups {
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }
}

impl Job {
    fn printed(&self, what: &str) -> String {
        let bytes = std::fs::read(self.file.with_extension(what)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn code(&self) -> Option<i32> {
        self.printed("code").trim().parse().ok()
    }

    /// Waits for its end.
    pub fn wait(&self) -> i32 {
        wait_at_most(STARTING, &self.line, || self.code())
    }

    /// Ctrl-C, as a terminal sends it: to all of its group.
    pub fn interrupt(&self) {
        kill_process_group(self.group, Signal::INT).unwrap();
    }

    /// It has to end well, or as one who was interrupted.
    pub fn wait_for_interrupted(&self) {
        const INTERRUPTED: i32 = 128 + 2;
        const UNDELIVERED: i32 = 74;
        let (code, said) = (self.wait(), self.printed("err"));
        // Nobody is at the addresses of the pages.
        let is_undelivered = code == UNDELIVERED && said.contains("192.0.2.");
        assert!(
            [0, INTERRUPTED].contains(&code) || is_undelivered,
            "{}: {code}: {said}",
            self.line
        );
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
        for keeper in [&mut self.keeper].into_iter().chain(&mut self.network) {
            let _ = keeper.child.kill();
            let _ = keeper.child.wait();
        }
    }
}

/// A process that keeps namespaces.
struct Keeper {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Skips the test where there are none.
    fn start(command: &mut Command) -> Keeper {
        let said = tempfile::NamedTempFile::new().unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut keeper = Keeper { child, answers };
        if keeper.line() != "ready" {
            let _ = keeper.child.wait();
            let why = read_to_string(said.path()).unwrap();
            skip(&format!("this host cannot be copied: {}", why.trim_end()));
        }
        keeper
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
