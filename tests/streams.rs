//! Standard streams that fail: they are not a reason to crash, nor to claim success.

mod common;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

const EX_USAGE: i32 = 64;
const EX_DATAERR: i32 = 65;
const EX_NOINPUT: i32 = 66;
const EX_IOERR: i32 = 74;

fn mote(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mote"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads.
fn dead() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

/// Exit status and the one line that was said.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("mote: ") && text.ends_with('\n'), "{text}");
    (status.code(), text)
}

#[test]
fn an_error_that_cannot_be_said_keeps_its_status() {
    for (arguments, code) in [
        (&["decode", "/nonexistent"][..], EX_NOINPUT),
        (&["decode", "/"], EX_NOINPUT),
        (&["run", "--nonsense"], EX_USAGE),
        (&["run", "--config", "/nonexistent"], EX_NOINPUT),
        (&[], EX_USAGE),
    ] {
        for stream in [full().into(), dead()] {
            let status = mote(arguments).stderr(stream).status().unwrap();
            assert_eq!(status.code(), Some(code), "{arguments:?}: {status}");
        }
    }
}

#[test]
fn bad_records_that_cannot_be_reported_are_counted() {
    let mut child = mote(&["decode"]).stdin(Stdio::piped()).stderr(full()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"m1:AQ\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(EX_DATAERR));
}

#[test]
fn help_that_cannot_be_printed_is_a_failure() {
    let (code, text) = said(mote(&["--help"]).stdout(full()));
    assert_eq!(code, Some(EX_IOERR));
    assert!(text.contains("No space left on device") && text.contains("; free space"), "{text}");
    let status = mote(&["run", "--help"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(EX_IOERR));
    // As under `| head`.
    assert!(mote(&["--help"]).stdout(dead()).status().unwrap().success());
    let output = mote(&["--help"]).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"Usage: mote"));
}

#[test]
fn events_that_cannot_be_written_are_a_failure() {
    let mut random = fastrand::Rng::with_seed(11);
    let (dir, line) = (tempfile::tempdir().unwrap(), common::line_of_all_actions(&mut random));
    let file = dir.path().join("lines");
    std::fs::write(&file, &line).unwrap();
    let (code, text) = said(mote(&["decode", file.to_str().unwrap()]).stdout(full()));
    assert_eq!(code, Some(EX_IOERR));
    assert!(text.contains("No space left on device") && text.contains("; free space"), "{text}");
}

/// std opens /dev/null in the place of a closed stream.
#[test]
fn a_sensor_whose_records_go_nowhere_is_refused() {
    for redirection in [">&-", ">/dev/null", "1<>/dev/null"] {
        let script = format!("exec \"$0\" run --syslog stdout {redirection}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_mote")]).stdin(Stdio::null());
        let (code, text) = said(&mut command);
        assert_eq!(code, Some(EX_IOERR), "{redirection}: {text}");
        assert!(
            text.contains("closed or /dev/null") && text.contains("; give it a file"),
            "{text}"
        );
    }
}

#[test]
fn an_argument_that_is_not_utf8_is_named() {
    let (code, text) = said(mote(&["decode"]).arg(std::ffi::OsStr::from_bytes(b"/a\xff")));
    assert_eq!(code, Some(EX_USAGE));
    assert!(text.contains(r#""/a\xFF" is not UTF-8; name"#), "{text}");
}
