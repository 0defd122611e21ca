//! What the targets begin with: bytes that are accepted.

use super::host;
use super::rewrite::Rewriter;
use crate::command::decode::recent_file::{ENTRY_BYTES, PLACE_BYTES};
use crate::control::{Refused, Reply, Request};
use crate::event::{Class, Event};
use crate::filter::RuleKind;
use crate::health::Health;
use crate::host::audit::names::field;
use crate::host::audit::rule_tests::{Made, number, text};
use crate::host::audit::wire::{LIST_RULES, request};
use crate::record::{PREFIX, find};
use crate::sink::spool::line::Line;
use crate::sink::spool::position::text_of;
use crate::source::ebpf::btf;
use crate::source::ebpf::decode::{self, Decoded};
use crate::source::ebpf::ring_file::{lost_of, sample_of};
use crate::source::netlink::decode_tests::datagram;
use base64ct::{Base64UrlUnpadded, Encoding};
use std::fs;
use std::path::{Path, PathBuf};

type Seeds = Vec<Vec<u8>>;

fn joined(first: &[u8], rest: &[u8]) -> Vec<u8> {
    [first, rest].concat()
}

/// Files of the tests that end like this, in any folder below.
fn files(below: &str, end: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(below)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().unwrap().ends_with(end) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

pub fn ring_record() -> Seeds {
    decode::tests::samples()
}

pub fn ring() -> Seeds {
    let records = [sample_of(b"12345"), lost_of(3), sample_of(&[7; 100])].concat();
    // The second wraps.
    [0u16, 508].map(|start| joined(&start.to_ne_bytes(), &records)).into()
}

pub fn netlink() -> Seeds {
    let kinds = [0, 1, 2, 4, 0x40, 0x80, 0x100, 0x200, 0x4000_0000, 1 << 31, 0x400];
    let mut seeds: Seeds = kinds.map(|kind| datagram(kind, &[21, 20, 31, 30, 11, 10])).into();
    seeds.push(seeds.concat());
    seeds
}

/// Of the tests of the record format.
fn lines() -> Seeds {
    let read = |path| fs::read_to_string(path).unwrap();
    let texts = files("record", ".line").into_iter().map(read);
    texts
        .flat_map(|text| text.lines().map(|line| format!("{line}\n").into()).collect::<Seeds>())
        .collect()
}

/// A batch of each record of the kernel part alone: short ones are tried more often.
fn short_lines() -> Seeds {
    let mut rewriter = Rewriter::new();
    let mut event = Event::new();
    let line = |record: Vec<u8>| {
        event.clear();
        let is_told =
            !matches!(decode::decode(&record, &mut event).unwrap(), Decoded::Relocation(_));
        is_told.then(|| rewriter.line(&mut event).to_vec())
    };
    ring_record().into_iter().filter_map(line).collect()
}

/// Without their checksums.
pub fn record() -> Seeds {
    let batch = |line: &[u8]| {
        let text = find(line).unwrap().strip_prefix(PREFIX).unwrap();
        let mut batch = vec![0; text.len()];
        let bytes = Base64UrlUnpadded::decode(text, &mut batch).unwrap().len();
        batch.truncate(bytes);
        if batch[0] == crate::record::VERSION {
            batch.drain(2..6);
        }
        batch
    };
    lines().iter().chain(&short_lines()).map(|line| batch(line)).collect()
}

pub fn line() -> Seeds {
    let lines = short_lines();
    let headers = [&b"<86>1 2026-11-24T00:00:00Z host mote 12 - - "[..], b"{\"MESSAGE\":\""];
    let mut files: Seeds = lines.iter().map(|line| joined(headers[0], line)).collect();
    files.push([headers[0], &lines[0], b"\nno record\n", headers[1], &lines[1]].concat());
    [0, 1]
        .into_iter()
        .flat_map(|reader| files.iter().map(move |file| joined(&[reader], file)))
        .collect()
}

pub fn configuration() -> Seeds {
    let all = br#"{"exclusionSettings": {"exclusions": [
        {"$type": "excludedPath", "path": "/srv/build", "isDirectory": true, "scopes": ["global"]},
        {"$type": "excludedPath", "path": "/var/log/x.log"},
        {"$type": "excludedFileName", "name": "/usr/bin/make", "includeChildren": true}],
        "mergePolicy": "merge"}, "features": {"ebpfSupplementaryEventProvider": "enabled"}}"#;
    let none = br#"{"exclusionSettings": {"mergePolicy": "admin_only"},
        "features": {"ebpfSupplementaryEventProvider": "disabled", "x": "\u00e9"}, "other": [1, null]}"#;
    vec![all.to_vec(), none.to_vec(), b"{}".to_vec()]
}

pub fn control() -> Seeds {
    let path = || String::from("/usr/bin/make");
    let kind = RuleKind::Process;
    let requests = [
        Request::Health {},
        Request::ExclusionAdd { kind, path: path(), children: true },
        Request::ExclusionRemove { kind, path: path() },
        Request::ExclusionList {},
        Request::ExclusionTest { path: path(), process: true },
        Request::Statistics { seconds: 20, top: 10 },
        Request::Pause { limit_seconds: 60 },
    ];
    let replies = [
        Reply::Done(vec![path()]),
        Reply::Refused(Refused { message: path(), code: 69 }),
        Reply::Health(Box::new(Health { hooks_missing: vec![path()], ..Health::default() })),
        Reply::Exclusions(Vec::new()),
    ];
    let requests =
        requests.iter().map(|request| joined(&[0], &serde_json::to_vec(request).unwrap()));
    let replies = replies.iter().map(|reply| joined(&[1], &serde_json::to_vec(reply).unwrap()));
    requests.chain(replies).collect()
}

/// Of this architecture's fixtures some: they are alike.
pub fn format_file() -> Seeds {
    let read = |path| fs::read(path).unwrap();
    files("fixtures/tracefs", "format").into_iter().step_by(5).map(read).collect()
}

pub fn host() -> Seeds {
    let fields: String = (3..53).map(|field| format!("{field} ")).collect();
    let vdso = vdso();
    let btf = btf::tests::example();
    let stat = format!("1 (a) {fields}");
    let of_file: [&[u8]; host::FILES as usize] = [
        b"ID=\"rhel\"\nVERSION_ID='8.1'\nPRETTY_NAME=\"Red Hat \\\"8\\\"\"\n",
        b"3.10.0-957.10.1.el7.x86_64\x003.10.0-957.el7",
        b"00112233-4455-6677-8899-aabbccddeeff\n",
        b"ffffffff8666e060 T do_exit\n0 t sys_execve\t[module]\n",
        &btf,
        &vdso,
        b"42 (a) S 9 (b) S 7 42 43 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 8640012 5 6",
        b"Name:\tsh\nUid:\t1000\t0\t0\t0\nGid:\t100\t0\t0\t0\nPPid:\t7\n",
        stat.as_bytes(),
        b"0::/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope",
    ];
    (0u8..).zip(of_file).map(|(file, bytes)| joined(&[file], bytes)).collect()
}

/// An ELF header, a program header and a note: as `version_code` reads them.
fn vdso() -> Vec<u8> {
    let mut image = vec![0; 64 + 56];
    let put = |image: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut image, 32, &64u64.to_ne_bytes());
    put(&mut image, 54, &[56, 0, 1, 0]);
    put(&mut image, 64, &4u32.to_ne_bytes());
    put(&mut image, 64 + 8, &120u64.to_ne_bytes());
    put(&mut image, 64 + 32, &24u64.to_ne_bytes());
    image.extend([6u32, 4, 0].iter().flat_map(|word| word.to_ne_bytes()));
    image.extend(b"Linux\0\0\0\x12\x0f\x04\0");
    image
}

pub fn audit() -> Seeds {
    let fields = vec![
        text(field::PATH, "/etc/passwd"),
        number(field::PERM, 10),
        number(field::EXIT, -1i32 as u32),
        text(field::KEY, "one\u{1}two"),
    ];
    let watch = Made { fields, ..Made::default() };
    let few =
        Made { mask: [5; 64], fields: vec![number(field::ARCH, 0xc000_003e)], ..Made::default() };
    let mut answer = request(LIST_RULES, 7).to_vec();
    answer.extend(watch.bytes());
    let length = answer.len() as u32;
    answer[..4].copy_from_slice(&length.to_ne_bytes());
    let status: Vec<u8> =
        [0u32, 2, 1, 4711, 0, 8192, 12, 3].iter().flat_map(|w| w.to_ne_bytes()).collect();
    vec![
        joined(&[0, 7, 0, 0, 0], &answer),
        joined(&[1], &status),
        joined(&[2], &watch.bytes()),
        joined(&[2], &few.bytes()),
        b"\x03-w /etc/passwd -p wa -k id".to_vec(),
        b"\x03-a always,exit -F arch=b64 -S open,openat -F auid!=unset -F key=x".to_vec(),
    ]
}

pub fn spool() -> Seeds {
    let payload = b"m1:AbC";
    let line = Line { events: 7, if_lost: 9, offered_ns: -1, payload_bytes: payload.len() };
    let mut bytes = Vec::new();
    line.write(&mut bytes, payload).unwrap();
    let name = format!("{}-00000000000a0000", Class::Bulk.name());
    vec![
        joined(&[0], &bytes),
        joined(&[1], &bytes[9..]),
        joined(&[2], &text_of([5, 1 << 40]).unwrap()),
        joined(&[3], name.as_bytes()),
    ]
}

/// Lines alone.
pub fn spool_log() -> Seeds {
    vec![b"\0\x06m1:AbC\0\x03m1:".to_vec(), b"\0\x0em1:AbCdEfGhIjK".to_vec()]
}

pub fn recent() -> Seeds {
    let entry = |place: u8, at: u8, clock: u64| {
        [&[place, at][..], &clock.to_ne_bytes(), &[at; ENTRY_BYTES - 8]].concat()
    };
    let length = (4 * PLACE_BYTES as u32).to_ne_bytes();
    // A class is the upper bits of a head's number.
    let class = 64 * Class::Bulk as u8;
    let changes =
        [entry(0, 1, 1), entry(0, 2, 3), entry(0, class, 9), entry(1, class, 8), entry(1, 1, 2)];
    vec![joined(&length, &changes.concat())]
}
