//! Events as ECS documents.

#[path = "../common/mod.rs"]
mod common;
mod fields;

use common::{bytes, context};
use mote::event::{
    Action, Class, Endpoint, Event, Flags, Loss, LossPlace, Runtime, Transport, Truncated,
};
use mote::format::ecs;
use mote::record::Origin;
use serde_json::{Value, json};

/// 2026-11-01.
const BOOT_TIME_NS: i64 = 1_793_491_200_000_000_000;

fn write(event: &Event) -> Value {
    let mut out = Vec::new();
    ecs::write(&mut out, &context().origin(), event).unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "one line an event");
    serde_json::from_slice(&out).unwrap()
}

fn event(action: Action) -> Event {
    let mut event = Event::new();
    event.action = action;
    event.sequence = 7;
    event.time_ns = 1_795_478_400_000_000_001;
    (event.pid, event.tid, event.ppid) = (4242, 4243, Some(4200));
    (event.uid, event.gid) = (1000, 100);
    event.comm = bytes(b"worker");
    event.executable = bytes(b"/usr/bin/bash");
    event
}

#[test]
fn a_rename() {
    let mut event = event(Action::Rename);
    (event.syscall, event.ret) = (Some(316), Some(-18));
    event.path = bytes(b"/etc/new");
    event.from = bytes(b"/tmp/\xffold");
    event.call_flags = Some(1);
    event.flags = Flags::READ_LATE;
    event.truncated = Truncated::PATH;
    assert_eq!(
        write(&event),
        json!({
            "@timestamp": "2026-11-24T00:00:00.000000001Z",
            "ecs": {"version": "8.11.0"},
            "agent": {"ephemeral_id": "0123456789abcdef-5000000000"},
            "event": {"kind": "event", "category": ["file"], "type": ["info"],
                "action": "rename", "sequence": 7, "provider": "ebpf", "outcome": "failure"},
            "host": {"hostname": "gate", "boot": {"id": "01234567-89ab-cdef-0123-456789abcdef"}},
            "process": {"pid": 4242, "parent": {"pid": 4200}, "executable": "/usr/bin/bash",
                "name": "bash", "user": {"id": "1000"}, "group": {"id": "100"},
                "thread": {"id": 4243, "name": "worker"}},
            "file": {"path": "/etc/new", "Ext": {"original": {"path": "/tmp/\u{fffd}old"}}},
            "mote": {"syscall": 316, "syscall_name": "renameat2", "return": -18,
                "flags": ["read_late"], "truncated": ["file.path"], "call_flags": 1,
                "bytes": {"file.Ext.original.path": "2f746d702fff6f6c64"}}
        })
    );
}

#[test]
fn a_process_and_its_parent_are_told_from_all_others() {
    let mut event = event(Action::Unlink);
    event.start = Some(8_640_012);
    event.lineage.parent_start = Some(8_640_011);
    event.lineage.parent_executable = bytes(b"/usr/sbin/sshd");
    let context = context();
    // By a clock that is not at a hundredth.
    let boot_time_ns = Some(BOOT_TIME_NS + 7_654_321);
    let mut out = Vec::new();
    ecs::write(&mut out, &Origin { boot_time_ns, ..context.origin() }, &event).unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    let process = &document["process"];
    assert_eq!(process["entity_id"], "0123456789abcdef-4242-8640012");
    assert_eq!(process["start"], "2026-11-02T00:00:00.120000000Z");
    assert_eq!(
        process["parent"],
        json!({"pid": 4200, "entity_id": "0123456789abcdef-4200-8640011",
            "executable": "/usr/sbin/sshd", "name": "sshd"})
    );
    // Of an old sensor, or before what can be told.
    assert_eq!(write(&event)["process"].get("start"), None);
    event.start = Some(u64::MAX);
    assert_eq!(write(&event)["process"]["entity_id"], "0123456789abcdef-4242-18446744073709551615");
    (event.start, event.ppid) = (None, None);
    let process = write(&event)["process"].take();
    assert_eq!(process.get("entity_id"), None);
    assert_eq!(process["parent"], json!({"executable": "/usr/sbin/sshd", "name": "sshd"}));
}

#[test]
fn a_container_has_an_id_or_a_name() {
    let mut event = event(Action::Unlink);
    let mut container = |runtime, name: &[u8]| {
        (event.lineage.runtime, event.lineage.container) = (runtime, bytes(name));
        write(&event)["container"].take()
    };
    assert_eq!(
        container(Some(Runtime::Docker), b"4f797c539e6c"),
        json!({"id": "4f797c539e6c", "runtime": "docker"})
    );
    assert_eq!(container(None, b"4f797c539e6c"), json!({"id": "4f797c539e6c"}));
    assert_eq!(container(Some(Runtime::Lxc), b"web"), json!({"name": "web", "runtime": "lxc"}));
    assert_eq!(container(Some(Runtime::Lxc), b""), Value::Null);
}

#[test]
fn a_login_and_a_session_are_told() {
    let mut event = event(Action::Unlink);
    let lineage = &mut event.lineage;
    (lineage.login_uid, lineage.audit_session) = (Some(1000), Some(3));
    (lineage.session, lineage.session_start) = (Some(4100), Some(7));
    let document = write(&event);
    assert_eq!(document["user"], json!({"audit": {"id": "1000"}}));
    assert_eq!(document["auditd"], json!({"session": "3"}));
    let id = "0123456789abcdef-4100-7";
    assert_eq!(document["process"]["session_leader"], json!({"pid": 4100, "entity_id": id}));
}

#[test]
fn an_exec_names_its_path_only_if_it_is_not_the_executable() {
    let mut event = event(Action::Exec);
    event.path = event.executable.clone();
    event.args = bytes(b"bash\0-c\0");
    event.args_count = Some(2);
    let document = write(&event);
    assert_eq!(document["process"]["args"], json!(["bash", "-c"]));
    assert_eq!(document["process"]["args_count"], 2);
    assert_eq!(document["process"]["command_line"], "bash -c");
    assert_eq!(document.get("file"), None);
    event.path = bytes(b"/opt/missing");
    event.ret = Some(-2);
    assert_eq!(write(&event)["file"], json!({"path": "/opt/missing"}));
}

#[test]
fn an_exit_tells_status_signal_and_core_dump() {
    let mut event = event(Action::Exit);
    event.exit_status = Some(3 << 8);
    let document = write(&event);
    assert_eq!(document["process"]["exit_code"], 3);
    assert_eq!((document.get("mote"), document["event"].get("outcome")), (None, None));
    event.exit_status = Some(11 | 0x80);
    let document = write(&event);
    assert_eq!(document["process"]["exit_code"], 139);
    assert_eq!(document["mote"], json!({"exit_signal": 11, "core_dumped": true}));
    event.exit_status = Some(9);
    assert_eq!(write(&event)["mote"], json!({"exit_signal": 9, "core_dumped": false}));
}

#[test]
fn an_open_names_its_flags_and_mode() {
    let mut event = event(Action::Open);
    event.path = bytes(b"/x");
    (event.call_flags, event.mode) = (Some(0o1101), Some(0o640));
    let document = write(&event);
    assert_eq!(document["file"], json!({"path": "/x", "mode": "0640"}));
    assert_eq!(document["mote"]["open_flags"], json!(["O_WRONLY", "O_CREAT", "O_TRUNC"]));
    assert_eq!(document["event"]["outcome"], "unknown");
}

#[test]
fn a_connect_to_every_kind_of_address() {
    let mut event = event(Action::Connect);
    let mut parts = |peer, transport, path: &[u8]| {
        (event.peer, event.transport, event.path) = (peer, transport, bytes(path));
        let mut document = write(&event);
        let part = |name: &str, document: &mut Value| document[name].take();
        (
            part("destination", &mut document),
            part("network", &mut document),
            part("mote", &mut document),
        )
    };
    let v4 = Some(Endpoint::V4([192, 0, 2, 1].into(), 443));
    assert_eq!(
        parts(v4, Some(Transport::Tcp), b""),
        (
            json!({"ip": "192.0.2.1", "port": 443, "address": "192.0.2.1"}),
            json!({"transport": "tcp", "type": "ipv4", "direction": "egress"}),
            Value::Null
        )
    );
    let v6 = Some(Endpoint::V6(core::net::Ipv6Addr::LOCALHOST, 53));
    assert_eq!(
        parts(v6, None, b""),
        (
            json!({"ip": "::1", "port": 53, "address": "::1"}),
            json!({"type": "ipv6", "direction": "egress"}),
            Value::Null
        )
    );
    assert_eq!(
        parts(Some(Endpoint::Unix), None, b"\0bus"),
        (
            json!({"address": "@bus"}),
            json!({"type": "unix", "direction": "egress"}),
            json!({"bytes": {"destination.address": "00627573"}})
        )
    );
    assert_eq!(
        parts(Some(Endpoint::Other(16)), None, b""),
        (Value::Null, json!({"direction": "egress"}), json!({"address_family": 16}))
    );
}

#[test]
fn what_a_flood_guard_kept_back_has_its_process() {
    let mut event = Event::new();
    let (place, class) = (LossPlace::FloodGuard, Some(Class::Bulk));
    event.loss = Some(Loss { place, class, cpu: None, receiver: None, count: 12 });
    assert_eq!(write(&event).get("process"), None, "of processes that are not known");
    (event.pid, event.tid, event.ppid) = (42, 42, Some(1));
    // Not known.
    (event.uid, event.gid) = (u32::MAX, u32::MAX);
    event.executable.extend_from_slice(b"/usr/bin/tar").unwrap();
    let document = write(&event);
    assert_eq!(
        document["process"],
        json!({
            "pid": 42, "parent": {"pid": 1}, "executable": "/usr/bin/tar", "name": "tar",
            "thread": {"id": 42}
        })
    );
    assert_eq!(
        document["mote"]["lost"],
        json!({"where": "flood_guard", "ring": "bulk", "count": 12})
    );
}

#[test]
fn a_loss_has_no_process() {
    let mut event = Event::new();
    event.loss = Some(Loss {
        place: LossPlace::RingFull,
        class: Some(Class::Bulk),
        cpu: Some(3),
        receiver: None,
        count: 12,
    });
    let document = write(&event);
    assert_eq!(document.get("process"), None);
    assert_eq!(document["event"]["category"], json!(["host"]));
    assert_eq!(
        document["mote"]["lost"],
        json!({"where": "ring_full", "ring": "bulk", "cpu": 3, "count": 12})
    );
}
