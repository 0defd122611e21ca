//! One event as one JSON object in the Elastic Common Schema (ECS 8), nested. What ECS has
//! no field for is under `mote`.
//!
//! ECS strings are UTF-8, those of the kernel are bytes: what is not UTF-8 is written with
//! U+FFFD in its place, and its exact bytes in hexadecimal under `mote.bytes`, by field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;

use super::names;
use crate::event::{Action, Class, Endpoint, Event, Transport};
use crate::record::Origin;
use crate::syscalls::{self, Arch};

/// The version of the schema whose fields these are.
const ECS_VERSION: &str = "8.17.0";

/// `EINPROGRESS`: a non-blocking connect has begun; how it ends is not known yet.
const EINPROGRESS: i64 = 115;

const O_CREAT_EXCL: u32 = 0o300;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    ecs: Ecs,
    event: EventFields,
    host: Host<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Destination<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    mote: Mote,
}

#[derive(Serialize)]
struct Ecs {
    version: &'static str,
}

#[derive(Serialize)]
struct EventFields {
    kind: &'static str,
    category: [&'static str; 1],
    r#type: &'static [&'static str],
    action: &'static str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

#[derive(Serialize)]
struct Host<'a> {
    hostname: Cow<'a, str>,
    boot: Boot,
}

#[derive(Serialize)]
struct Boot {
    id: String,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_count: Option<u32>,
    user: Id,
    group: Id,
    thread: Thread,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u32>,
}

#[derive(Serialize)]
struct Parent {
    pid: u32,
}

/// User and group ids are keywords in ECS.
#[derive(Serialize)]
struct Id {
    id: String,
}

#[derive(Serialize)]
struct Thread {
    id: u32,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(rename = "Ext", skip_serializing_if = "Option::is_none")]
    ext: Option<Ext<'a>>,
}

#[derive(Serialize)]
struct Ext<'a> {
    original: Original<'a>,
}

#[derive(Serialize)]
struct Original<'a> {
    path: Cow<'a, str>,
}

#[derive(Serialize)]
struct Destination<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<Cow<'static, str>>,
    direction: &'static str,
}

#[derive(Serialize)]
struct Mote {
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall_name: Option<&'static str>,
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    ret: Option<i64>,
    flags: Vec<&'static str>,
    truncated: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    open_flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_signal: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Lost>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bytes: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Lost {
    #[serde(skip_serializing_if = "Option::is_none")]
    ring: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<u16>,
    count: u64,
    r#where: &'static str,
}

/// Writes an event of a decoded batch as one line.
pub fn write(origin: &Origin<'_>, event: &Event, out: &mut impl Write) -> io::Result<()> {
    let mut texts = Texts::default();
    let document = Document {
        timestamp: timestamp(event.time_ns),
        ecs: Ecs { version: ECS_VERSION },
        event: event_fields(origin, event),
        host: Host {
            hostname: texts.text("host.hostname", origin.hostname),
            boot: Boot { id: uuid(&origin.boot_id) },
        },
        process: (event.action != Action::Loss).then(|| process(event, &mut texts)),
        file: file(event, &mut texts),
        destination: destination(event, &mut texts),
        network: (event.action == Action::Connect).then(|| network(event)),
        mote: mote(origin, event, texts),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Strings on their way into the document, and the bytes of those that are not UTF-8.
#[derive(Default)]
struct Texts {
    bytes: BTreeMap<String, String>,
}

impl Texts {
    fn text<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.bytes.insert(field.to_owned(), hex);
        }
        text
    }

    fn some<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        (!bytes.is_empty()).then(|| self.text(field, bytes))
    }
}

fn event_fields(origin: &Origin<'_>, event: &Event) -> EventFields {
    let (category, types): (_, &[_]) = match event.action {
        Action::Exec | Action::Fork => ("process", &["start"]),
        Action::Exit => ("process", &["end"]),
        // Without O_EXCL it is not told whether the file was there before.
        Action::Open if event.call_flags.is_some_and(|f| f & O_CREAT_EXCL == O_CREAT_EXCL) => {
            ("file", &["creation"])
        }
        Action::Open | Action::Rename | Action::Chmod => ("file", &["change"]),
        Action::Unlink | Action::Rmdir => ("file", &["deletion"]),
        Action::Mkdir => ("file", &["creation"]),
        Action::Connect => ("network", &["connection", "start"]),
        Action::Loss => ("host", &["info"]),
    };
    let outcome = match (event.action, event.ret) {
        (Action::Exit | Action::Loss, _) => None,
        (Action::Connect, Some(ret)) if ret == -EINPROGRESS => Some("unknown"),
        (_, None) => Some("unknown"),
        (_, Some(ret)) => Some(if ret < 0 { "failure" } else { "success" }),
    };
    EventFields {
        kind: "event",
        category: [category],
        r#type: types,
        action: event.action.name(),
        sequence: event.sequence,
        provider: origin.provider.map(|provider| provider.name()),
        outcome,
    }
}

fn process<'a>(event: &'a Event, texts: &mut Texts) -> Process<'a> {
    Process {
        pid: event.pid,
        parent: event.ppid.map(|pid| Parent { pid }),
        executable: texts.some("process.executable", &event.executable),
        name: texts.text("process.name", &event.comm),
        args: (event.action == Action::Exec).then(|| args(&event.args, texts)),
        args_count: event.args_count,
        user: Id { id: event.uid.to_string() },
        group: Id { id: event.gid.to_string() },
        thread: Thread { id: event.tid },
        exit_code: event.exit_status.map(|status| match status & 0x7f {
            0 => status >> 8 & 0xff,
            // As a shell gives it.
            signal => 128 + signal,
        }),
    }
}

/// Each argument is closed by a NUL, but for one that was cut.
fn args<'a>(args: &'a [u8], texts: &mut Texts) -> Vec<Cow<'a, str>> {
    let args = args
        .strip_suffix(&[0])
        .map_or_else(|| if args.is_empty() { None } else { Some(args) }, Some);
    let args = args.into_iter().flat_map(|args| args.split(|byte| *byte == 0));
    args.enumerate().map(|(n, arg)| texts.text(&format!("process.args.{n}"), arg)).collect()
}

fn file<'a>(event: &'a Event, texts: &mut Texts) -> Option<File<'a>> {
    let path = match event.action {
        // What was tried; the process goes on with its old executable.
        Action::Exec if event.ret != Some(0) => texts.some("file.path", &event.path),
        Action::Exec | Action::Fork | Action::Exit | Action::Connect | Action::Loss => return None,
        _ => texts.some("file.path", &event.path),
    };
    let original = texts.some("file.Ext.original.path", &event.from);
    let file = File {
        path,
        mode: event.mode.map(|mode| format!("{mode:04o}")),
        ext: original.map(|path| Ext { original: Original { path } }),
    };
    (file.path.is_some() || file.mode.is_some() || file.ext.is_some()).then_some(file)
}

fn destination<'a>(event: &'a Event, texts: &mut Texts) -> Option<Destination<'a>> {
    let inet = |ip: IpAddr, port| Destination {
        address: Some(ip.to_string().into()),
        ip: Some(ip),
        port: Some(port),
    };
    match event.peer? {
        Endpoint::V4(ip, port) => Some(inet(ip.into(), port)),
        Endpoint::V6(ip, port) => Some(inet(ip.into(), port)),
        Endpoint::Unix => {
            let address = match event.path.split_first() {
                // An abstract name, written as unix(7)'s tools do.
                Some((0, name)) => {
                    Some(Cow::Owned(format!("@{}", texts.text("destination.address", name))))
                }
                _ => texts.some("destination.address", &event.path),
            };
            Some(Destination { address, ip: None, port: None })
        }
        Endpoint::Other(_) => None,
    }
}

fn network(event: &Event) -> Network {
    Network {
        transport: match event.transport {
            Transport::Tcp => Some("tcp"),
            Transport::Unknown => None,
        },
        r#type: event.peer.map(|peer| match peer {
            Endpoint::V4(..) => "ipv4".into(),
            Endpoint::V6(..) => "ipv6".into(),
            Endpoint::Unix => "unix".into(),
            Endpoint::Other(family) => format!("af_{family}").into(),
        }),
        direction: "egress",
    }
}

fn mote(origin: &Origin<'_>, event: &Event, texts: Texts) -> Mote {
    let arch = origin.arch.unwrap_or(Arch::HOST);
    let call = event.syscall.filter(|_| origin.arch.is_some());
    let call = call.and_then(|number| syscalls::by_number(arch, number));
    let signal = event.exit_status.map(|status| status & 0x7f).filter(|signal| *signal != 0);
    Mote {
        syscall: event.syscall,
        syscall_name: call.map(|call| call.name),
        ret: event.ret,
        flags: event.flags.names().collect(),
        truncated: event.truncated.names().collect(),
        open_flags: match (event.action, event.call_flags) {
            (Action::Open, Some(flags)) if origin.arch.is_some() => names::open_flags(arch, flags),
            _ => Vec::new(),
        },
        exit_signal: signal,
        core_dumped: signal.and(event.exit_status).map(|status| status & 0x80 != 0),
        lost: event.loss.map(|loss| Lost {
            ring: loss.class.map(|class| match class {
                Class::Priority => "priority",
                Class::Bulk => "bulk",
            }),
            cpu: loss.cpu,
            count: loss.count,
            r#where: loss.place.name(),
        }),
        bytes: texts.bytes,
    }
}

/// RFC 3339, UTC, nanoseconds.
fn timestamp(unix_ns: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(unix_ns.into())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second, nanosecond) = time.to_hms_nano();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z")
}

/// RFC 9562, section 4.
fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
#[path = "ecs_tests.rs"]
mod tests;
