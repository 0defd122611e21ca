//! `mote decode` as it is run: input, output, exit status.

mod common;

use common::{line_of, line_of_all_actions};
use fastrand::Rng;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

/// Events of a line of all actions.
const ACTIONS: usize = mote::event::Action::ALL.len();

fn line() -> String {
    let line = line_of_all_actions(&mut Rng::with_seed(11)).to_vec();
    String::from_utf8(line).unwrap()
}

fn mote(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mote"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Exit status, lines of output, text on stderr.
fn decode(arguments: &[&str], input: &[u8]) -> (i32, usize, String) {
    let mut child = mote(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A child that refuses its arguments reads nothing.
        let _ = stdin.write_all(&input);
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = stdout.split(|byte| *byte == b'\n').count() - 1;
    (status.code().unwrap(), lines, String::from_utf8(stderr).unwrap())
}

#[test]
fn records_are_found_behind_any_header_and_other_lines_are_passed_over() {
    let one = line();
    let input = format!(
        "<86>Nov 24 00:00:00 mote[1]: {one}\nNov 24 00:00:00 host sshd[2]: hello\n\n\
         <86>1 2026-11-24T00:00:00Z host mote 1 - - {}",
        String::from_utf8(line_of_all_actions(&mut Rng::with_seed(13)).to_vec()).unwrap()
    );
    let (status, lines, errors) = decode(&["decode"], input.as_bytes());
    assert_eq!((status, lines, errors.as_str()), (0, 2 * ACTIONS, ""));
    let (status, lines, _) = decode(&["decode", "--output", "json"], input.as_bytes());
    assert_eq!((status, lines), (0, 2 * ACTIONS));
}

#[test]
fn every_output_has_a_line_for_every_event_but_sysmon() {
    let input = line();
    for output in ["json", "ecs", "ocsf", "cef", "text"] {
        let (status, lines, errors) = decode(&["decode", "--output", output], input.as_bytes());
        assert_eq!((status, lines, errors.as_str()), (0, ACTIONS, ""), "{output}");
    }
    let (status, lines, errors) = decode(&["decode", "--output", "sysmon"], input.as_bytes());
    assert_eq!(status, 0);
    assert!((1..ACTIONS).contains(&lines), "{lines}");
    let left_out = ACTIONS - lines;
    assert_eq!(
        errors,
        format!(
            "mote: {left_out} events left out: this output has none of their kind; --output json \
             has all\n"
        )
    );
}

#[test]
fn bad_records_are_reported_counted_and_the_status_is_65() {
    let one = line();
    let mut input = format!("x m1:AQ\n{one}\n{one}\n");
    for _ in 0..20 {
        input.push_str("m1:AQAA\n");
    }
    let (status, lines, errors) = decode(&["decode"], input.as_bytes());
    assert_eq!((status, lines), (65, ACTIONS));
    let errors: Vec<_> = errors.lines().collect();
    assert_eq!(errors.len(), 12, "ten reports, their end and a summary");
    assert_eq!(errors[0], "mote: standard input: line 1: the batch header is cut short at byte 1");
    assert_eq!(
        errors[10],
        "mote: standard input: from line 13 on bad records are only counted, for a minute; the counts \
         are said at the end"
    );
    assert!(errors[11].contains("21 bad records, 1 repeated batches"), "{}", errors[11]);
    assert!(errors.iter().all(|line| line.starts_with("mote: ")), "{errors:?}");
}

#[test]
fn a_later_version_is_no_error() {
    let (status, lines, errors) = decode(&["decode"], &line_of(b"\x03whatever"));
    assert_eq!((status, lines), (0, 0));
    assert!(errors.contains("unknown to this version: 1 batches"), "{errors}");
}

#[test]
fn a_line_without_end_is_cut_not_stored() {
    let mut input = vec![b'x'; 10_000_000];
    input.extend_from_slice(format!(" {}\n{}\n", line(), line()).as_bytes());
    let (status, lines, errors) = decode(&["decode"], &input);
    assert_eq!((status, lines), (0, ACTIONS));
    assert!(errors.contains("1 of them too long"), "{errors}");
}

#[test]
fn wrong_use_and_missing_files_have_their_statuses() {
    let (status, _, errors) = decode(&["decode", "--output", "xml"], b"");
    assert_eq!(status, 64);
    let names = "unknown format 'xml'; write one of json, ecs, ocsf, cef, text, sysmon";
    assert!(errors.contains(names), "{errors}");
    let (status, _, errors) = decode(&["decode", "/nonexistent/file"], b"");
    assert_eq!(status, 66);
    assert!(errors.contains("/nonexistent/file"), "{errors}");
    let (status, _, errors) = decode(&["decode", "/"], b"");
    assert_eq!(status, 66, "a directory: {errors}");
}

/// As of rotated logs.
#[test]
fn several_files_are_read_and_what_is_in_two_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
    let other = String::from_utf8(line_of_all_actions(&mut Rng::with_seed(13)).to_vec()).unwrap();
    std::fs::write(&old, line()).unwrap();
    std::fs::write(&new, format!("{}\n{other}\n", line())).unwrap();
    let [old, new] = [&old, &new].map(|path| path.to_str().unwrap());
    let (status, lines, errors) = decode(&["decode", old, new, old], b"");
    assert_eq!((status, lines), (0, 2 * ACTIONS));
    assert!(errors.contains("2 repeated batches"), "{errors}");
    let (status, lines, errors) = decode(&["decode", "/nonexistent", new], b"");
    assert_eq!((status, lines), (66, 2 * ACTIONS), "{errors}");
}

/// Silence would be taken for "nothing happened".
#[test]
fn an_input_without_any_record_is_said() {
    let (status, lines, errors) = decode(&["decode"], b"a\nb\n");
    assert_eq!((status, lines), (0, 0));
    assert_eq!(errors, "mote: standard input: 2 lines, none with a record of mote\n");
    let (status, _, errors) = decode(&["decode"], b"\x1f\x8b\x08\0");
    assert_eq!(status, 0);
    assert!(errors.contains("zcat"), "{errors}");
    assert_eq!(decode(&["decode"], b""), (0, 0, String::new()));
}

#[test]
fn the_version_is_told() {
    let Output { status, stdout, .. } = mote(&["--version"]).wait_with_output().unwrap();
    assert!(status.success());
    assert_eq!(stdout, concat!("mote ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
}

/// A live view: what was read is written before more comes.
#[test]
fn output_does_not_wait_for_more_input() {
    let mut child = mote(&["decode"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(format!("{}\n", line()).as_bytes()).unwrap();
    let mut document = String::new();
    for _ in 0..11 {
        stdout.read_line(&mut document).unwrap();
    }
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// As under `| head`.
#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = mote(&["decode"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(format!("{}\n", line()).as_bytes());
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}
