use serde_json::{Value, json};

use super::*;
use crate::event::{Flags, Loss, LossPlace, Truncated};
use crate::record::Provider;

const ORIGIN: Origin<'static> = Origin {
    boot_id: [0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255],
    start_ns: 1,
    hostname: b"gw1",
    arch: Some(Arch::X86_64),
    provider: Some(Provider::Ebpf),
};

fn event(action: Action) -> Event {
    let mut event = Event::new();
    (event.action, event.sequence, event.time_ns) = (action, 9, 1_700_000_000_000_000_001);
    (event.pid, event.tid, event.ppid, event.uid, event.gid) = (10, 11, Some(1), 1000, 100);
    event.comm.extend_from_slice(b"sh").unwrap();
    event.executable.extend_from_slice(b"/bin/sh").unwrap();
    event.ret = Some(0);
    event
}

fn document(event: &Event) -> Value {
    let mut line = Vec::new();
    write(&ORIGIN, event, &mut line).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn a_rename_in_full() {
    let mut event = event(Action::Rename);
    event.syscall = Some(82);
    event.path.extend_from_slice(b"/tmp/new").unwrap();
    event.from.extend_from_slice(b"/tmp/old\n").unwrap();
    event.flags.insert(Flags::READ_LATE);
    event.truncated.insert(Truncated::FROM);
    let expected = json!({
        "@timestamp": "2023-11-14T22:13:20.000000001Z",
        "ecs": {"version": "8.17.0"},
        "event": {"kind": "event", "category": ["file"], "type": ["change"], "action": "rename",
                  "sequence": 9, "provider": "ebpf", "outcome": "success"},
        "host": {"hostname": "gw1", "boot": {"id": "00112233-4455-6677-8899-aabbccddeeff"}},
        "process": {"pid": 10, "parent": {"pid": 1}, "executable": "/bin/sh", "name": "sh",
                    "user": {"id": "1000"}, "group": {"id": "100"}, "thread": {"id": 11}},
        "file": {"path": "/tmp/new", "Ext": {"original": {"path": "/tmp/old\n"}}},
        "mote": {"syscall": 82, "syscall_name": "rename", "return": 0, "flags": ["read_late"],
                 "truncated": ["file.Ext.original.path"]},
    });
    assert_eq!(document(&event), expected);
}

#[test]
fn an_exec_has_its_arguments_and_a_failed_one_what_was_tried() {
    let mut event = event(Action::Exec);
    event.args.extend_from_slice(b"ls\0\0-l\0").unwrap();
    event.args_count = Some(3);
    event.path.extend_from_slice(b"/bin/ls").unwrap();
    let exec = document(&event);
    assert_eq!(exec["process"]["args"], json!(["ls", "", "-l"]));
    assert_eq!(exec["process"]["args_count"], 3);
    assert!(exec.get("file").is_none());
    event.ret = Some(-2);
    let failed = document(&event);
    assert_eq!(failed["file"]["path"], "/bin/ls");
    assert_eq!(failed["event"]["outcome"], "failure");
    for (bytes, args) in [(&b""[..], json!([])), (b"\0", json!([""])), (b"cut", json!(["cut"]))] {
        event.args = crate::event::Bytes::from_slice(bytes).unwrap();
        assert_eq!(document(&event)["process"]["args"], args);
    }
}

#[test]
fn an_exit_has_a_code_or_a_signal() {
    let mut event = event(Action::Exit);
    event.ret = None;
    for (status, code, signal, core) in
        [(0x300, 3, None, None), (9, 137, Some(9), Some(false)), (0x8b, 139, Some(11), Some(true))]
    {
        event.exit_status = Some(status);
        let exit = document(&event);
        assert_eq!(exit["process"]["exit_code"], code);
        assert_eq!(exit["mote"].get("exit_signal"), signal.map(Value::from).as_ref());
        assert_eq!(exit["mote"].get("core_dumped"), core.map(Value::from).as_ref());
        assert!(exit["event"].get("outcome").is_none());
    }
}

#[test]
fn destinations_of_every_family() {
    let mut event = event(Action::Connect);
    event.transport = Transport::Tcp;
    event.ret = Some(-EINPROGRESS);
    event.peer = Some(Endpoint::V4([127, 0, 0, 1].into(), 80));
    let inet = document(&event);
    let expected = json!({"address": "127.0.0.1", "ip": "127.0.0.1", "port": 80});
    assert_eq!(inet["destination"], expected);
    let expected = json!({"transport": "tcp", "type": "ipv4", "direction": "egress"});
    assert_eq!(inet["network"], expected);
    assert_eq!(inet["event"]["outcome"], "unknown");
    event.peer = Some(Endpoint::V6(std::net::Ipv6Addr::LOCALHOST, 80));
    assert_eq!(document(&event)["destination"]["ip"], "::1");
    event.peer = Some(Endpoint::Unix);
    event.path.extend_from_slice(b"\0name").unwrap();
    assert_eq!(document(&event)["destination"], json!({"address": "@name"}));
    event.peer = Some(Endpoint::Other(16));
    let other = document(&event);
    assert_eq!(other["network"]["type"], "af_16");
    assert!(other.get("destination").is_none() && other.get("file").is_none());
}

#[test]
fn an_open_is_a_creation_only_if_it_must_have_been_one() {
    let mut event = event(Action::Open);
    event.mode = Some(0o644);
    for (flags, kind) in [(0o1, "change"), (0o101, "change"), (0o301, "creation")] {
        event.call_flags = Some(flags);
        assert_eq!(document(&event)["event"]["type"], json!([kind]));
    }
    let open = document(&event);
    assert_eq!(open["file"], json!({"mode": "0644"}));
    assert_eq!(open["mote"]["open_flags"], json!(["O_WRONLY", "O_CREAT", "O_EXCL"]));
}

#[test]
fn bytes_that_are_not_text_are_kept_beside_it() {
    let mut event = event(Action::Unlink);
    event.path.extend_from_slice(b"/tmp/\xff\x01\"").unwrap();
    let unlink = document(&event);
    assert_eq!(unlink["file"]["path"], "/tmp/\u{fffd}\u{1}\"");
    assert_eq!(unlink["mote"]["bytes"], json!({"file.path": "2f746d702fff0122"}));
}

#[test]
fn a_loss_says_where_and_how_many() {
    let mut event = Event::new();
    let (class, cpu) = (Some(Class::Bulk), Some(1));
    event.loss = Some(Loss { place: LossPlace::RingFull, class, cpu, count: 12 });
    let loss = document(&event);
    let expected = json!({"ring": "bulk", "cpu": 1, "count": 12, "where": "ring_full"});
    assert_eq!(loss["mote"]["lost"], expected);
    assert!(loss.get("process").is_none());
    assert_eq!(loss["event"]["category"], json!(["host"]));
}
