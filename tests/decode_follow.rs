//! `mote decode --follow`: a file that grows and is rotated while it is read.

mod common;

use common::line_of_actions;
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions, copy, remove_file, rename, write};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// How long anything may take that has to happen. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than the file is looked at.
const A_LOOK: Duration = Duration::from_millis(500);

/// Events of a line: few, so that they fit whatever their names are.
const EVENTS: usize = 3;

/// A line of syslog with a record, another one for each number.
fn line(number: u64) -> String {
    let record = line_of_actions(&mut Rng::with_seed(number), EVENTS).to_vec();
    format!("Nov 24 00:00:00 gate mote[1]: {}\n", String::from_utf8(record).unwrap())
}

fn mote(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mote"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What is made of these lines.
fn documents(numbers: &[u64]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines");
    write(&file, numbers.iter().map(|number| line(*number)).collect::<String>()).unwrap();
    let output = mote(&["decode", file.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(documents.len(), numbers.len() * EVENTS);
    documents
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

struct Follower {
    child: Child,
    output: Receiver<String>,
}

impl Follower {
    fn start(arguments: &[&str]) -> Follower {
        let mut child = mote(&[&["decode", "--follow"], arguments].concat()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = channel();
        spawn(move || {
            for line in stdout.lines() {
                sender.send(line.unwrap()).unwrap();
            }
        });
        Follower { child, output }
    }

    /// These lines come next, with nothing between them.
    fn gives(&self, numbers: &[u64]) {
        for expected in documents(numbers) {
            match self.output.recv_timeout(PATIENCE) {
                Ok(document) => assert_eq!(document, expected),
                Err(error) => panic!("{error}: {expected}"),
            }
        }
    }

    fn gives_nothing(&self) {
        assert_eq!(self.output.recv_timeout(A_LOOK), Err(RecvTimeoutError::Timeout));
    }

    /// Status, and what it said.
    fn ends(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        assert_eq!(self.output.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }

    fn ends_by(self, signal: Signal) -> String {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let (status, said) = self.ends();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

/// An empty file of a directory of its own.
fn new_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.log");
    File::create(&path).unwrap();
    (dir, path)
}

#[test]
fn what_is_there_and_what_is_added_is_written_at_once() {
    let (_dir, path) = new_file();
    append(&path, &line(1));
    let follower = Follower::start(&[path.to_str().unwrap()]);
    follower.gives(&[1]);
    append(&path, "Nov 24 00:00:00 gate sshd[2]: hello\n");
    append(&path, &line(2));
    follower.gives(&[2]);
    // A line is one when it has ended.
    let (half, rest) = (&line(3)[..200], &line(3)[200..]);
    append(&path, half);
    follower.gives_nothing();
    append(&path, rest);
    follower.gives(&[3]);
    assert_eq!(follower.ends_by(Signal::TERM), "");
}

#[test]
fn ctrl_c_ends_it_with_0_too_and_the_counts_are_said() {
    let (_dir, path) = new_file();
    append(&path, &format!("{}{}m1:AQAA\n", line(1), line(1)));
    let follower = Follower::start(&[path.to_str().unwrap()]);
    follower.gives(&[1]);
    sleep(A_LOOK);
    let said = follower.ends_by(Signal::INT);
    assert!(said.contains("1 bad records, 1 repeated batches"), "{said}");
}

/// As logrotate's `create`. The writer is told to reopen its file after that, and until then goes on
/// with the one that it has.
#[test]
fn a_file_that_is_renamed_is_read_until_the_next_one_is_written() {
    let (dir, path) = new_file();
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    let follower = Follower::start(&[path.to_str().unwrap()]);
    writer.write_all(line(1).as_bytes()).unwrap();
    follower.gives(&[1]);
    rename(&path, dir.path().join("auth.log.1")).unwrap();
    sleep(A_LOOK);
    writer.write_all(line(2).as_bytes()).unwrap();
    follower.gives(&[2]);
    File::create(&path).unwrap();
    sleep(A_LOOK);
    // The last of its lines has no end; it is not glued to the first of the next file.
    writer.write_all(line(3).trim_end().as_bytes()).unwrap();
    append(&path, &line(4));
    follower.gives(&[3, 4]);
    // Both at once, between two looks.
    append(&path, &line(5));
    rename(&path, dir.path().join("auth.log.2")).unwrap();
    append(&path, &line(6));
    follower.gives(&[5, 6]);
    assert_eq!(follower.ends_by(Signal::TERM), "");
}

/// As logrotate's `copytruncate`: the same file, from its start.
#[test]
fn a_file_that_is_cut_is_read_from_its_start() {
    let (dir, path) = new_file();
    append(&path, &format!("{}{}", line(1), line(2)));
    let follower = Follower::start(&[path.to_str().unwrap()]);
    follower.gives(&[1, 2]);
    copy(&path, dir.path().join("auth.log.1")).unwrap();
    let before = path.metadata().unwrap().ino();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, &line(3));
    follower.gives(&[3]);
    // It has grown beyond where it was cut before it was looked at.
    let grown = format!("{}{}{}", line(4), line(5), line(6));
    assert!(grown.len() > line(3).len());
    write(&path, &grown).unwrap();
    follower.gives(&[4, 5, 6]);
    // As long as before, to the byte.
    let other = "x".repeat(grown.len() - line(7).len() - 1) + "\n" + &line(7);
    write(&path, other).unwrap();
    follower.gives(&[7]);
    assert_eq!(path.metadata().unwrap().ino(), before, "it is the same file all the time");
    assert_eq!(follower.ends_by(Signal::TERM), "");
}

#[test]
fn a_file_that_is_not_there_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later").join("auth.log");
    let follower = Follower::start(&[path.to_str().unwrap()]);
    sleep(A_LOOK);
    std::fs::create_dir(dir.path().join("later")).unwrap();
    append(&path, &line(1));
    follower.gives(&[1]);
    remove_file(&path).unwrap();
    sleep(A_LOOK);
    append(&path, &line(2));
    follower.gives(&[2]);
    // Without a look between them. A file system could give the number of a removed file to the next
    // one, were the first not held open.
    for number in 3..6 {
        remove_file(&path).unwrap();
        append(&path, &line(number));
        follower.gives(&[number]);
    }
    let said = follower.ends_by(Signal::TERM);
    assert_eq!(said, format!("mote: {path:?} is not there yet; it is waited for\n"));
}

/// What has the name for a while cannot be read: it is said once, and tried again.
#[test]
fn a_name_that_leads_to_no_file_for_a_while_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.log");
    let follower = Follower::start(&[path.to_str().unwrap()]);
    sleep(A_LOOK);
    std::fs::create_dir(&path).unwrap();
    sleep(2 * A_LOOK);
    std::fs::remove_dir(&path).unwrap();
    append(&path, &line(1));
    follower.gives(&[1]);
    let said = follower.ends_by(Signal::TERM);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[1].contains("it is no regular file"), "{said}");
}

#[test]
fn of_several_files_the_last_is_followed() {
    let (dir, path) = new_file();
    let old = dir.path().join("auth.log.1");
    append(&old, &line(1));
    append(&path, &line(2));
    let follower = Follower::start(&[old.to_str().unwrap(), path.to_str().unwrap()]);
    follower.gives(&[1, 2]);
    append(&old, &line(3));
    append(&path, &line(4));
    follower.gives(&[4]);
    assert_eq!(follower.ends_by(Signal::TERM), "");
}

#[test]
fn into_a_file_too() {
    let (dir, path) = new_file();
    let events = dir.path().join("events.json");
    append(&path, &line(1));
    let follower =
        Follower::start(&["--output-file", events.to_str().unwrap(), path.to_str().unwrap()]);
    let written = |numbers: &[u64]| {
        let expected = documents(numbers).join("\n") + "\n";
        let end = std::time::Instant::now() + PATIENCE;
        while std::fs::read_to_string(&events).unwrap_or_default() != expected {
            assert!(std::time::Instant::now() < end, "{expected}");
            sleep(Duration::from_millis(20));
        }
    };
    written(&[1]);
    rename(&events, dir.path().join("events.json.1")).unwrap();
    append(&path, &line(2));
    written(&[2]);
    assert_eq!(follower.ends_by(Signal::TERM), "");
}

/// As under `| head -n 3`, also if nothing more is to be written.
#[test]
fn it_ends_with_its_reader() {
    let (_dir, path) = new_file();
    append(&path, &line(1));
    let mut child = mote(&["decode", "--follow", path.to_str().unwrap()]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..EVENTS {
        stdout.read_line(&mut String::new()).unwrap();
    }
    assert!(child.try_wait().unwrap().is_none());
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let refused = |arguments: &[&str], status, reason: &str| {
        let output = mote(&[&["decode", "--follow"], arguments].concat()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(reason), "{said}");
    };
    refused(&[], 64, "--follow needs a file");
    refused(&["/"], 66, "it is no regular file");
    refused(&["/dev/null"], 66, "it is no regular file");
}
