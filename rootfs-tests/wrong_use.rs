//! Wrong use: one sentence that says what to do, and an exit code of sysexits.h.

mod support;

use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, kill_process_group, setrlimit};
use rustix::thread::UnshareFlags;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use support::confine::{private_mounts, require_mounts, without, without_list_of_cpus};
use support::{mote, require_live, require_program, scratch, wait_for};

const EX_USAGE: i32 = 64;
const EX_NOINPUT: i32 = 66;
const EX_UNAVAILABLE: i32 = 69;
const EX_OSERR: i32 = 71;
const EX_IOERR: i32 = 74;
const EX_NOPERM: i32 = 77;
const EX_CONFIG: i32 = 78;

fn main() -> ExitCode {
    support::runner::run(&[
        ("wrong_arguments", wrong_arguments),
        ("wrong_input", wrong_input),
        ("wrong_configuration", wrong_configuration),
        ("not_root", not_root),
        ("syslog_absent", syslog_absent),
        ("no_provider", no_provider),
        ("pid_namespace", pid_namespace),
        ("no_proc", no_proc),
        ("few_descriptors", few_descriptors),
        ("log_that_cannot_be_written", log_that_cannot_be_written),
        ("output_that_cannot_be_written", output_that_cannot_be_written),
        ("reader_that_leaves", reader_that_leaves),
        ("make_run_tells_a_refusal", make_run_tells_a_refusal),
        ("make_run_ends_by_ctrl_c", make_run_ends_by_ctrl_c),
    ])
}

/// Runs a command that has to be refused with `code` and one line that has `word` in it.
fn refused(command: &mut Command, code: i32, word: &str) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A sensor that starts in spite of it would run forever.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for("a refusal", || child.try_wait().unwrap())
    }));
    if ended.is_err() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let context = format!("{command:?} said: {said}");
    assert_eq!(output.status.code(), Some(code), "{context}");
    assert!(output.stdout.is_empty(), "{context}");
    assert_eq!(said.lines().count(), 1, "one line: {context}");
    assert!(said.starts_with("mote: "), "{context}");
    assert!(said.contains(word), "the word `{word}`: {context}");
}

/// With directories of its own: a sensor may run on this host.
fn run_command(dir: &Path, syslog: &str) -> Command {
    let mut command = Command::new(mote());
    command.args(["run", "--syslog", syslog]);
    command.arg("--runtime-dir").arg(dir.join("run")).arg("--state-dir").arg(dir.join("state"));
    command
}

fn wrong_arguments() {
    for (args, word) in [
        (&["run", "--nonsense"][..], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&[], "decode"),
        (&["diagnostic", "ebpf-statistics", "--time", "abc"], "number from 1 to 3600"),
        (&["pause", "--limit-seconds", "0", "--", "true"], "number from 1 to 4294967295"),
        (&["exclusion", "file", "add"], "not provided: --path; see mote exclusion file add --help"),
        (&["exclusion", "file", "add", "--path=/x"], "see mote exclusion file add --help"),
        (&["exclusion", "folder", "add", "/x"], "see mote exclusion folder add --help"),
        (&["config", "bogus"], "see mote config --help"),
        (&["decode", "--bogus"], "see mote decode --help"),
        (&["run", "--profile", "huge"], "\"huge\" is no profile; write tiny, default or large"),
        (&["run", "--syslog"], "--syslog"),
        (&["run", "--syslog", "pigeon:home"], "pigeon:home"),
        (&["run", "--syslog", "udp:nowhere"], "udp:nowhere"),
        (&["run", "--syslog", "tcp:127.0.0.1:99999"], "tcp:127.0.0.1:99999"),
        (&["run", "--syslog", "unix:"], "unix:"),
        (&["decode", "--output", "nonsense", "/dev/null"], "nonsense"),
    ] {
        refused(Command::new(mote()).args(args), EX_USAGE, word);
    }
}

fn wrong_input() {
    let (_guard, dir) = scratch();
    let absent = dir.join("absent");
    let absent = absent.to_str().unwrap();
    refused(Command::new(mote()).args(["decode", absent]), EX_NOINPUT, absent);
    // Opens, and cannot be read.
    refused(Command::new(mote()).arg("decode").arg(&dir), EX_NOINPUT, "directory");
}

fn wrong_configuration() {
    require_live();
    let (_guard, dir) = scratch();
    let with = |path: &Path, code| {
        let path = path.to_str().unwrap();
        refused(run_command(&dir, "stdout").args(["--config", path]), code, path);
    };
    with(&dir.join("absent.json"), EX_NOINPUT);
    with(&dir, EX_NOINPUT);
    for (name, content) in [
        ("empty.json", &b""[..]),
        ("cut.json", b"{\"exclusions\": ["),
        ("array.json", b"[]"),
        ("bytes.json", b"\xff\xfe\0"),
        ("provider.json", b"{\"features\":{\"ebpfSupplementaryEventProvider\":\"auditd\"}}"),
    ] {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        with(&path, EX_CONFIG);
    }
    // A name that only means something here is told as one that means the same everywhere.
    let path = dir.join("cut.json");
    let mut command = run_command(&dir, "stdout");
    command.current_dir(&dir).args(["--config", "cut.json"]);
    refused(&mut command, EX_CONFIG, path.to_str().unwrap());
}

fn not_root() {
    require_live();
    let (_guard, dir) = scratch();
    // Where it was built may be closed to others.
    let copy = dir.join("mote");
    fs::copy(mote(), &copy).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    const NOBODY: u32 = 65534;
    let mut command = Command::new(copy);
    // Where a sensor has run, its settings are closed to others.
    let state = dir.join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    command.args(["run", "--syslog", "stdout", "--state-dir"]).arg(state);
    // Leaving root's identity clears the supplementary groups too.
    command.uid(NOBODY).gid(NOBODY);
    refused(&mut command, EX_NOPERM, "root");
}

fn syslog_absent() {
    require_live();
    let (_guard, dir) = scratch();
    let socket = dir.join("log");
    let address = format!("unix:{}", socket.display());
    let run = |word| {
        refused(&mut run_command(&dir, &address), EX_UNAVAILABLE, word);
    };
    run(socket.to_str().unwrap());
    // There, but no socket.
    fs::write(&socket, "").unwrap();
    run(socket.to_str().unwrap());
}

/// Neither provider: the connector of the kernel is in the host's network only.
fn no_provider() {
    require_live();
    require_mounts();
    for (wanted, words) in [
        ("enabled", ["list of CPUs", "netlink process connector does not run either"]),
        ("disabled", ["container with a network of its own", "or enable eBPF"]),
    ] {
        let (_guard, dir) = scratch();
        let path = dir.join("mote_managed.json");
        let config = format!(r#"{{"features":{{"ebpfSupplementaryEventProvider":"{wanted}"}}}}"#);
        fs::write(&path, config).unwrap();
        for word in words {
            let mut command = run_command(&dir, "stdout");
            command.arg("--config").arg(&path);
            without_list_of_cpus(&mut command, UnshareFlags::NEWNET);
            refused(&mut command, EX_UNAVAILABLE, word);
        }
    }
}

/// A container with process ids of its own: programs would see others than /proc shows.
fn pid_namespace() {
    require_live();
    require_mounts();
    let unshare = require_program("unshare");
    let (_guard, dir) = scratch();
    let run = run_command(&dir, "stdout");
    let mut command = Command::new(unshare);
    command.args(["--pid", "--fork", "--mount-proc"]).arg(run.get_program()).args(run.get_args());
    refused(&mut command, EX_UNAVAILABLE, "--pid=host");
}

fn no_proc() {
    require_live();
    require_mounts();
    let (_guard, dir) = scratch();
    let mut command = run_command(&dir, "stdout");
    without(&mut command, &[], || {
        private_mounts()?;
        Ok(mount("none", "/proc", "tmpfs", MountFlags::empty(), None)?)
    });
    refused(&mut command, EX_UNAVAILABLE, "mount -t proc");
}

/// Wherever they come to an end: in the loop, in libbpf, at the rings, at the tracepoints.
fn few_descriptors() {
    require_live();
    let (_guard, dir) = scratch();
    for most in [4, 6, 8, 12, 16, 20, 24, 32, 48, 64] {
        let mut command = run_command(&dir, "stdout");
        without(&mut command, &[], move || {
            setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })?;
            Ok(())
        });
        refused(&mut command, EX_OSERR, "ulimit -n");
    }
}

/// Events, which an idle machine may have none of for minutes.
struct Busy(std::process::Child);

impl Busy {
    fn start() -> Busy {
        let programs = ["-c", "while :; do /bin/true; sleep 0.1; done"];
        Busy(Command::new("/bin/sh").args(programs).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sensor goes on if nobody can be told that it does.
fn log_that_cannot_be_written() {
    require_live();
    let (_guard, dir) = scratch();
    let _busy = Busy::start();
    let full: Stdio = OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    let (_, dead) = io::pipe().unwrap();
    for log in [full, dead.into()] {
        let mut child =
            run_command(&dir, "stdout").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut first = [0; 3];
        let read = child.stdout.as_mut().unwrap().read_exact(&mut first);
        if read.is_ok() {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        }
        let status = child.wait().unwrap();
        read.unwrap_or_else(|error| panic!("{error}: {status}"));
        assert_eq!(&first, b"m1:");
        assert!(status.success(), "{status}");
    }
}

/// It is said while it lasts, and is no success.
fn output_that_cannot_be_written() {
    require_live();
    let (_guard, dir) = scratch();
    let _busy = Busy::start();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child =
        run_command(&dir, "stdout").stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("cannot be delivered") {
        assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    log.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(EX_IOERR), "{said}");
    assert_eq!(said.matches("cannot be delivered").count(), 1, "{said}");
    assert!(said.contains("messages were not delivered before the end"), "{said}");
}

fn reader_that_leaves() {
    require_live();
    let (_guard, dir) = scratch();
    let _busy = Busy::start();
    let mut child =
        run_command(&dir, "stdout").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EX_IOERR), "{said}");
    assert!(said.contains("the reader of standard output is gone"), "{said}");
}

/// `scripts/run` in a directory of its own, with the program under test.
fn make_run(dir: &Path) -> Command {
    require_program("bash");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/run");
    if !script.exists() {
        support::skip("scripts/run is not here");
    }
    for name in ["scripts", "dist"] {
        fs::create_dir(dir.join(name)).unwrap();
    }
    fs::copy(script, dir.join("scripts/run")).unwrap();
    symlink(mote(), dir.join("dist/mote")).unwrap();
    // What `make run` shows events with is not needed to see that there are some.
    fs::write(dir.join("scripts/show"), "#!/bin/sh\nexec cat\n").unwrap();
    fs::set_permissions(dir.join("scripts/show"), Permissions::from_mode(0o755)).unwrap();
    Command::new(dir.join("scripts/run"))
}

fn make_run_tells_a_refusal() {
    require_live();
    require_mounts();
    let (_guard, dir) = scratch();
    let mut command = make_run(&dir);
    without_list_of_cpus(&mut command, UnshareFlags::NEWNET);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EX_UNAVAILABLE), "{said}");
    assert!(said.contains("list of CPUs"), "{said}");
}

/// Also on a host on which nothing happens.
fn make_run_ends_by_ctrl_c() {
    require_live();
    let (_guard, dir) = scratch();
    let mut command = make_run(&dir);
    // A terminal sends it to the whole group.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    while !first.contains("\"/bin/sh\",\"-c\",\":\"") {
        first.clear();
        assert!(events.read_line(&mut first).unwrap() > 0, "the program that it runs is shown");
    }
    kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
    // The readers end when the sensor has told its last.
    io::copy(&mut events, &mut io::sink()).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}
