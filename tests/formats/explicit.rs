//! Events whose form is a decision: what `docs/formats.md` says of them.

use crate::common::{bytes, context};
use crate::readers;
use mote::event::{Action, Endpoint, Event, Flags, Given, Loss, LossPlace, Transport};
use mote::format::Format;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn event(action: Action, ret: i64) -> Event {
    let mut event = Event::new();
    (event.action, event.ret) = (action, Some(ret));
    (event.pid, event.tid, event.ppid, event.start) = (42, 42, Some(1), Some(7));
    (event.uid, event.gid) = (1000, 100);
    event.executable = bytes(b"/usr/bin/vi");
    event.lineage.parent_executable = bytes(b"/bin/sh");
    event
}

fn line(format: Format, event: &Event) -> Option<String> {
    crate::line(format, &context().origin(), event)
}

fn ocsf(event: &Event) -> Value {
    serde_json::from_str(&line(Format::Ocsf, event).unwrap()).unwrap()
}

/// The fields of Sysmon's event, with its id as `EventID`.
fn sysmon(event: &Event) -> Option<BTreeMap<String, String>> {
    let read = readers::xml(&line(Format::Sysmon, event)?);
    let data = &read.child("EventData").children;
    let id = ("EventID".to_owned(), read.child("System").child("EventID").text.clone());
    Some(data.iter().map(|d| (d.attributes[0].1.clone(), d.text.clone())).chain([id]).collect())
}

fn sysmon_id(event: &Event) -> Option<String> {
    Some(sysmon(event)?["EventID"].clone())
}

#[test]
fn of_an_exec_actor_and_process_are_one() {
    let mut exec = event(Action::Exec, 0);
    exec.path = exec.executable.clone();
    let document = ocsf(&exec);
    let (actor, process) = (&document["actor"]["process"], &document["process"]);
    assert_eq!((&actor["pid"], &process["pid"]), (&json!(42), &json!(42)));
    assert_eq!(actor.get("file"), None, "what it was is not known");
    assert_eq!(process["file"]["path"], "/usr/bin/vi");
    assert_eq!(document["launch_type_id"], 3);
    // One that fails stays what it is.
    (exec.ret, exec.path) = (Some(-2), bytes(b"/opt/missing"));
    let document = ocsf(&exec);
    assert_eq!(document["actor"]["process"]["file"]["path"], "/usr/bin/vi");
    assert_eq!(document["process"]["file"]["path"], "/opt/missing");
    assert_eq!(document["process"]["name"], "missing");
    assert_eq!((&document["status_id"], &document["status_code"]), (&json!(2), &json!("ENOENT")));
}

#[test]
fn of_a_fork_the_actor_is_the_parent() {
    let document = ocsf(&event(Action::Fork, 42));
    assert_eq!(document["actor"]["process"]["pid"], 1);
    assert_eq!(document["actor"]["process"]["file"]["path"], "/bin/sh");
    assert_eq!(document["process"]["pid"], 42);
    assert_eq!(document["launch_type_id"], 2);
}

#[test]
fn a_rename_has_the_file_and_its_result() {
    let mut rename = event(Action::Rename, 0);
    (rename.path, rename.from) = (bytes(b"/etc/new"), bytes(b"/etc/old"));
    let document = ocsf(&rename);
    assert_eq!(document["file"], json!({"name": "old", "path": "/etc/old", "type_id": 0}));
    assert_eq!(document["file_result"], json!({"name": "new", "path": "/etc/new", "type_id": 0}));
    assert_eq!(document["type_uid"], 100_105);
}

#[test]
fn a_set_user_id_has_the_new_one_unless_refused() {
    let mut setuid = event(Action::Setuid, 0);
    setuid.given = Some(Given::Ids([Some(0), Some(5), None]));
    assert_eq!(ocsf(&setuid)["process"]["euid"], 5);
    setuid.ret = Some(-1);
    assert_eq!(ocsf(&setuid)["process"].get("euid"), None);
    (setuid.action, setuid.ret) = (Action::Setgid, Some(0));
    assert_eq!(ocsf(&setuid)["process"]["egid"], 5);
}

#[test]
fn a_trace_opens_injects_or_ends_a_process() {
    let mut ptrace = event(Action::Ptrace, 0);
    ptrace.given = Some(Given::Process(7));
    for (request, activity) in [(16, 3), (0x4206, 3), (5, 4), (13, 4), (0x4205, 4), (8, 2)] {
        ptrace.call_flags = Some(request);
        assert_eq!(ocsf(&ptrace)["activity_id"], activity, "{request:#x}");
        assert_eq!(ocsf(&ptrace)["process"], json!({"pid": 7}));
    }
    // process_vm_writev
    (ptrace.syscall, ptrace.call_flags) = (Some(311), None);
    assert_eq!(ocsf(&ptrace)["activity_id"], 4);
    assert_eq!(sysmon(&ptrace).unwrap()["TargetProcessId"], "7");
    // PTRACE_TRACEME names nobody: its parent may trace it.
    (ptrace.syscall, ptrace.call_flags) = (Some(101), Some(0));
    ptrace.given = Some(Given::Process(0));
    assert_eq!(ocsf(&ptrace)["process"], json!({"pid": 42}));
    ptrace.given = None;
    assert_eq!(ocsf(&ptrace)["class_uid"], 0);
    assert_eq!(sysmon(&ptrace), None);
}

#[test]
fn a_signal_ends_the_sensor_or_not() {
    let mut kill = event(Action::Kill, 0);
    kill.given = Some(Given::Process(7));
    for (signal, activity) in [(15, 2), (9, 2), (2, 2), (1, 99), (18, 99), (19, 99)] {
        kill.call_flags = Some(signal);
        assert_eq!(ocsf(&kill)["activity_id"], activity, "{signal}");
    }
}

#[test]
fn a_connect_has_its_ends() {
    let mut connect = event(Action::Connect, 0);
    connect.peer = Some(Endpoint::V4([192, 0, 2, 1].into(), 443));
    connect.transport = Some(Transport::Tcp);
    let document = ocsf(&connect);
    assert_eq!(document["dst_endpoint"], json!({"ip": "192.0.2.1", "port": 443}));
    assert_eq!(document["src_endpoint"], json!({"hostname": "gate"}));
    let (_, pairs) = readers::cef(&line(Format::Cef, &connect).unwrap());
    assert_eq!((pairs["dst"].as_str(), pairs["dpt"].as_str()), ("192.0.2.1", "443"));
    let told = sysmon(&connect).unwrap();
    assert_eq!((told["SourceIp"].as_str(), told["SourcePort"].as_str()), ("-", "0"));
    assert_eq!((told["Protocol"].as_str(), told["Initiated"].as_str()), ("tcp", "true"));
    assert_eq!(told["SourceIsIpv6"], "false");
    connect.peer = Some(Endpoint::V6(core::net::Ipv6Addr::LOCALHOST, 53));
    let (_, pairs) = readers::cef(&line(Format::Cef, &connect).unwrap());
    assert_eq!((pairs.get("dst"), pairs["c6a3"].as_str()), (None, "::1"));
    assert_eq!(pairs["c6a3Label"], "Destination IPv6 Address");
    assert_eq!(sysmon(&connect).unwrap()["SourceIsIpv6"], "true", "as the other end");
    // EINPROGRESS, ECONNREFUSED, EHOSTUNREACH.
    for (ret, activity, id) in [(-115, 1, Some("3")), (-111, 5, None), (-113, 4, None)] {
        connect.ret = Some(ret);
        assert_eq!(ocsf(&connect)["activity_id"], activity, "{ret}");
        assert_eq!(sysmon_id(&connect).as_deref(), id, "{ret}");
    }
    (connect.ret, connect.peer, connect.path) = (Some(0), Some(Endpoint::Unix), bytes(b"\0bus"));
    assert_eq!(ocsf(&connect)["dst_endpoint"], json!({"name": "@bus"}));
    assert_eq!(sysmon(&connect), None);
    let text = line(Format::Text, &connect).unwrap();
    assert!(text.contains(r#" destination_address="\x00bus""#), "{text}");
}

#[test]
fn sysmon_tells_of_names_that_came_about() {
    let mut open = event(Action::Open, 3);
    open.path = bytes(b"/tmp/x");
    for (flags, id) in [
        (Some(0o1), None),
        (Some(0o101), Some("11")),
        (Some(0o301), Some("11")),
        (Some(0o20200002), None),
        (None, None),
    ] {
        open.call_flags = flags;
        assert_eq!(sysmon_id(&open).as_deref(), id, "{flags:?}");
    }
    (open.call_flags, open.ret) = (Some(0o101), Some(-13));
    assert_eq!(sysmon(&open), None, "it failed");
    open.flags.insert(Flags::RESULT_UNKNOWN);
    assert_eq!(sysmon_id(&open).as_deref(), Some("11"), "whether it failed is not known");
    for (action, id) in [
        (Action::Mknod, Some("11")),
        (Action::Link, Some("11")),
        (Action::Symlink, Some("11")),
        (Action::Mkdir, None),
        (Action::Rename, None),
        (Action::Unlink, Some("23")),
        (Action::Rmdir, None),
    ] {
        open.action = action;
        assert_eq!(sysmon_id(&open).as_deref(), id, "{action:?}");
    }
}

#[test]
fn sysmon_tells_of_an_exec_once() {
    let mut exec = event(Action::Exec, 0);
    exec.args = bytes(b"vi\0a <b>\0");
    let told = sysmon(&exec).unwrap();
    assert_eq!(told["CommandLine"], "vi a <b>");
    assert_eq!((told["ParentImage"].as_str(), told["User"].as_str()), ("/bin/sh", "1000"));
    exec.ret = Some(-2);
    assert_eq!(sysmon(&exec), None);
    // The success comes by itself.
    exec.flags.insert(Flags::RESULT_UNKNOWN);
    assert_eq!(sysmon(&exec), None);
}

#[test]
fn a_loss_is_sysmons_error() {
    let mut loss = Event::new();
    loss.loss = Some(Loss {
        place: LossPlace::RingFull,
        class: None,
        cpu: Some(3),
        receiver: None,
        count: 12,
    });
    let told = sysmon(&loss).unwrap();
    assert_eq!((told["EventID"].as_str(), told["ID"].as_str()), ("255", "ring_full"));
    assert_eq!(told["Description"], "events missing: 12, ring: any, cpu: 3, receiver: any");
}
