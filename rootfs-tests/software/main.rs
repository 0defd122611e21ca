//! Software that people run, while the sensor watches: its events compared with what strace(1) saw
//! of the same run, call by call.

#[path = "../support/mod.rs"]
mod support;

mod truth;

use mote::filter::DEFAULTS;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use support::expect::{assert_complete, at};
use support::runner::skip;
use support::{Sensor, decode, require_live, require_program, scratch};
use truth::Call;

fn main() -> ExitCode {
    support::runner::run(&[
        ("a_package_is_installed", a_package_is_installed),
        ("a_repository_is_cloned", a_repository_is_cloned),
        ("a_program_is_built", a_program_is_built),
        ("a_web_server_works", a_web_server_works),
        ("a_database_starts", a_database_starts),
        ("a_container_starts", a_container_starts),
    ])
}

/// The calls that are compared. Sends are not: each is told once.
const COMPARED: &[&str] = &[
    "execve",
    "execveat",
    "open",
    "openat",
    "openat2",
    "creat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "truncate",
    "ftruncate",
    "utime",
    "utimes",
    "utimensat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "setuid",
    "setreuid",
    "setresuid",
    "setgid",
    "setregid",
    "setresgid",
    "setgroups",
    "setsid",
    "mount",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "open_tree",
    "mount_setattr",
    "umount2",
    "unshare",
    "setns",
    "memfd_create",
];

/// What makes processes.
const MAKING: &[&str] = &["clone", "clone3", "fork", "vfork"];

/// Runs a command under strace and the sensor, and compares.
fn watch(command: &str) {
    require_live();
    let strace = require_program("strace");
    let (_guard, dir) = scratch();
    let log = dir.join("strace.log");
    let work = dir.join("work");
    fs::create_dir(&work).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let trace = format!("trace={}", [COMPARED, MAKING].concat().join(","));
    let mut traced = Command::new(strace);
    traced.args(["-f", "-qq", "-y", "-xx", "-s", "4096", "-e", &trace, "-o"]).arg(&log);
    traced.args(["/bin/sh", "-e", "-c", command]).current_dir(&work).stdin(Stdio::null());
    let output = traced.output().unwrap();
    sensor.leave();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = truth::calls(&fs::read_to_string(&log).unwrap());
    let events = decode(&Sensor::records(&dir));
    assert_complete(&events);
    compare(&calls, &events);
}

/// apt(8) and dpkg(1), which is what installs it.
fn a_package_is_installed() {
    require_program("apt-get");
    watch(
        "apt-get -qq -y install --reinstall hello >/dev/null
         hello >/dev/null",
    );
}

fn a_repository_is_cloned() {
    require_program("git");
    watch(
        "git init -q a
         cd a
         git config user.name a; git config user.email a@example.org
         for n in 1 2 3 4 5 6 7 8 9 10; do
             echo $n >file$n; mkdir -p d$n; echo $n >d$n/file
             git add .; git commit -q -m $n
         done
         cd ..
         git clone -q a b
         git -C b gc -q",
    );
}

fn a_program_is_built() {
    require_program("make");
    require_program("gcc");
    watch(
        "for n in $(seq 40); do echo \"int f$n(void) { return $n; }\" >f$n.c; done
         echo 'int main(void) { return 0; }' >main.c
         printf '%s\\n' 'all: $(patsubst %.c,%.o,$(wildcard *.c))' '\t$(CC) -o all $^' >Makefile
         make -s -j4
         ./all",
    );
}

fn a_web_server_works() {
    require_program("nginx");
    require_program("curl");
    watch(
        "mkdir logs
         echo hello >index.html
         printf '%s\\n' 'daemon off; worker_processes 2; pid nginx.pid; error_log logs/e;' \
             'events { worker_connections 64; }' \
             'http { access_log logs/a; server { listen 127.0.0.1:18080; root .; } }' >nginx.conf
         nginx -p . -c nginx.conf &
         until curl -s -o /dev/null 127.0.0.1:18080; do sleep 0.1; done
         for n in $(seq 20); do
             curl -s -o /dev/null -o /dev/null -o /dev/null 127.0.0.1:18080/index.html \
                 127.0.0.1:18080/absent 127.0.0.1:18080/index.html
         done
         kill $(cat nginx.pid)
         wait",
    );
}

fn a_database_starts() {
    require_program("setpriv");
    // Debian has it where no path leads to.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let bin = versions.map(|version| version.path().join("bin")).max();
    let bin = bin.unwrap_or_else(|| skip("PostgreSQL is not installed"));
    watch(&format!(
        "chmod 755 $PWD $(dirname $PWD)
         mkdir db; chown nobody db
         as='setpriv --reuid=nobody --regid=nogroup --clear-groups'
         bin={}
         $as $bin/initdb -D db --no-sync >/dev/null
         $as $bin/pg_ctl -s -D db -w -o '-k . -p 15432' -l db/log start
         $as $bin/psql -q -h $PWD/db -p 15432 postgres -c 'create table t (n int)'
         $as $bin/pg_ctl -s -D db -m fast stop",
        bin.display()
    ));
}

/// Namespaces of its own, and another root directory.
fn a_container_starts() {
    require_program("unshare");
    let busybox = require_program("busybox");
    watch(&format!(
        "mkdir -p root/bin root/proc root/tmp
         cp {} root/bin/busybox
         unshare --mount --pid --uts --ipc --fork --kill-child sh -e -c '
             mount -t tmpfs none root/tmp
             mount -t proc none root/proc
             exec chroot root /bin/busybox sh -e -c \"
                 cd /tmp
                 for n in 1 2 3 4 5 6 7 8 9 10; do
                     /bin/busybox mkdir /tmp/d\\$n
                     /bin/busybox touch /tmp/d\\$n/x
                     /bin/busybox mv /tmp/d\\$n/x /tmp/x\\$n
                 done
             \"
         '",
        busybox.display()
    ));
}

/// Every call of the kinds that are told has its event, and the other way around; with its path,
/// its arguments and its parent.
fn compare(calls: &[Call], events: &[Value]) {
    let tids: BTreeSet<u64> = calls.iter().map(|call| call.tid.into()).collect();
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    for call in calls.iter().filter(|call| is_told(call)) {
        *balance.entry(expected(call)).or_default() += 1;
    }
    let theirs = |event: &&Value| {
        at(event, "process.thread.id").as_u64().is_some_and(|tid| tids.contains(&tid))
    };
    let named = |event: &&Value| {
        at(event, "mote.syscall_name").as_str().is_some_and(|name| COMPARED.contains(&name))
    };
    let told: Vec<&Value> = events.iter().filter(theirs).filter(named).collect();
    for event in &told {
        *balance.entry(seen(event)).or_default() -= 1;
    }
    let differ: Vec<String> = balance
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(line, count)| format!("{count:+} {line}"))
        .collect();
    let doubtful = told.iter().filter(|event| !marks(event).is_empty()).count();
    println!("{} calls, {} events, {doubtful} with marks", calls.len(), told.len());
    assert!(told.len() > 50, "only {} events", told.len());
    assert!(
        differ.is_empty(),
        "{} lines differ (+ missing, - unexpected):\n{}",
        differ.len(),
        differ[..differ.len().min(40)].join("\n")
    );
    parents_connect(calls, events);
}

/// Each process that was made is told, with who made it, so that each program leads to the one
/// process that all of them descend from.
fn parents_connect(calls: &[Call], events: &[Value]) {
    let number = |event: &Value, field: &str| at(event, field).as_u64();
    let pid_of: BTreeMap<u64, u64> = events
        .iter()
        .filter_map(|event| {
            Some((number(event, "process.thread.id")?, number(event, "process.pid")?))
        })
        .collect();
    let forks: BTreeMap<u64, u64> = events
        .iter()
        .filter(|event| at(event, "event.action") == "fork")
        .filter_map(|event| {
            Some((number(event, "process.pid")?, number(event, "process.parent.pid")?))
        })
        .collect();
    let tids: BTreeSet<u64> = calls.iter().map(|call| call.tid.into()).collect();
    let made = calls.iter().filter(|call| MAKING.contains(&&*call.name));
    let made = made.filter(|call| !call.args.contains("CLONE_THREAD"));
    // In another pid namespace the result is another number, which strace has not seen.
    for call in made.filter(|call| tids.contains(&(call.result as u64))) {
        let maker = u64::from(call.tid);
        let maker = pid_of.get(&maker).copied().unwrap_or(maker);
        assert_eq!(forks.get(&(call.result as u64)), Some(&maker), "{call:?}");
    }
    let mut ancestors = BTreeSet::new();
    for exec in events.iter().filter(|event| at(event, "event.action") == "exec") {
        let mut pid = number(exec, "process.pid").unwrap();
        if !tids.contains(&pid) || !forks.contains_key(&pid) {
            continue;
        }
        assert_eq!(number(exec, "process.parent.pid"), forks.get(&pid).copied(), "{exec}");
        while let Some(parent) = forks.get(&pid) {
            pid = *parent;
        }
        ancestors.insert(pid);
    }
    assert_eq!(ancestors.len(), 1, "{ancestors:?}");
}

fn is_told(call: &Call) -> bool {
    let writes = |flags: &str| {
        ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| flags.contains(flag))
    };
    let is_default = |path: &String| DEFAULTS.iter().any(|(_, default)| path == default);
    match &*call.name {
        // Those that are excluded on every host are not told.
        "open" | "openat" | "openat2" => {
            writes(&call.args) && !Call::strings(&call.args).iter().any(is_default)
        }
        "connect" | "bind" => !call.args.contains("AF_NETLINK"),
        "accept" | "accept4" => {
            call.result != -i64::from(libc::EAGAIN) && !call.args.contains("AF_UNIX")
        }
        // Else it is an open that gives nothing.
        "open_tree" => call.args.contains("OPEN_TREE_CLONE"),
        name => COMPARED.contains(&name),
    }
}

/// A call as a line.
fn expected(call: &Call) -> String {
    let args = call.split();
    let detail = match &*call.name {
        // What succeeds is told with the whole of its arguments; the event's are cut at 32.
        "execve" if call.result == 0 => {
            Call::strings(args[1]).into_iter().take(32).collect::<Vec<_>>().join("\u{1}")
        }
        "openat" | "unlinkat" | "mkdirat" | "mknodat" | "fchmodat" | "fchownat" => {
            Call::path(args[0], args[1]).unwrap_or_default()
        }
        "renameat" | "renameat2" | "linkat" => Call::path(args[2], args[3]).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{} {} = {} {detail}", call.tid, call.name, call.result)
}

fn marks(event: &Value) -> Vec<&str> {
    let marks = at(event, "mote.flags").as_array().into_iter().flatten();
    marks.filter_map(Value::as_str).filter(|mark| *mark != "read_late").collect()
}

/// An event as such a line.
fn seen(event: &Value) -> String {
    let name = at(event, "mote.syscall_name").as_str().unwrap();
    let result = at(event, "mote.return").as_i64().unwrap_or(i64::MIN);
    let path = || at(event, "file.path").as_str().unwrap_or_default().to_owned();
    let detail = match name {
        "execve" if result == 0 => {
            let args = at(event, "process.args").as_array().into_iter().flatten();
            args.filter_map(Value::as_str).collect::<Vec<_>>().join("\u{1}")
        }
        "openat" | "unlinkat" | "mkdirat" | "mknodat" | "fchmodat" | "fchownat" | "renameat"
        | "renameat2" | "linkat" => path(),
        _ => String::new(),
    };
    format!("{} {name} = {result} {detail}", at(event, "process.thread.id"))
}
