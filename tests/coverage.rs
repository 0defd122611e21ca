//! docs/coverage.md: its table is made of the data that the sensor works with.

mod common;

use common::{context, random_event};
use fastrand::Rng;
use mote::event::Action;
use mote::format::ecs;
use mote::source::ebpf::hooks::{Hook, SYSCALLS as HOOKS};
use mote::syscalls::{Effect, SYSCALLS, Syscall};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

const FILE: &str = "docs/coverage.md";
const HEAD: &str = "| Action | Ring | System calls and other hooks | Fields of its own |\n\
                    | --- | --- | --- | --- |\n";

/// Fields that events of every process have.
const COMMON: &[&str] = &[
    "@timestamp",
    "ecs.",
    "agent.ephemeral_id",
    "event.",
    "host.",
    "process.pid",
    "process.entity_id",
    "process.start",
    "process.parent.",
    "process.executable",
    "process.name",
    "process.user.",
    "process.group.",
    "process.thread.",
    "process.session_leader.",
    "user.audit.",
    "auditd.",
    "container.",
    "mote.syscall",
    "mote.executable_kind",
    "mote.return",
    "mote.flags",
    "mote.truncated",
    "mote.bytes.",
];

/// Programs of `bpf/system.c`, which send what matters with the process events.
const IMPORTANT: [&str; 3] = ["leave_namespaces", "leave_privileged", "leave_system"];

/// What an action is told by beside system calls.
fn tracepoint(action: Action) -> Option<&'static str> {
    match action {
        Action::Exec => Some("sched:sched_process_exec"),
        Action::Fork => Some("task:task_newtask"),
        Action::Exit => Some("sched:sched_process_exit"),
        Action::Kill => Some("signal:signal_generate"),
        _ => None,
    }
}

fn reports(call: &Syscall, action: Action) -> bool {
    match call.effect {
        Effect::Report(reported) | Effect::Both(reported, _) => {
            // unlinkat removes both.
            reported == action || call.name == "unlinkat" && action == Action::Rmdir
        }
        Effect::Relocate(_) => false,
    }
}

/// By the program that sends it.
fn ring(action: Action) -> &'static str {
    let is_its = |leave: &Hook| {
        let name = leave.event.trim_start_matches("sys_exit_").replace("umount", "umount2");
        SYSCALLS.iter().any(|call| call.name == name && reports(call, action))
    };
    let mut leaves = HOOKS.iter().map(|(_, leave)| leave).filter(|leave| is_its(leave));
    match action {
        Action::Exec | Action::Fork | Action::Exit | Action::Kill => "priority",
        _ if leaves.any(|leave| IMPORTANT.contains(&leave.program)) => "priority",
        _ => "bulk",
    }
}

fn shown(call: &Syscall) -> String {
    let since = call.since.map(|(major, minor)| format!("{major}.{minor}"));
    let only = call.aarch64.is_none().then(|| "x86-64".to_owned());
    let notes: Vec<String> = only.into_iter().chain(since).collect();
    if notes.is_empty() {
        format!("`{}`", call.name)
    } else {
        format!("`{}` ({})", call.name, notes.join(", "))
    }
}

fn names(value: &Value, name: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let joined = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            names(value, &joined, into);
        }),
        _ => {
            into.insert(name.to_owned());
        }
    }
}

/// The fields that some of many events of an action have, and not all actions.
fn fields(action: Action) -> String {
    let mut rng = Rng::with_seed(7);
    let mut all = BTreeSet::new();
    for _ in 0..500 {
        let mut out = Vec::new();
        ecs::write(&mut out, &context().origin(), &random_event(&mut rng, action)).unwrap();
        names(&serde_json::from_slice(&out).unwrap(), "", &mut all);
    }
    let own = all.iter().filter(|name| !COMMON.iter().any(|common| name.starts_with(common)));
    own.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn table() -> String {
    let mut table = HEAD.to_owned();
    for action in Action::ALL.into_iter().filter(|action| !action.is_own()) {
        let calls = SYSCALLS.iter().filter(|call| reports(call, action)).map(shown);
        let hooks: Vec<String> =
            calls.chain(tracepoint(action).map(|hook| format!("`{hook}`"))).collect();
        let (name, ring, hooks) = (action.name(), ring(action), hooks.join(", "));
        writeln!(table, "| {name} | {ring} | {hooks} | {} |", fields(action)).unwrap();
    }
    table
}

#[test]
fn the_table_is_as_the_data() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let begin = text.find(HEAD).expect("the head of the table");
    let end = text[begin..].find("\n\n").map_or(text.len(), |end| begin + end + 1);
    let (written, table) = (&text[begin..end], table());
    if written != table && std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(FILE, [&text[..begin], &table, &text[end..]].concat()).unwrap();
        return;
    }
    assert_eq!(written, table, "write it anew: WRITE_GOLDEN=1 cargo test --test coverage");
}

/// Each has a hook, so that no row is empty.
#[test]
fn every_action_has_a_hook() {
    for action in Action::ALL.into_iter().filter(|action| !action.is_own()) {
        let is_called = SYSCALLS.iter().any(|call| reports(call, action));
        assert!(is_called || tracepoint(action).is_some(), "{action:?}");
    }
}
