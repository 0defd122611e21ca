//! The control socket: what mote's other commands ask of a running sensor.
//!
//! A client connects, writes one request as a line of JSON, and reads one reply, also a line.
//! Only root and the sensor's own user are answered: the socket has mode 0600, and the
//! kernel is asked who the peer is.

pub mod client;
mod listener;
pub mod server;

use std::path::{Path, PathBuf};

use rustix::process::{Uid, geteuid};
use serde::{Deserialize, Serialize};

use crate::filter::RuleKind;
use crate::health::Health;
use crate::host::provider::Wanted;

/// Where the socket is unless `--runtime-dir` says otherwise.
pub const RUNTIME_DIR: &str = "/run/mote";

/// Where what commands set is kept, unless `--state-dir` says otherwise.
pub const STATE_DIR: &str = "/var/lib/mote";

/// The socket in a runtime directory.
pub fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

/// Whose requests are answered, and whose answers are believed: root's and our own user's.
fn is_trusted(user: Uid) -> bool {
    user.is_root() || user == geteuid()
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the sensor is.
    Health {},
    /// Which provider is wanted.
    Provider {
        /// `enabled`: eBPF; `disabled`: the process connector.
        value: Wanted,
    },
    /// A local exclusion more.
    ExclusionAdd {
        /// What it is about.
        kind: RuleKind,
        /// Its absolute path.
        path: String,
        /// Of a process: also what it starts.
        #[serde(default)]
        children: bool,
    },
    /// A local exclusion less.
    ExclusionRemove {
        /// What it is about.
        kind: RuleKind,
        /// Its absolute path.
        path: String,
    },
    /// All exclusions.
    ExclusionList {},
    /// Which exclusion would match.
    ExclusionTest {
        /// The file or the program.
        path: String,
        /// Whether it is a program.
        process: bool,
    },
    /// What causes events.
    Statistics {
        /// For how long to watch.
        seconds: u32,
        /// How many of each to tell.
        top: u32,
    },
    /// Detach eBPF until [`Request::Resume`] on the same connection, or its end.
    Pause {
        /// But no longer than this.
        limit_seconds: u32,
    },
    /// Attach again.
    Resume {},
    /// What a support bundle needs of the sensor.
    Diagnostic {},
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done. What there is to say beside.
    Done(Vec<String>),
    /// It is not, and why.
    Refused(Refused),
    /// To [`Request::Health`].
    Health(Box<Health>),
    /// To [`Request::ExclusionList`].
    Exclusions(Vec<ListedExclusion>),
    /// To [`Request::ExclusionTest`].
    Explanation(Explained),
    /// To [`Request::Statistics`].
    Statistics(Box<Statistics>),
    /// To [`Request::Diagnostic`].
    Diagnostic(Box<Diagnostic>),
}

impl Reply {
    /// A refusal: what happened, why, and what to do about it; and the exit code for it.
    pub fn refused(message: impl Into<String>, code: u8) -> Reply {
        Reply::Refused(Refused { message: message.into(), code })
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What happened, why, and what to do about it.
    pub message: String,
    /// The exit code that stands for it, of [`crate::exit`].
    pub code: u8,
}

/// An exclusion, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedExclusion {
    /// What it is about.
    pub kind: RuleKind,
    /// Its path.
    pub path: String,
    /// `managed`, `local` or `default`.
    pub origin: String,
    /// Whether what a process starts is excluded with it.
    pub children: bool,
    /// How many events it has excluded since the sensor's start.
    pub hits: u64,
}

/// Which exclusion would match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Whether one would.
    pub excluded: bool,
    /// Which, and why; or that none does.
    pub sentence: String,
}

/// What caused events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// `ebpf`, or `netlink`, which tells processes only; both if they changed meanwhile.
    pub subsystems: Vec<String>,
    /// For how long was watched.
    pub seconds: u32,
    /// Most frequent first.
    pub file_paths: Vec<Counted>,
    /// The most that a count of `file_paths` may be too high.
    pub file_paths_error: u64,
    /// Programs, most frequent first.
    pub initiator_paths: Vec<Counted>,
    /// The most that a count of `initiator_paths` may be too high; 0: they are exact.
    pub initiator_paths_error: u64,
    /// System call numbers of this architecture, most frequent first.
    pub syscall_ids: Vec<CountedCall>,
    /// All events.
    pub events: u64,
    /// Of these, excluded.
    pub events_excluded: u64,
    /// Events that were excluded in the kernel, or lost: their paths are not known.
    pub events_without_path: u64,
}

/// A path and its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What.
    pub path: String,
    /// How many events.
    pub count: u64,
}

/// A system call and its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedCall {
    /// Its number.
    pub id: u32,
    /// Its name, where it is known.
    pub name: Option<String>,
    /// How many events.
    pub count: u64,
}

/// What only the sensor knows of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How it is.
    pub health: Health,
    /// Every exclusion.
    pub exclusions: Vec<ListedExclusion>,
    /// What is attached: hook, program, and its id in the kernel.
    pub programs: Vec<AttachedProgram>,
    /// The end of its own log.
    pub log: Vec<String>,
    /// The managed configuration's file.
    pub managed_file: String,
    /// The file of what commands set.
    pub local_file: String,
    /// Its process id.
    pub pid: u32,
}

/// A program of the sensor in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedProgram {
    /// `syscalls:sys_enter_openat`.
    pub hook: String,
    /// Its function.
    pub program: String,
    /// What `bpftool prog show id` takes.
    pub id: u32,
}
