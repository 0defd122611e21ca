//! Compares events with what a workload did. An event is reduced to the fields that a
//! test knows for certain, as one line of text; both sides are compared as multisets.

use super::{again, programs_are_skipped};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The value at a dotted path.
pub fn at<'a>(event: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(event, |value, key| &value[key])
}

/// Who did it: compared for every action.
const ACTOR: [&str; 5] = [
    "process.pid",
    "process.parent.pid",
    "process.executable",
    "process.user.id",
    "process.group.id",
];

/// The fields that are compared, by action, beside those of the actor.
fn fields(action: &str) -> &'static [&'static str] {
    match action {
        "exec" => &["process.args", "process.args_count", "mote.return"],
        "fork" => &[],
        "exit" => &["process.exit_code"],
        "rename" | "link" => &["file.path", "file.Ext.original.path", "mote.return"],
        "symlink" => &["file.path", "file.target_path", "mote.return"],
        "mknod" => &["file.path", "file.mode", "file.type", "mote.device", "mote.return"],
        "chown" => &["file.path", "file.uid", "file.gid", "mote.return"],
        "truncate" => &["file.path", "file.size", "mote.return"],
        "utime" => &["file.path", "file.mtime", "mote.return"],
        "setxattr" => &["file.path", "mote.attribute", "mote.return"],
        "setuid" | "setgid" => {
            &["mote.new_ids.real", "mote.new_ids.effective", "mote.new_ids.saved", "mote.return"]
        }
        "ptrace" => &["mote.target_pid", "mote.ptrace_request", "mote.return"],
        "kill" => &["mote.target_pid", "mote.signal", "mote.return"],
        "module_load" | "kexec_load" => &["file.path", "mote.parameters", "mote.return"],
        "module_unload" | "memfd_create" => &["file.path", "mote.name", "mote.return"],
        "bpf_load" => &["mote.name", "mote.bpf_program_type", "mote.return"],
        "mount" => &[
            "file.path",
            "mote.mount_source",
            "mote.mount_type",
            "mote.mount_flags",
            "mote.mount_option",
            "mote.mount_command",
            "mote.mount_descriptor",
            "mote.mount_attributes_set",
            "mote.mount_attributes_cleared",
            "mote.return",
        ],
        "umount" => &["file.path", "mote.mount_flags", "mote.return"],
        "unshare" | "setns" => &["mote.clone_flags", "mote.return"],
        "clock_set" => &["mote.new_time", "mote.call_flags", "mote.return"],
        "open" | "mkdir" | "chmod" => &["file.path", "file.mode", "mote.return"],
        "connect" => &["destination.ip", "destination.port", "destination.address", "mote.return"],
        "bind" => &["server.ip", "server.port", "server.address", "mote.return"],
        "listen" => &["server.ip", "server.port", "mote.backlog", "mote.return"],
        "accept" => &["source.ip", "destination.ip", "destination.port", "mote.return"],
        "send" => &["destination.ip", "destination.port", "mote.messages", "mote.return"],
        _ => &["file.path", "mote.return"],
    }
}

/// Which of its threads a process ends with is the kernel's choice.
fn tells_thread(action: &str) -> bool {
    action != "exit"
}

/// One expected event.
#[derive(Clone, Debug)]
pub struct Row {
    action: &'static str,
    fields: Map<String, Value>,
}

impl Row {
    /// An event of this process, or of a child that is as this process made it: by the
    /// first thread, of the same user, group and executable. Say what differs.
    pub fn new(action: &'static str, pid: u32) -> Row {
        let own = std::process::id();
        let parent = if pid == own { std::os::unix::process::parent_id() } else { own };
        let executable = std::env::current_exe().unwrap();
        let row = Row { action, fields: Map::new() }
            .with("process.pid", pid)
            .with("process.parent.pid", parent)
            .executable(&executable)
            .user(rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        if tells_thread(action) { row.thread(pid) } else { row }
    }

    pub fn executable(self, path: &Path) -> Row {
        self.with("process.executable", text(path.as_os_str().as_bytes()))
    }

    /// The real ids, which ECS has as text.
    pub fn user(self, user: u32, group: u32) -> Row {
        self.with("process.user.id", user.to_string()).with("process.group.id", group.to_string())
    }

    pub fn thread(self, tid: u32) -> Row {
        self.with("process.thread.id", tid)
    }

    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Row {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// What is not known.
    pub fn without(mut self, field: &str) -> Row {
        self.fields.remove(field);
        self
    }

    pub fn path(self, path: &Path) -> Row {
        self.with("file.path", text(path.as_os_str().as_bytes()))
    }

    pub fn from(self, path: &Path) -> Row {
        self.with("file.Ext.original.path", text(path.as_os_str().as_bytes()))
    }

    /// The result, and what follows from it.
    pub fn result(self, result: i64) -> Row {
        let outcome = if result < 0 { "failure" } else { "success" };
        self.with("mote.return", result).with("event.outcome", outcome)
    }

    fn line(&self) -> String {
        line(self.action, &self.fields)
    }
}

/// Bytes as `mote decode` prints them.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Permission bits as `file.mode` has them.
pub fn mode(bits: u32) -> Value {
    json!(format!("{bits:04o}"))
}

fn line(action: &str, fields: &Map<String, Value>) -> String {
    // serde_json's map is ordered by key.
    format!("{action} {}", Value::Object(fields.clone()))
}

/// An event reduced to what rows have. `with_call` adds the name of the system call and
/// the marks, for tests that make each call themselves.
fn reduce(event: &Value, with_call: bool) -> String {
    let action = at(event, "event.action").as_str().expect("event.action");
    let mut kept = Map::new();
    let mut keep = |field: &str| {
        let value = at(event, field);
        if !value.is_null() {
            kept.insert(field.into(), value.clone());
        }
    };
    ACTOR.iter().for_each(|field| keep(field));
    if tells_thread(action) {
        keep("process.thread.id");
    }
    fields(action).iter().for_each(|field| keep(field));
    if !at(event, "mote.return").is_null() && fields(action).contains(&"mote.return") {
        keep("event.outcome");
    }
    if with_call && fields(action).contains(&"mote.return") {
        keep("mote.syscall_name");
    }
    if with_call {
        keep("source.ip");
        keep("source.port");
        keep("mote.asked.ip");
        keep("mote.asked.port");
        keep("network.type");
        keep("network.transport");
        keep("mote.address_family");
        keep("mote.exit_signal");
        keep("mote.core_dumped");
        for (marks, ignored) in [
            ("mote.truncated", ""),
            // Says when a name was read, which depends on what the kernel has paged in.
            ("mote.flags", "read_late"),
        ] {
            let mut marked = at(event, marks).as_array().cloned().unwrap_or_default();
            marked.retain(|mark| mark != ignored);
            if !marked.is_empty() {
                kept.insert(marks.into(), marked.into());
            }
        }
    }
    line(action, &kept)
}

/// How often each line occurs in `left` but not in `right`, and the other way round.
pub struct Difference {
    pub missing: Vec<String>,
    pub unexpected: Vec<String>,
}

/// Compares the events with the rows. That this process ended the sensor is expected by those who
/// have a row for it.
pub fn compare(rows: &[Row], events: &[&Value], with_call: bool) -> Difference {
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows {
        *balance.entry(row.line()).or_default() += 1;
    }
    let tells_signals = rows.iter().any(|row| row.action == "kill");
    let own = std::process::id();
    let is_signal =
        |event: &Value| at(event, "event.action") == "kill" && at(event, "process.pid") == own;
    for event in events.iter().filter(|event| tells_signals || !is_signal(event)) {
        *balance.entry(reduce(event, with_call)).or_default() -= 1;
    }
    let times = |line: &String, count: i64| format!("{count} x {line}");
    let missing = balance.iter().filter(|(_, n)| **n > 0).map(|(l, n)| times(l, *n));
    let unexpected = balance.iter().filter(|(_, n)| **n < 0).map(|(l, n)| times(l, -n));
    Difference { missing: missing.collect(), unexpected: unexpected.collect() }
}

/// Fails with what differs, in full up to a screenful.
pub fn assert_same(rows: &[Row], events: &[&Value], with_call: bool) {
    const SCREENFUL: usize = 30;
    assert!(!rows.is_empty(), "nothing was expected");
    let Difference { missing, unexpected } = compare(rows, events, with_call);
    if missing.is_empty() && unexpected.is_empty() {
        return;
    }
    let show = |lines: &[String]| lines[..lines.len().min(SCREENFUL)].join("\n  ");
    panic!(
        "{} of {} rows missing:\n  {}\n{} events unexpected:\n  {}",
        missing.len(),
        rows.len(),
        show(&missing),
        unexpected.len(),
        show(&unexpected)
    );
}

/// Every event has its number, and no event says that another is missing. Where the kernel
/// skips programs and that is all, the test is played once more.
pub fn assert_complete(events: &[Value]) {
    let lost: Vec<&Value> = events
        .iter()
        .filter(|event| at(event, "event.action") == "loss")
        // Events of a process that found no place lack details; none of them is lost.
        .filter(|event| at(event, "mote.lost.where") != "process_table")
        .collect();
    if lost.iter().all(|loss| is_skip(loss)) {
        again_if_skipped(events);
    }
    assert!(lost.is_empty(), "loss records: {lost:?}");
    assert_numbered(events);
}

/// All were seen. Where programs are skipped, what is missing has to be counted, and to be
/// next to nothing even among hundreds of threads that begin at once on one slow CPU.
pub fn assert_seen(seen: usize, made: usize, skipped: usize) {
    if programs_are_skipped() {
        assert!(seen <= made && seen + skipped >= made, "{seen} seen, {skipped} skipped");
        assert!(made - seen <= made / 50, "{seen} of {made} seen");
    } else {
        assert_eq!((seen, skipped), (made, 0));
    }
}

/// Nothing is missing but what the kernel skipped, where it does: it counts runs, also those
/// that had no event to tell.
pub fn assert_complete_but_for_skips(events: &[Value]) {
    if programs_are_skipped() {
        let losses = events.iter().filter(|event| at(event, "event.action") == "loss");
        let other: Vec<&Value> = losses.filter(|loss| !is_skip(loss)).collect();
        assert!(other.is_empty(), "{other:?}");
        assert_numbered(events);
    } else {
        assert_complete(events);
    }
}

/// Runs of programs that the kernel skipped, and that the sensor counted.
pub fn skipped(events: &[Value]) -> usize {
    let records = events.iter().filter(|event| is_skip(event));
    records.map(|e| at(e, "mote.lost.count").as_u64().unwrap() as usize).sum()
}

fn is_skip(event: &Value) -> bool {
    at(event, "mote.lost.where") == "program_skipped"
}

/// Where the kernel skips programs, a process whose beginning was skipped is not known: the test
/// is played once more.
pub fn again_if_skipped(events: &[Value]) {
    if programs_are_skipped() && events.iter().any(is_skip) {
        again("the kernel skipped programs while another was preempted");
    }
}

/// The numbers of the events are those from 1 on, each once.
pub fn assert_numbered(events: &[Value]) {
    let mut numbers: Vec<u64> = events
        .iter()
        .map(|event| at(event, "event.sequence").as_u64().expect("event.sequence"))
        .collect();
    numbers.sort_unstable();
    let off = numbers.iter().zip(1..).find(|(number, due)| **number != *due);
    assert_eq!(off, None, "(number, number that was due) of {} events", numbers.len());
}
