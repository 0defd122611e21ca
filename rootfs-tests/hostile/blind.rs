//! Attempts to keep events from being seen.

use crate::support::expect::{
    assert_complete, assert_complete_but_for_skips, assert_seen, at, skipped,
};
use crate::support::runner::{Test, skip};
use crate::support::sensor::decode_where;
use crate::support::sys::{c, sys};
use crate::support::{Sensor, child, decode, require_live, scratch};
use crate::{assert_executed, by, lost, marked, program, run_programs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, copy, write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("threads_that_die_in_exec_leave_no_slot_taken", threads_that_die_in_exec_leave_no_slot_taken),
    ("blocked_execs_hide_no_arguments", blocked_execs_hide_no_arguments),
    ("blocked_calls_hide_no_other_calls", blocked_calls_hide_no_other_calls),
    ("a_flood_of_chdir_hides_no_process", a_flood_of_chdir_hides_no_process),
    ("a_flood_of_failing_execs_hides_no_process", a_flood_of_failing_execs_hides_no_process),
    ("a_flood_of_files_hides_no_process", a_flood_of_files_hides_no_process),
    ("a_flood_of_files_in_memory_hides_no_process", a_flood_of_files_in_memory_hides_no_process),
];

/// An ELF file whose only segment lies in kernel memory: exec gets past the point of no
/// return, at which all other threads are dead, and then kills the caller.
fn deadly_elf(path: &Path) {
    const MACHINE: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    const KERNEL: u64 = 0xffff_8000_0000_0000;
    // Elf64_Ehdr, Elf64_Phdr: linux include/uapi/linux/elf.h.
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2, MACHINE] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes());
    for long in [KERNEL, 64, 0] {
        elf.extend(long.to_le_bytes());
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for word in [1u32, 5] {
        elf.extend(word.to_le_bytes());
    }
    for long in [0, KERNEL, KERNEL, 120, 120, 4096] {
        elf.extend(long.to_le_bytes());
    }
    write(path, elf).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn threads_that_die_in_exec_leave_no_slot_taken() {
    require_live();
    let (_guard, dir) = scratch();
    let (prog, deadly) = (program(&dir), dir.join("deadly"));
    deadly_elf(&deadly);
    let sensor = Sensor::start_to_file(&dir);
    // More than there are slots, at every place there is.
    for _ in 0..300 {
        let pid = child::fork(|| {
            thread::scope(|scope| scope.spawn(|| child::exec(&deadly, &[b"deadly"])).join())
                .unwrap()
        });
        assert!(libc::WIFSIGNALED(child::wait(pid)), "exec killed its caller");
    }
    let pids = run_programs(&prog, 100);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    assert_executed(&events, &pids);
    assert_complete(&events);
}

/// An exec of a file under a lease waits until its holder gives it up: any user can let as
/// many execs wait as there are slots.
fn blocked_execs_hide_no_arguments() {
    require_live();
    let (_guard, dir) = scratch();
    let prog = program(&dir);
    let leased = dir.join("leased");
    copy("/bin/true", &leased).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let file = OpenOptions::new().read(true).write(true).open(&leased).unwrap();
    child::ignore_sigio();
    let lease = sys!(SYS_fcntl, file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK);
    // A file of tmpfs counts as used by somebody before 5.3 or so (generic_add_lease,
    // fs/locks.c).
    if lease.value == -i64::from(libc::EAGAIN) {
        skip("this kernel gives no lease for writing on tmpfs");
    }
    lease.check(0);
    let blocked: Vec<u32> =
        (0..100).map(|_| child::fork(|| child::exec(&leased, &[b"leased"]))).collect();
    // /proc/PID/syscall is no help: before 5.7 it waits for the end of an exec.
    let sleeps = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('S'))
    };
    // Nothing else between its fork and its end lets a child sleep: a page fault is D. Who was
    // seen asleep stays in its exec, but not asleep: those who wait for a lease wake each other up,
    // 150 of them some 20,000 times a second (5.10 to 7.2, with a sensor and without).
    let mut awake = blocked.clone();
    crate::support::wait_at_most(Duration::from_secs(120), "the execs to block", || {
        awake.retain(|pid| !sleeps(pid));
        awake.is_empty().then_some(())
    });
    let pids = run_programs(&prog, 50);
    // The children have the descriptor too: closing it here ends no lease.
    sys!(SYS_fcntl, file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK).check(0);
    for pid in &blocked {
        child::wait(*pid);
    }
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    for (n, pid) in pids.iter().enumerate() {
        // Where there was no slot the attempt was told with its arguments, its success without.
        let execs = by(&events, *pid, "exec");
        let told = |exec: &&&Value| at(exec, "process.args") == &json!(["prog", n.to_string()]);
        assert_eq!(execs.iter().filter(told).count(), 1, "{execs:?}");
        assert_eq!(execs.iter().filter(|exec| at(exec, "mote.return") == 0).count(), 1);
    }
    let without_slot = events
        .iter()
        .filter(|event| at(event, "event.action") == "exec" && marked(event, "result_unknown"));
    assert!(without_slot.count() > 0, "all slots were taken");
    assert_complete_but_for_skips(&events);
}

fn blocked_calls_hide_no_other_calls() {
    require_live();
    const BLOCKED: usize = 600;
    const RENAMES: usize = 1000;
    let (_guard, dir) = scratch();
    let (fifo, a, b) = (dir.join("fifo"), dir.join("a"), dir.join("b"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    write(&a, "").unwrap();
    let sensor = Sensor::start_to_file(&dir);
    // Each waits for a reader.
    let blocked = child::fork(|| {
        let open = || OpenOptions::new().write(true).open(&fifo).map(drop).unwrap();
        thread::scope(|scope| {
            for _ in 0..BLOCKED {
                let builder = thread::Builder::new().stack_size(64 << 10);
                builder.spawn_scoped(scope, open).unwrap();
            }
        });
        0
    });
    let openat = format!("{} ", libc::SYS_openat);
    let waiting = || {
        let tasks = fs::read_dir(format!("/proc/{blocked}/task")).unwrap().flatten();
        let blocked = tasks.filter(|task| {
            fs::read_to_string(task.path().join("syscall"))
                .is_ok_and(|call| call.starts_with(&openat))
        });
        blocked.count()
    };
    crate::support::wait_for("the opens to block", || (waiting() == BLOCKED).then_some(()));
    for _ in 0..RENAMES / 2 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    let reader = File::open(&fifo).unwrap();
    child::ends_with(blocked, 0);
    drop(reader);
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let renames = by(&events, std::process::id(), "rename");
    let skipped = skipped(&events);
    assert_seen(renames.len(), RENAMES, skipped);
    for rename in renames {
        let unknown = marked(rename, "result_unknown");
        assert_eq!(at(rename, "mote.return").is_null(), unknown, "{rename}");
    }
    let opens = by(&events, blocked, "open");
    let of_fifo = opens.iter().filter(|open| at(open, "file.path") == fifo.to_str().unwrap());
    assert_seen(of_fifo.count(), BLOCKED, skipped);
    assert_complete_but_for_skips(&events);
}

fn a_flood_of_chdir_hides_no_process() {
    flood_hides_no_process(|| {
        let long = c(format!("/{}", "./".repeat(400)));
        while_flooding(|| sys!(SYS_chdir, long.as_ptr()).check(0))
    });
}

/// An exec of what is not there costs its caller a microsecond.
fn a_flood_of_failing_execs_hides_no_process() {
    flood_hides_no_process(|| {
        let (name, args) = (c("/absent"), child::strings(&[&[b'x'; 1000]]));
        let args = child::pointers(&args);
        let env = args[1..].as_ptr();
        while_flooding(|| {
            sys!(SYS_execve, name.as_ptr(), args.as_ptr(), env).check(libc::ENOENT);
        })
    });
}

/// What any user may do without end.
fn a_flood_of_files_in_memory_hides_no_process() {
    flood_hides_no_process(|| {
        let name = c("flood");
        while_flooding(|| {
            let fd = sys!(SYS_memfd_create, name.as_ptr(), 0).value;
            sys!(SYS_close, fd).check(0);
        })
    });
}

fn a_flood_of_files_hides_no_process() {
    flood_hides_no_process(|| {
        let name = c("/absent/name");
        while_flooding(|| sys!(SYS_unlinkat, libc::AT_FDCWD, name.as_ptr(), 0).check(libc::ENOENT))
    });
}

/// Calls that change something, each once.
fn change_something() -> i32 {
    sys!(SYS_setsid).check(0);
    assert!(sys!(SYS_memfd_create, c("once").as_ptr(), 0).value >= 0);
    sys!(SYS_unshare, libc::CLONE_FILES).check(0);
    sys!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0).check(0);
    0
}

/// Until it is killed.
fn while_flooding(mut act: impl FnMut()) -> i32 {
    loop {
        act();
    }
}

/// Every CPU is flooded while programs run.
fn flood_hides_no_process(flood: impl Fn() -> i32) {
    require_live();
    let (_guard, dir) = scratch();
    let prog = program(&dir);
    // No guard helps the rings.
    let sensor = Sensor::start_with(&dir, &["--syslog", "stdout", "--bulk-budget", "0"]);
    let cpus = thread::available_parallelism().unwrap().get();
    let floods: Vec<u32> = (0..cpus).map(|_| child::fork(&flood)).collect();
    // The rings are full by then.
    thread::sleep(Duration::from_millis(300));
    let pids = run_programs(&prog, 60);
    let acting: Vec<u32> = (0..10).map(|_| child::fork(change_something)).collect();
    acting.iter().for_each(|pid| child::ends_with(*pid, 0));
    for flood in floods {
        kill_process(Pid::from_raw(flood as i32).unwrap(), Signal::KILL).unwrap();
        child::wait(flood);
    }
    sensor.leave();
    let events = decode_where(&Sensor::records(&dir), |event| {
        let pid = at(event, "process.pid").as_u64();
        let mut ours = pids.iter().chain(&acting);
        at(event, "event.action") == "loss" || ours.any(|own| Some(u64::from(*own)) == pid)
    });
    assert_executed(&events, &pids);
    for pid in acting {
        for action in ["memfd_create", "unshare", "ptrace", "setsid"] {
            assert_eq!(by(&events, pid, action).len(), 1, "{action} of {pid}");
        }
    }
    assert_eq!(lost(&events, "priority"), 0);
}
