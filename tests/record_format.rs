//! `docs/record-format.md` against the program: its vector, byte by byte, and its tables;
//! and `tests/record/`: lines and what they decode to. `NAME.line` is of version 1, and `NAME_2.line`
//! the same in version 2; both decode to `NAME.json`.
//!
//! `WRITE_GOLDEN=1 cargo test --test record_format` writes the decoded side anew. The
//! encoded side stays: it is what other decoders were built on.

mod common;

use common::{batch_of, bytes, context};
use mote::command::decode::decoder::Decoder;
use mote::event::{
    Action, BlindSpots, Bytes, Class, Event, ExecutableKind, FileType, Flags, Loss, LossPlace,
    Resumption, Runtime, Truncated,
};
use mote::record::{Batch, Context, Encoder, Origin, Scratch, find};
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../docs/record-format.md");

/// The page's vector: the line, and the bytes without their notes.
fn vector() -> (&'static str, Vec<u8>) {
    let (_, section) = DOCUMENT.split_once("## Test vector").unwrap();
    let mut blocks = section.split("```text\n").skip(1).map(|b| b.split_once("```").unwrap().0);
    let line = blocks.next().unwrap().trim_end();
    let hex = blocks.next().unwrap();
    let bytes = hex
        .lines()
        .flat_map(|line| line.split_once('|').unwrap().0.split_whitespace())
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    (line, bytes)
}

/// The events that the page says are in the vector.
fn vector_events() -> [Event; 4] {
    let mut exec = Event::new();
    exec.action = Action::Exec;
    (exec.sequence, exec.time_ns) = (41, 6_000_000_000);
    (exec.pid, exec.tid, exec.ppid) = (4242, 4242, Some(4200));
    (exec.uid, exec.gid) = (1000, 1000);
    exec.comm = bytes(b"bash");
    exec.executable = bytes(b"/usr/bin/bash");
    exec.start = Some(312);
    exec.lineage.parent_start = Some(290);
    exec.lineage.parent_executable = bytes(b"/usr/sbin/sshd");
    (exec.syscall, exec.ret) = (Some(59), Some(0));
    exec.truncated = Truncated::ARGS;
    exec.path = exec.executable.clone();
    exec.args = bytes(b"bash\0-c\0tr");
    exec.args_count = Some(3);

    let mut rename = Event::new();
    rename.action = Action::Rename;
    (rename.sequence, rename.time_ns) = (44, exec.time_ns - 1500);
    (rename.pid, rename.tid, rename.ppid) = (4242, 4243, Some(4200));
    (rename.uid, rename.gid) = (1000, 1000);
    rename.comm = bytes(b"pool");
    rename.executable = exec.executable.clone();
    (rename.start, rename.lineage) = (exec.start, exec.lineage.clone());
    (rename.syscall, rename.ret) = (Some(264), Some(-18));
    rename.flags = Flags::FROM_RELATIVE;
    rename.flags.insert(Flags::READ_LATE);
    rename.path = bytes(b"/etc/new");
    rename.from = bytes(b"old");

    let mut again = rename.clone();
    (again.sequence, again.time_ns) = (45, rename.time_ns + 2000);
    again.ret = Some(0);
    again.flags = Flags(0);
    again.from = rename.path.clone();
    again.path = bytes(b"/etc/new.1");

    let mut loss = Event::new();
    (loss.sequence, loss.time_ns) = (46, again.time_ns + 1_000_000);
    loss.loss = Some(Loss {
        place: LossPlace::RingFull,
        class: Some(Class::Bulk),
        cpu: Some(3),
        receiver: None,
        count: 300,
    });
    [exec, rename, again, loss]
}

#[test]
fn the_encoder_writes_the_vector() {
    let (line, hex) = vector();
    let mut encoder = Encoder::new(Class::Priority, context());
    encoder.set_boot_time(1_795_478_394_000_000_000);
    for event in vector_events() {
        encoder.push(&event).unwrap();
    }
    let mut written = Bytes::new();
    assert_eq!(encoder.finish(1_795_478_400_000_000_000 - 6_000_000_000, &mut written), 4);
    let written = std::str::from_utf8(&written).unwrap();
    assert_eq!(batch_of(written.as_bytes()), hex);
    assert_eq!(written, line);
}

/// What a line decodes to.
fn golden(line: &Path) -> PathBuf {
    let name = line.file_stem().unwrap().to_str().unwrap();
    line.with_file_name(format!("{}.json", name.strip_suffix("_2").unwrap_or(name)))
}

fn lines() -> impl Iterator<Item = PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/record");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "line"))
}

/// Every pair, whatever its name: a new one needs no line here.
#[test]
fn lines_decode_to_their_documents() {
    let mut pairs = 0;
    for path in lines() {
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        for line in std::fs::read(&path).unwrap().split(|byte| *byte == b'\n') {
            decoder.line(line, &mut out, &mut |e| panic!("{path:?}: {e}")).unwrap();
        }
        let golden = golden(&path);
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            std::fs::write(&golden, &out).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{path:?}");
        pairs += 1;
    }
    assert!(pairs >= 18, "only {pairs} pairs");
}

/// Whatever of the encoder changes, lines of version 2 are there of all that those of version 1 have.
#[test]
fn what_version_1_has_is_there_in_version_2() {
    let mut batches = 0;
    for path in lines().filter(|path| !path.to_str().unwrap().ends_with("_2.line")) {
        let mut written = Vec::new();
        let (mut scratch, mut event) = (Scratch::new(), Event::new());
        for line in std::fs::read(&path).unwrap().split(|byte| *byte == b'\n') {
            let Some(payload) = find(line) else { continue };
            let mut batch = Batch::parse(payload, &mut scratch).unwrap();
            let Origin { boot_id, start_ns, hostname, arch, provider, boot_time_ns } =
                *batch.origin();
            let (arch, provider) = (arch.unwrap(), provider.unwrap());
            let hostname = bytes(hostname);
            let context = Context { boot_id, start_ns, hostname, arch, provider };
            let mut encoder = Encoder::new(batch.class(), context);
            if let Some(boot_time_ns) = boot_time_ns {
                encoder.set_boot_time(boot_time_ns);
            }
            while let Some(result) = batch.next(&mut event) {
                result.unwrap();
                encoder.push(&event).unwrap();
            }
            let mut line = Bytes::new();
            encoder.finish(0, &mut line);
            written.extend_from_slice(&line);
            written.push(b'\n');
            batches += 1;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let file = path.with_file_name(format!("{stem}_2.line"));
        if std::env::var_os("WRITE_LINES").is_some() {
            std::fs::write(&file, &written).unwrap();
        }
        let mut decoded = [vec![], vec![]];
        for (lines, out) in [&std::fs::read(&file).unwrap(), &written].into_iter().zip(&mut decoded)
        {
            let mut decoder = Decoder::new();
            for line in lines.split(|byte| *byte == b'\n') {
                decoder.line(line, out, &mut |error| panic!("{file:?}: {error}")).unwrap();
            }
        }
        assert!(decoded[0] == decoded[1], "{file:?}");
    }
    assert!(batches >= 9, "only {batches}");
}

#[test]
fn the_vector_is_one_of_the_lines() {
    let line = include_bytes!("record/example_2.line");
    assert_eq!(find(line), Some(vector().0.as_bytes()));
}

/// The first two cells of the table under `heading`.
fn table(heading: &str) -> Vec<(String, String)> {
    let (_, rest) = DOCUMENT.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    rest.lines()
        .skip_while(|line| !line.starts_with("| ---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().to_string());
            (cells.nth(1).unwrap(), cells.next().unwrap())
        })
        .collect()
}

#[test]
fn the_tables_have_every_number_and_name() {
    let pairs = |numbers: &mut dyn Iterator<Item = (u8, &str)>| -> Vec<(String, String)> {
        numbers.map(|(number, name)| (number.to_string(), name.to_string())).collect()
    };
    let actions: Vec<_> =
        Action::ALL.iter().map(|a| (a.name().to_string(), (*a as u8).to_string())).collect();
    assert_eq!(table("| action | Number |"), actions);
    let places = pairs(&mut LossPlace::ALL.iter().map(|p| (*p as u8, p.name())));
    assert_eq!(table("### Places of loss"), places);
    let ends = pairs(&mut Resumption::ALL.iter().map(|why| (*why as u8, why.name())));
    assert_eq!(table("### Ends of a pause"), ends);
    let types = pairs(&mut FileType::ALL.iter().map(|kind| (*kind as u8, kind.name())));
    assert_eq!(table("### File types"), types);
    let kinds = pairs(&mut ExecutableKind::ALL.iter().map(|kind| (*kind as u8, kind.name())));
    assert_eq!(table("### Kinds of executables"), kinds);
    let runtimes = pairs(&mut Runtime::ALL.iter().map(|runtime| (*runtime as u8, runtime.name())));
    assert_eq!(table("### Runtimes"), runtimes);
    let flags = |bit: u8| Flags(1 << bit).names().next().map(|name| (bit, name));
    assert_eq!(table("### flags"), pairs(&mut (0..32).filter_map(flags)));
    let spots = |bit: u8| BlindSpots(1 << bit).names().next().map(|name| (bit, name));
    assert_eq!(table("### Blind spots"), pairs(&mut (0..32).filter_map(spots)));
    let truncated = |bit: u8| Truncated(1 << bit).names().next().map(|name| (bit, name));
    assert_eq!(table("### truncated"), pairs(&mut (0..16).filter_map(truncated)));
}
