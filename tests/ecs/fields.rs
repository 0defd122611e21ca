//! Every field name that may appear.

use crate::BOOT_TIME_NS;
use crate::common::{bytes, context, random_event};
use fastrand::Rng;
use mote::event::Action;
use mote::format::ecs;
use mote::record::Origin;
use serde_json::Value;
use std::collections::BTreeMap;

/// ECS 8.11 fields in use and their types; below them what is our own (`Ext` is where
/// Elastic's endpoint puts the same thing).
const FIELDS: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("ecs.version", "keyword"),
    ("agent.ephemeral_id", "keyword"),
    ("agent.version", "keyword"),
    ("event.kind", "keyword"),
    ("event.category", "keyword[]"),
    ("event.type", "keyword[]"),
    ("event.action", "keyword"),
    ("event.sequence", "long"),
    ("event.provider", "keyword"),
    ("event.outcome", "keyword"),
    ("host.hostname", "keyword"),
    ("host.boot.id", "keyword"),
    ("host.os.kernel", "keyword"),
    ("process.pid", "long"),
    ("process.entity_id", "keyword"),
    ("process.start", "date"),
    ("process.parent.pid", "long"),
    ("process.parent.entity_id", "keyword"),
    ("process.parent.executable", "keyword"),
    ("process.parent.name", "keyword"),
    ("process.executable", "keyword"),
    ("process.name", "keyword"),
    ("process.args", "keyword[]"),
    ("process.args_count", "long"),
    ("process.command_line", "keyword"),
    ("process.working_directory", "keyword"),
    ("process.user.id", "keyword"),
    ("process.group.id", "keyword"),
    ("process.thread.id", "long"),
    ("process.thread.name", "keyword"),
    ("process.exit_code", "long"),
    ("process.session_leader.pid", "long"),
    ("process.session_leader.entity_id", "keyword"),
    ("container.id", "keyword"),
    ("container.name", "keyword"),
    ("container.runtime", "keyword"),
    ("file.path", "keyword"),
    ("file.mode", "keyword"),
    ("file.target_path", "keyword"),
    ("file.type", "keyword"),
    ("file.uid", "keyword"),
    ("file.gid", "keyword"),
    ("file.size", "long"),
    ("file.mtime", "date"),
    ("source.ip", "ip"),
    ("source.port", "long"),
    ("source.address", "keyword"),
    ("server.ip", "ip"),
    ("server.port", "long"),
    ("server.address", "keyword"),
    ("destination.ip", "ip"),
    ("destination.port", "long"),
    ("destination.address", "keyword"),
    ("network.transport", "keyword"),
    ("network.type", "keyword"),
    ("network.direction", "keyword"),
    // Elastic's auditbeat's.
    ("user.audit.id", "keyword"),
    ("auditd.session", "keyword"),
    // Our own.
    ("file.Ext.original.path", "keyword"),
    ("mote.syscall", "long"),
    ("mote.syscall_name", "keyword"),
    ("mote.return", "long"),
    ("mote.flags", "keyword[]"),
    ("mote.truncated", "keyword[]"),
    ("mote.call_flags", "long"),
    ("mote.open_flags", "keyword[]"),
    ("mote.executable_kind", "keyword"),
    ("mote.device", "keyword"),
    ("mote.attribute", "keyword"),
    ("mote.new_ids.real", "long"),
    ("mote.new_ids.effective", "long"),
    ("mote.new_ids.saved", "long"),
    ("mote.target_pid", "long"),
    ("mote.ptrace_request", "keyword"),
    ("mote.signal", "keyword"),
    ("mote.bpf_program_type", "keyword"),
    ("mote.clone_flags", "keyword[]"),
    ("mote.mount_flags", "keyword[]"),
    ("mote.mount_attributes_set", "keyword[]"),
    ("mote.mount_attributes_cleared", "keyword[]"),
    ("mote.mount_source", "keyword"),
    ("mote.mount_type", "keyword"),
    ("mote.mount_option", "keyword"),
    ("mote.mount_command", "keyword"),
    ("mote.mount_descriptor", "long"),
    ("mote.name", "keyword"),
    ("mote.parameters", "keyword"),
    ("mote.new_time", "date"),
    ("mote.asked.ip", "ip"),
    ("mote.asked.port", "long"),
    ("mote.backlog", "long"),
    ("mote.messages", "long"),
    ("mote.address_family", "long"),
    ("mote.exit_signal", "long"),
    ("mote.core_dumped", "boolean"),
    ("mote.lost.where", "keyword"),
    ("mote.lost.ring", "keyword"),
    ("mote.lost.cpu", "long"),
    ("mote.lost.receiver", "long"),
    ("mote.lost.count", "long"),
    ("mote.EBPF STATUS", "boolean"),
    ("mote.events_received", "long"),
    ("mote.events_excluded", "long"),
    ("mote.events_lost", "long"),
    ("mote.events_sent", "long"),
    ("mote.events_suppressed", "long"),
    ("mote.heartbeat_seconds", "long"),
    ("mote.hooks", "long"),
    ("mote.hooks_missing", "keyword[]"),
    ("mote.blind_spots", "keyword[]"),
    ("mote.exclusions", "long"),
    ("mote.bulk_budget", "long"),
    ("mote.send_window_seconds", "long"),
    ("mote.pause_limit_seconds", "long"),
    ("mote.resumed_because", "keyword"),
    ("mote.bytes.host.hostname", "keyword"),
    ("mote.bytes.agent.version", "keyword"),
    ("mote.bytes.host.os.kernel", "keyword"),
    ("mote.bytes.mote.hooks_missing", "keyword[]"),
    ("mote.bytes.process.executable", "keyword"),
    ("mote.bytes.process.parent.executable", "keyword"),
    ("mote.bytes.process.thread.name", "keyword"),
    ("mote.bytes.process.args", "keyword[]"),
    ("mote.bytes.process.working_directory", "keyword"),
    ("mote.bytes.container.id", "keyword"),
    ("mote.bytes.container.name", "keyword"),
    ("mote.bytes.file.path", "keyword"),
    ("mote.bytes.file.Ext.original.path", "keyword"),
    ("mote.bytes.file.target_path", "keyword"),
    ("mote.bytes.mote.attribute", "keyword"),
    ("mote.bytes.mote.mount_source", "keyword"),
    ("mote.bytes.mote.mount_type", "keyword"),
    ("mote.bytes.mote.mount_option", "keyword"),
    ("mote.bytes.mote.name", "keyword"),
    ("mote.bytes.mote.parameters", "keyword"),
    ("mote.bytes.destination.address", "keyword"),
    ("mote.bytes.server.address", "keyword"),
];

/// Field names and how their values look.
fn flatten(value: &Value, name: String, into: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Object(fields) => {
            assert!(!fields.is_empty(), "{name} is empty");
            for (key, value) in fields {
                let joined = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(value, joined, into);
            }
            return;
        }
        Value::Null => panic!("{name} is null"),
        Value::Array(items) => {
            assert!(!items.is_empty() && items.iter().all(Value::is_string), "{name}");
            "keyword[]"
        }
        Value::Bool(_) => "boolean",
        Value::Number(_) => "long",
        Value::String(_)
            if matches!(
                name.as_str(),
                "@timestamp" | "process.start" | "file.mtime" | "mote.new_time"
            ) =>
        {
            "date"
        }
        Value::String(_) if name.ends_with(".ip") => "ip",
        Value::String(_) => "keyword",
    };
    into.insert(name, kind);
}

#[test]
fn only_listed_fields_are_used_and_all_of_them_are() {
    let mut rng = Rng::with_seed(3);
    let mut seen = BTreeMap::new();
    let usual = context();
    let mut strange = context();
    strange.hostname = bytes(b"\xff");
    for round in 0..5000 {
        let action = Action::ALL[round % Action::ALL.len()];
        let event = random_event(&mut rng, action);
        let mut out = Vec::new();
        let context = if round < 50 { &strange } else { &usual };
        let origin = Origin { boot_time_ns: Some(BOOT_TIME_NS), ..context.origin() };
        ecs::write(&mut out, &origin, &event).unwrap();
        flatten(&serde_json::from_slice(&out).unwrap(), String::new(), &mut seen);
    }
    let listed: BTreeMap<String, &str> =
        FIELDS.iter().map(|(name, kind)| (name.to_string(), *kind)).collect();
    assert_eq!(seen, listed);
}
