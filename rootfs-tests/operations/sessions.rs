//! Who logged in, and in which session a process is.

use crate::call::sys;
use crate::support::expect::{assert_complete, at};
use crate::support::runner::skip;
use crate::support::sensor::decode_until;
use crate::support::{Sensor, child, decode, require_live, scratch};
use serde_json::{Value, json};
use std::fs::{File, read_to_string, write};
use std::io::Read;
use std::path::Path;

/// No other test's, and nobody's here.
const LOGIN_UID: u32 = 424_242;

fn of<'a>(events: &'a [Value], pid: u32, action: &str) -> &'a Value {
    let is_it =
        |event: &&Value| at(event, "process.pid") == pid && at(event, "event.action") == action;
    events.iter().find(is_it).unwrap_or_else(|| panic!("no {action} of {pid}"))
}

/// A child that begins a session, and its child.
pub fn a_session_is_its_leaders() {
    require_live();
    let (_guard, dir) = scratch();
    let pid_file = dir.join("pid");
    let sensor = Sensor::start_to_file(&dir);
    let leader = child::fork(|| {
        sys!(SYS_setsid);
        let member = child::fork(|| child::exec(Path::new("/bin/true"), &[b"true"]));
        child::ends_with(member, 0);
        write(&pid_file, member.to_string()).unwrap();
        0
    });
    child::ends_with(leader, 0);
    sensor.leave();
    let member: u32 = read_to_string(&pid_file).unwrap().parse().unwrap();
    // 0 where process 1 has begun none.
    let own = match sys!(SYS_getsid, 0).value {
        0 => Value::Null,
        own => own.into(),
    };
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let session = |pid, action| at(of(&events, pid, action), "process.session_leader");
    for action in ["fork", "setsid"] {
        assert_eq!(*at(session(leader, action), "pid"), own, "{action}");
    }
    assert_eq!(at(of(&events, leader, "setsid"), "mote.return"), leader);
    let id = at(of(&events, leader, "exit"), "process.entity_id");
    let expected = json!({"pid": leader, "entity_id": id});
    for (pid, action) in [(leader, "exit"), (member, "fork"), (member, "exec"), (member, "exit")] {
        assert_eq!(session(pid, action), &expected, "{action} of {pid}");
    }
}

/// As a login does: a child writes its login uid, makes another process, and lives on.
pub fn a_login_uid_is_told_once_it_is_written() {
    require_live();
    if !Path::new("/proc/self/loginuid").exists() {
        skip("this kernel has no login uids");
    }
    let (_guard, dir) = scratch();
    let file = |name: &str| dir.join(name);
    let sensor = Sensor::start_to_file(&dir);
    let before = child::fork(|| 0);
    child::ends_with(before, 0);
    let (mut gate, opened) = std::io::pipe().unwrap();
    let login = child::fork(|| {
        if write("/proc/self/loginuid", LOGIN_UID.to_string()).is_err() {
            return 3;
        }
        write(file("session"), read_to_string("/proc/self/sessionid").unwrap()).unwrap();
        let shell = child::fork(|| child::exec(Path::new("/bin/true"), &[b"true"]));
        child::ends_with(shell, 0);
        write(file("pid"), shell.to_string()).unwrap();
        gate.read_exact(&mut [0]).unwrap();
        drop(File::create(file("later")).unwrap());
        0
    });
    let shell = || read_to_string(file("pid")).ok()?.parse::<u32>().ok();
    decode_until(&Sensor::records(&dir), |events| {
        let is_end = |event: &Value, pid: u32| {
            at(event, "process.pid") == pid && at(event, "event.action") == "exit"
        };
        events
            .iter()
            .any(|event| is_end(event, login) || shell().is_some_and(|shell| is_end(event, shell)))
    });
    std::io::Write::write_all(&mut { opened }, b"x").unwrap();
    let status = child::wait(login);
    sensor.leave();
    if libc::WEXITSTATUS(status) == 3 {
        skip("login uids cannot be changed here");
    }
    assert_eq!(status, 0);
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let audit_session = read_to_string(file("session")).unwrap();
    let shell = shell().unwrap();
    for (pid, action) in [(shell, "exec"), (shell, "exit"), (login, "exit")] {
        let event = of(&events, pid, action);
        assert_eq!(at(event, "user.audit.id"), &LOGIN_UID.to_string(), "{event}");
        assert_eq!(at(event, "auditd.session"), &audit_session, "{event}");
    }
    assert_ne!(at(of(&events, before, "exit"), "user.audit.id"), &LOGIN_UID.to_string());
    assert_ne!(at(of(&events, login, "fork"), "user.audit.id"), &LOGIN_UID.to_string());
}
