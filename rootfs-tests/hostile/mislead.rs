//! Attempts to have something else seen than what was done.

use crate::support::expect::{assert_complete, at};
use crate::support::runner::Test;
use crate::support::sys::{c, sys};
use crate::support::{Sensor, child, decode, require_live, scratch};
use crate::{by, exclude, marked, only};
use serde_json::json;
use std::fs::{self, copy, create_dir, read_to_string, write};
use std::path::Path;

pub const TESTS: &[Test] = &[
    ("kernel_memory_stays_out", kernel_memory_stays_out),
    ("a_cut_directory_poses_as_nothing", a_cut_directory_poses_as_nothing),
    ("dot_dot_leads_out_of_no_exclusion", dot_dot_leads_out_of_no_exclusion),
    ("an_interrupted_call_is_marked", an_interrupted_call_is_marked),
];

/// Addresses of the kernel where a name, an argument or an address should be: old read
/// helpers read them too.
fn kernel_memory_stays_out() {
    require_live();
    // "Linux version …": a string that anybody would recognize.
    let symbols = read_to_string("/proc/kallsyms").unwrap_or_default();
    let banner = symbols.lines().find(|line| line.ends_with(" linux_banner"));
    let banner = banner.and_then(|line| usize::from_str_radix(line.split(' ').next()?, 16).ok());
    let banner = banner.filter(|address| *address != 0).unwrap_or(0xffff_ffff_8200_0000);
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let rename = child::fork(|| {
        sys!(SYS_renameat2, libc::AT_FDCWD, banner, libc::AT_FDCWD, banner, 0).check(libc::EFAULT);
        0
    });
    let exec = child::fork(|| {
        let name = c("/bin/true");
        let args = [banner, 0];
        sys!(SYS_execve, name.as_ptr(), args.as_ptr(), &raw const args[1]).check(libc::EFAULT);
        sys!(SYS_execve, name.as_ptr(), banner, &raw const args[1]).check(libc::EFAULT);
        0
    });
    let connect = child::fork(|| {
        let socket = sys!(SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 0).value;
        sys!(SYS_connect, socket, banner, 16).check(libc::EFAULT);
        0
    });
    for pid in [rename, exec, connect] {
        child::ends_with(pid, 0);
    }
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let renamed = only(&events, rename, "rename");
    assert!(marked(renamed, "path_unread") && marked(renamed, "from_unread"), "{renamed}");
    assert!(at(renamed, "file.path").is_null(), "{renamed}");
    assert!(at(renamed, "file.Ext.original.path").is_null(), "{renamed}");
    let execs = by(&events, exec, "exec");
    assert_eq!(execs.len(), 2);
    for attempt in execs {
        assert!(marked(attempt, "args_unread"), "{attempt}");
        let args = at(attempt, "process.args").as_array().cloned().unwrap_or_default();
        assert!(args.iter().all(|arg| arg == ""), "{attempt}");
    }
    assert!(marked(only(&events, connect, "connect"), "address_unread"));
    assert_complete(&events);
}

/// A directory whose name is cut where it still looks like that of an excluded program.
fn a_cut_directory_poses_as_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    for name in ["excluded", "evil"] {
        create_dir(dir.join(name)).unwrap();
        copy("/bin/true", dir.join(name).join("make")).unwrap();
    }
    let excluded = dir.join("excluded/make");
    let config = exclude(json!({"$type": "excludedFileName", "name": excluded}));
    let sensor = Sensor::start_configured(&dir, &config);
    let honest = child::fork(|| child::exec(&excluded, &[b"make"]));
    child::ends_with(honest, 0);
    let evil = child::fork(|| {
        let long = format!("{}/excluded{}/../evil", dir.display(), "/.".repeat(600));
        sys!(SYS_chdir, c(long).as_ptr()).check(0);
        child::exec(Path::new("./make"), &[b"make"])
    });
    child::ends_with(evil, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert!(by(&events, honest, "exec").is_empty(), "the exclusion works");
    let exec = only(&events, evil, "exec");
    assert_ne!(at(exec, "process.executable"), excluded.to_str().unwrap(), "{exec}");
    assert!(marked(exec, "executable_unresolved"), "{exec}");
    only(&events, evil, "exit");
}

fn dot_dot_leads_out_of_no_exclusion() {
    require_live();
    let (_guard, dir) = scratch();
    create_dir(dir.join("build")).unwrap();
    let config =
        exclude(json!({"$type": "excludedPath", "isDirectory": true, "path": dir.join("build")}));
    let sensor = Sensor::start_configured(&dir, &config);
    let made = child::fork(|| {
        write(dir.join("build/a"), "").unwrap();
        write(dir.join("build/../secret"), "").unwrap();
        std::env::set_current_dir(dir.join("build")).unwrap();
        write("b", "").unwrap();
        write("../secret", "").unwrap();
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let paths: Vec<&str> =
        by(&events, made, "open").iter().filter_map(|e| at(e, "file.path").as_str()).collect();
    let expected = dir.join("build/../secret").display().to_string();
    assert_eq!(paths, [&expected, &expected]);
}

/// What the kernel returns inside for a call that it may start again is no result.
fn an_interrupted_call_is_marked() {
    require_live();
    let (_guard, dir) = scratch();
    let fifo = dir.join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        interrupt_after_50_ms();
        // Nobody reads it.
        let fifo = c(&fifo);
        sys!(SYS_openat, libc::AT_FDCWD, fifo.as_ptr(), libc::O_WRONLY, 0).check(libc::EINTR);
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let open = only(&events, made, "open");
    assert_eq!(at(open, "mote.return"), -libc::EINTR, "{open}");
    assert!(marked(open, "interrupted"), "{open}");
    assert!(fs::metadata(&fifo).is_ok());
}

/// A signal with a handler that does nothing and starts no call again.
#[allow(unsafe_code)]
fn interrupt_after_50_ms() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler is safe in a signal; both structs are whole and outlive the calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
        let mut timer: libc::itimerval = std::mem::zeroed();
        timer.it_value.tv_usec = 50_000;
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}
