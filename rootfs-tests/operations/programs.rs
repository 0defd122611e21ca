//! What a program is that is executed: without a file, from where, and by which words.

use crate::call::sys;
use crate::support::child::{self, pointers, strings};
use crate::support::expect::{assert_complete, at};
use crate::support::runner::skip;
use crate::support::sensor::decode_until;
use crate::support::{Sensor, decode, require_live, scratch};
use libc::{AT_EMPTY_PATH, c_char};
use serde_json::{Value, json};
use std::fs;
use std::io::{PipeReader, pipe};
use std::os::fd::AsRawFd;
use std::path::Path;

fn exec_of(events: &[Value], pid: u32) -> Option<&Value> {
    let is_it =
        |event: &&Value| at(event, "process.pid") == pid && at(event, "event.action") == "exec";
    events.iter().find(is_it)
}

/// In a child: executes the shell, in a file in memory or in one that is removed, which ends with
/// 0 when `gate` is closed. Returns only if that fails.
fn execute(fd: i32, gate: &PipeReader, by_path: bool) -> i32 {
    sys!(SYS_dup3, gate.as_raw_fd(), 0, 0);
    let args = strings(&[b"sh", b"-c", b"read -r line; exit 0"]);
    let args = pointers(&args);
    let env = [std::ptr::null::<c_char>()];
    if !by_path {
        sys!(SYS_execveat, fd, c"".as_ptr(), args.as_ptr(), env.as_ptr(), AT_EMPTY_PATH);
        // Before 3.19 there is but the other way.
    }
    let path = std::ffi::CString::new(format!("/proc/self/fd/{fd}")).unwrap();
    sys!(SYS_execve, path.as_ptr(), args.as_ptr(), env.as_ptr());
    127
}

/// A copy of the shell in a file in memory.
fn in_memory(name: &std::ffi::CStr, program: &Path) -> i32 {
    let fd = sys!(SYS_memfd_create, name.as_ptr(), 0).value as i32;
    fs::write(format!("/proc/self/fd/{fd}"), fs::read(program).unwrap()).unwrap();
    fd
}

fn has_memfd() -> bool {
    let fd = sys!(SYS_memfd_create, c"".as_ptr(), 0).value;
    fd >= 0 && sys!(SYS_close, fd).value == 0
}

pub fn programs_without_a_file_are_told_apart() {
    require_live();
    if !has_memfd() {
        skip("this kernel has no memfd_create");
    }
    let (_guard, dir) = scratch();
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    let removed = dir.join("removed");
    fs::copy(&shell, &removed).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let (gate, opened) = pipe().unwrap();
    let by_descriptor = child::fork(|| execute(in_memory(c"hidden", &shell), &gate, false));
    let by_path = child::fork(|| execute(in_memory(c"hidden", &shell), &gate, true));
    let of_a_removed_file = child::fork(|| {
        let file = fs::File::open(&removed).unwrap();
        // The last of them that has it open.
        fs::remove_file(&removed).unwrap();
        execute(file.as_raw_fd(), &gate, true)
    });
    let of_a_file = child::fork(|| {
        let file = fs::File::open(&shell).unwrap();
        execute(file.as_raw_fd(), &gate, true)
    });
    // Nobody can look it up: its input is at its end.
    let short = child::fork(|| {
        let (ended, _) = pipe().unwrap();
        execute(in_memory(c"hidden", &shell), &ended, false)
    });
    let living = [by_descriptor, by_path, of_a_removed_file, of_a_file];
    let all_executed = |events: &[Value]| living.iter().all(|pid| exec_of(events, *pid).is_some());
    decode_until(&Sensor::records(&dir), all_executed);
    drop(opened);
    for pid in living.into_iter().chain([short]) {
        child::ends_with(pid, 0);
    }
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let of = |pid| exec_of(&events, pid).expect("an exec");
    let removed = removed.display().to_string();
    let shell = shell.display().to_string();
    for (pid, executable, kind) in [
        (by_descriptor, "/memfd:hidden", json!("memfd")),
        (by_path, "/memfd:hidden", json!("memfd")),
        (of_a_removed_file, removed.as_str(), json!("deleted")),
        (of_a_file, shell.as_str(), Value::Null),
    ] {
        for event in events.iter().filter(|event| at(event, "process.pid") == pid) {
            if !["exec", "exit"].contains(&at(event, "event.action").as_str().unwrap()) {
                continue;
            }
            assert_eq!(at(event, "process.executable"), executable, "{event}");
            assert_eq!(at(event, "mote.executable_kind"), &kind, "{event}");
            assert_eq!(at(event, "mote.flags"), &json!(["executable_unresolved"]), "{event}");
        }
    }
    assert_eq!(at(of(short), "mote.executable_kind"), "memfd", "{}", of(short));
    let fork = events.iter().find(|event| at(event, "process.pid") == by_path).unwrap();
    assert!(at(fork, "mote.executable_kind").is_null(), "{fork}");
}

/// Where a program is executed, and how.
pub fn an_exec_tells_its_directory_and_its_words() {
    require_live();
    let (_guard, dir) = scratch();
    let below = dir.join("below");
    fs::create_dir(&below).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let run = || child::exec(Path::new("/bin/true"), &[b"true", b"two words", b"-x"]);
    let here = child::fork(run);
    child::ends_with(here, 0);
    let there = child::fork(|| {
        std::env::set_current_dir(&below).unwrap();
        run()
    });
    child::ends_with(there, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    let own = std::env::current_dir().unwrap();
    for (pid, directory) in [(here, own), (there, below)] {
        let exec = exec_of(&events, pid).expect("an exec");
        assert_eq!(at(exec, "process.working_directory"), &directory.display().to_string());
        assert_eq!(at(exec, "process.command_line"), "true two words -x");
    }
}
