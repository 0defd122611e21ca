//! Attempts to keep events from being seen.

use crate::support::expect::{assert_complete, at};
use crate::support::runner::{Test, skip};
use crate::support::sys::{c, sys};
use crate::support::{Sensor, child, decode, require_live, scratch};
use crate::{by, lost, marked, only};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, copy, write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("threads_that_die_in_exec_leave_no_slot_taken", threads_that_die_in_exec_leave_no_slot_taken),
    ("blocked_execs_hide_no_arguments", blocked_execs_hide_no_arguments),
    ("blocked_calls_hide_no_other_calls", blocked_calls_hide_no_other_calls),
    ("a_flood_of_chdir_hides_no_process", a_flood_of_chdir_hides_no_process),
    ("a_flood_of_failing_execs_hides_no_process", a_flood_of_failing_execs_hides_no_process),
    ("a_full_ring_is_counted", a_full_ring_is_counted),
    ("a_cpu_that_comes_back_is_seen", a_cpu_that_comes_back_is_seen),
];

/// A program for an executable that is seen.
fn program(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("prog");
    copy("/bin/true", &path).unwrap();
    path
}

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

/// Runs `count` programs, and returns their pids.
fn run_programs(prog: &Path, count: usize) -> Vec<u32> {
    let run = |n: usize| {
        let pid = child::fork(|| child::exec(prog, &[b"prog", n.to_string().as_bytes()]));
        child::ends_with(pid, 0);
        pid
    };
    (0..count).map(run).collect()
}

/// Every one of `pids` has its exec, with all its arguments.
fn assert_executed(events: &[Value], pids: &[u32]) {
    for (n, pid) in pids.iter().enumerate() {
        let exec = only(events, *pid, "exec");
        assert_eq!(at(exec, "process.args"), &json!(["prog", n.to_string()]), "{exec}");
        assert!(!marked(exec, "args_unread"), "{exec}");
        only(events, *pid, "fork");
        only(events, *pid, "exit");
    }
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
    sensor.stop();
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
    sys!(SYS_fcntl, file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK).check(0);
    let blocked: Vec<u32> =
        (0..150).map(|_| child::fork(|| child::exec(&leased, &[b"leased"]))).collect();
    let in_exec = |pid: &u32| {
        let call = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        call.contains("lease")
    };
    crate::support::wait_for("the execs to block", || blocked.iter().all(in_exec).then_some(()));
    let pids = run_programs(&prog, 50);
    // The children have the descriptor too: closing it here ends no lease.
    sys!(SYS_fcntl, file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK).check(0);
    for pid in &blocked {
        child::wait(*pid);
    }
    sensor.stop();
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
    assert_complete(&events);
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
    let waiting = || {
        let tasks = fs::read_dir(format!("/proc/{blocked}/task")).unwrap().flatten();
        let blocked = tasks.filter(|task| {
            fs::read_to_string(task.path().join("syscall"))
                .is_ok_and(|call| call.starts_with("257"))
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
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    let renames = by(&events, std::process::id(), "rename");
    assert_eq!(renames.len(), RENAMES);
    for rename in renames {
        let unknown = marked(rename, "result_unknown");
        assert_eq!(at(rename, "mote.return").is_null(), unknown, "{rename}");
    }
    let opens = by(&events, blocked, "open");
    let of_fifo = opens.iter().filter(|open| at(open, "file.path") == fifo.to_str().unwrap());
    assert_eq!(of_fifo.count(), BLOCKED);
    assert_complete(&events);
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

fn while_flooding(mut act: impl FnMut()) -> i32 {
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        act();
    }
    0
}

/// Every CPU is flooded while programs run.
fn flood_hides_no_process(flood: impl Fn() -> i32) {
    require_live();
    let (_guard, dir) = scratch();
    let prog = program(&dir);
    let sensor = Sensor::start_to_file(&dir);
    let cpus = thread::available_parallelism().unwrap().get();
    let floods: Vec<u32> = (0..cpus).map(|_| child::fork(&flood)).collect();
    let pids = run_programs(&prog, 60);
    for flood in floods {
        child::ends_with(flood, 0);
    }
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    assert_executed(&events, &pids);
    assert_eq!(lost(&events, "priority"), 0);
}

/// A sensor that cannot read for a while: what the rings had no room for is counted, and
/// files push out no process.
fn a_full_ring_is_counted() {
    require_live();
    const RENAMES: usize = 20_000;
    let (_guard, dir) = scratch();
    let (prog, a, b) = (program(&dir), dir.join("a"), dir.join("b"));
    write(&a, "").unwrap();
    let sensor = Sensor::start_to_file(&dir);
    sensor.signal(Signal::STOP);
    for _ in 0..RENAMES / 2 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    let pids = run_programs(&prog, 60);
    sensor.signal(Signal::CONT);
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    let seen = by(&events, std::process::id(), "rename").len();
    let lost_bulk = lost(&events, "bulk");
    assert!(seen < RENAMES, "the ring was full");
    assert!(seen as u64 + lost_bulk >= RENAMES as u64, "{seen} seen, {lost_bulk} lost");
    assert_executed(&events, &pids);
    assert_eq!(lost(&events, "priority"), 0);
}

/// A CPU that goes offline and comes back between two looks has rings that the kernel has
/// closed.
fn a_cpu_that_comes_back_is_seen() {
    require_live();
    if std::env::var_os("MOTE_GUEST").is_none() {
        skip("takes a CPU offline, which only a guest of ours should suffer (make qemu)");
    }
    let online = Path::new("/sys/devices/system/cpu/cpu1/online");
    if write(online, "1").is_err() {
        skip("this machine has no second CPU that can be taken offline");
    }
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    for state in ["0", "1"] {
        write(online, state).unwrap();
    }
    const FILES: usize = 400;
    let made = child::fork(|| {
        let mut cpus = rustix::thread::CpuSet::new();
        cpus.set(1);
        rustix::thread::sched_setaffinity(None, &cpus).unwrap();
        for n in 0..FILES {
            write(dir.join(n.to_string()), "").unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        0
    });
    child::ends_with(made, 0);
    sensor.stop();
    let events = decode(&Sensor::records(&dir));
    let opens = by(&events, made, "open");
    let last = dir.join((FILES - 1).to_string());
    let seen_last = opens.iter().any(|open| at(open, "file.path") == last.to_str().unwrap());
    assert!(seen_last, "the CPU is seen again");
    let lost_bulk = lost(&events, "bulk");
    assert!(
        opens.len() as u64 + lost_bulk >= FILES as u64,
        "{} seen, {lost_bulk} lost",
        opens.len()
    );
}
