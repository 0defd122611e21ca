//! What is so on this machine, each for itself: nothing is decided here. What cannot be read is
//! unknown, which is no error.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use serde::{Serialize, Serializer};

use super::distribution::Distribution;
use super::read_text;
use crate::lines;
use crate::source::ebpf::{cpus, shared};
use crate::source::namespace;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its name: `kernel_release`.
    pub key: &'static str,
    /// What is so.
    pub value: Value,
}

impl Display for Fact {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&lines::line(self.key, &self.value.to_string()))
    }
}

/// What is so.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// It could not be read.
    Unknown,
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// Anything else.
    Text(String),
    /// Several.
    List(Vec<&'static str>),
}

impl Display for Value {
    /// As `mdatp health` does: text quoted, the rest bare.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unknown => f.write_str("unknown"),
            value => f.write_str(&lines::shown(value).map_err(|_| fmt::Error)?),
        }
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Value {
        number.map_or(Value::Unknown, Value::Number)
    }
}

/// Facts in their order, as one object of JSON with keys as `kernelRelease`.
pub fn serialize<S: Serializer>(facts: &[Fact], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|fact| (lines::camel_case(fact.key), &fact.value)))
}

/// All of them, as they are now.
pub fn read() -> Vec<Fact> {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Value::Text(text.to_string_lossy().into_owned());
    let distribution = Distribution::read();
    let known = distribution != Distribution::default();
    [
        ("kernel_release", text(uname.release())),
        ("machine", text(uname.machine())),
        ("distribution", if known { Value::Text(distribution.title()) } else { Value::Unknown }),
        ("tracefs", tracefs()),
        ("bpf", bpf()),
        ("unprivileged_bpf_disabled", number("/proc/sys/kernel/unprivileged_bpf_disabled")),
        ("bpf_jit_enable", number("/proc/sys/net/core/bpf_jit_enable")),
        ("perf_event_paranoid", number("/proc/sys/kernel/perf_event_paranoid")),
        ("lockdown", lockdown()),
        ("capabilities", own_capabilities()),
        ("locked_memory_bytes", locked_memory()),
        ("pid_namespace", namespace_of("pid")),
        ("user_namespace", namespace_of("user")),
        ("network_namespace", network_namespace()),
        ("cpus_possible", cpus::possible().ok().map(|cpus| cpus as i64).into()),
        ("cpus_online", cpus::online().ok().map(|cpus| cpus.len() as i64).into()),
        ("memory_kib", memory_kib()),
        ("cn_proc", process_connector()),
        ("syslog_socket", syslog_socket(Path::new("/dev/log"))),
    ]
    .into_iter()
    .map(|(key, value)| Fact { key, value })
    .collect()
}

fn number(path: &str) -> Value {
    read_text(Path::new(path)).and_then(|text| text.trim().parse().ok()).into()
}

/// Where tracefs is, by the mounts of this process.
fn tracefs() -> Value {
    let place = |mounts: String| match tracefs_in(&mounts) {
        Some(place) => Value::Text(place),
        None => Value::Text("not mounted: the sensor mounts it for itself".into()),
    };
    read_text(Path::new("/proc/self/mounts")).map_or(Value::Unknown, place)
}

/// debugfs has it too (proc_pid_mounts(5), and linux `Documentation/trace/ftrace.rst`).
fn tracefs_in(mounts: &str) -> Option<String> {
    let place_of = |kind: &str| {
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mount = mounts.find(|fields| fields.get(2) == Some(&kind))?;
        mount.get(1).map(|place| (*place).to_owned())
    };
    place_of("tracefs").or_else(|| Some(place_of("debugfs")? + "/tracing"))
}

/// Asks for the smallest map there is.
fn bpf() -> Value {
    // Before 5.11 a map counts against the limit of locked memory, which the sensor raises. What
    // is read here is to be as it was.
    let limit = getrlimit(Resource::Memlock);
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
    let created = shared::smallest_array(0);
    let _ = setrlimit(Resource::Memlock, limit);
    Value::Text(match created {
        Ok(_) => "available".into(),
        Err(error) => format!("refused: {error}"),
    })
}

fn lockdown() -> Value {
    let text = read_text(Path::new("/sys/kernel/security/lockdown"));
    text.and_then(|text| chosen(&text)).map_or(Value::Unknown, Value::Text)
}

/// `none [integrity] confidentiality` (kernel_lockdown(7)).
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// Of those that matter, the ones that this process has.
fn own_capabilities() -> Value {
    const NAMES: [(CapabilitySet, &str); 8] = [
        (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
        (CapabilitySet::BPF, "CAP_BPF"),
        (CapabilitySet::PERFMON, "CAP_PERFMON"),
        (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
        (CapabilitySet::AUDIT_CONTROL, "CAP_AUDIT_CONTROL"),
        (CapabilitySet::SYS_RESOURCE, "CAP_SYS_RESOURCE"),
        // To look at other users' processes.
        (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
        (CapabilitySet::DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
    ];
    let Ok(sets) = capabilities(None) else { return Value::Unknown };
    let own = NAMES.iter().filter(|(capability, _)| sets.effective.contains(*capability));
    Value::List(own.map(|(_, name)| *name).collect())
}

fn locked_memory() -> Value {
    let number = |bytes| i64::try_from(bytes).map_or(Value::Unknown, Value::Number);
    getrlimit(Resource::Memlock).current.map_or(Value::Text("unlimited".into()), number)
}

fn namespace_of(kind: &str) -> Value {
    told(namespace::is_first(kind))
}

/// The first has a number of its own from 6.18 on (linux `include/uapi/linux/nsfs.h`,
/// `NET_NS_INIT_INO`). Before, numbers come as namespaces do, from 0xf0000000 on: it is compared
/// with process 1's.
fn network_namespace() -> Value {
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
    match (of("self"), of("1")) {
        (Ok(own), _) if own.as_os_str() == "net:[4026531833]" => told(true),
        (Ok(own), Ok(first)) if namespace::is_first("pid") => told(own == first),
        _ => Value::Unknown,
    }
}

fn told(is_first: bool) -> Value {
    Value::Text(if is_first { "the host's" } else { "a container's" }.into())
}

fn memory_kib() -> Value {
    let total = |text: String| {
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        total.split_whitespace().next()?.parse().ok()
    };
    read_text(Path::new("/proc/meminfo")).and_then(total).into()
}

/// What can be asked through the connector (linux `drivers/connector/connector.c`).
fn process_connector() -> Value {
    let has = |text: String| Value::Flag(text.contains("cn_proc"));
    read_text(Path::new("/proc/net/connector")).map_or(Value::Unknown, has)
}

fn syslog_socket(path: &Path) -> Value {
    let kind = match fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => "socket",
        Ok(_) => "no socket",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "absent",
        Err(_) => return Value::Unknown,
    };
    let target = fs::read_link(path).map(|to| format!(", by a link to {}", to.display()));
    Value::Text(format!("{}: {kind}{}", path.display(), target.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn values_as_people_and_programs_read_them() {
        for (value, people) in [
            (Value::Unknown, "unknown"),
            (Value::Flag(true), "true"),
            (Value::Number(-1), "-1"),
            (Value::Text("a \"b\"\u{1b}\u{9b}é".into()), r#""a \"b\"\u001b\u009bé""#),
            (Value::List(vec![]), "[]"),
            (Value::List(vec!["A", "B"]), r#"["A","B"]"#),
        ] {
            assert_eq!(value.to_string(), people);
        }
        let facts = [
            Fact { key: "one_two_three", value: Value::Unknown },
            Fact { key: "bpf", value: Value::Number(2) },
        ];
        let mut json = Vec::new();
        serialize(&facts, &mut serde_json::Serializer::new(&mut json)).unwrap();
        assert_eq!(json, br#"{"oneTwoThree":null,"bpf":2}"#);
    }

    #[test]
    fn tracefs_is_found_wherever_it_is() {
        let proc = "proc /proc proc rw 0 0\n";
        let debugfs = "debugfs /sys/kernel/debug debugfs rw 0 0\n";
        let tracefs = "tracefs /sys/kernel/tracing tracefs rw 0 0\n";
        let found = |mounts: &[&str]| tracefs_in(&mounts.concat());
        assert_eq!(found(&[proc, "x", ""]), None);
        assert_eq!(found(&[proc, debugfs]).unwrap(), "/sys/kernel/debug/tracing");
        assert_eq!(found(&[debugfs, tracefs]).unwrap(), "/sys/kernel/tracing");
    }

    #[test]
    fn the_lockdown_that_is_chosen() {
        assert_eq!(chosen("none [integrity] confidentiality\n").unwrap(), "integrity");
        for text in ["", "none", "[none", "none]"] {
            assert_eq!(chosen(text), None, "{text}");
        }
    }

    #[test]
    fn the_socket_and_what_leads_there() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let told = || match syslog_socket(&log) {
            Value::Text(text) => text.replace(&dir.path().display().to_string(), ""),
            other => panic!("{other:?}"),
        };
        assert_eq!(told(), "/log: absent");
        symlink(dir.path().join("real"), &log).unwrap();
        assert_eq!(told(), "/log: absent, by a link to /real");
        fs::write(dir.path().join("real"), "").unwrap();
        assert_eq!(told(), "/log: no socket, by a link to /real");
        fs::remove_file(dir.path().join("real")).unwrap();
        let _socket = UnixDatagram::bind(dir.path().join("real")).unwrap();
        assert_eq!(told(), "/log: socket, by a link to /real");
    }

    #[test]
    fn this_machine_has_all_of_them_once() {
        let facts = read();
        let keys: std::collections::BTreeSet<_> = facts.iter().map(|fact| fact.key).collect();
        assert_eq!(keys.len(), facts.len());
        let of = |key| &facts.iter().find(|fact| fact.key == key).unwrap().value;
        assert!(matches!(of("kernel_release"), Value::Text(text) if !text.is_empty()));
        assert!(matches!(of("memory_kib"), Value::Number(1024..)));
        let Value::Number(online @ 1..) = of("cpus_online") else { panic!("{facts:?}") };
        assert!(matches!(of("cpus_possible"), Value::Number(possible) if possible >= online));
    }
}
