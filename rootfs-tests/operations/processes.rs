//! Programs, processes and how they end.

use crate::call::{Case, Made, Place, c, case, nothing, sys};
use crate::support::Sensor;
use crate::support::child::{self, pointers, strings};
use crate::support::expect::{Row, at, text};
use crate::support::sensor::decode_until;
use libc::{AT_EMPTY_PATH, AT_FDCWD, EACCES, ENOENT, ENOEXEC, SIGCHLD, c_char, c_long};
use serde_json::{Value, json};
use std::ffi::CString;
use std::fs::{File, Permissions, copy, set_permissions, write};
use std::io::pipe;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub fn program(_: &Place) {
    copy("/bin/true", "prog").unwrap();
}

fn executable(name: &str, content: &str) {
    write(name, content).unwrap();
    set_permissions(name, Permissions::from_mode(0o755)).unwrap();
}

pub fn own_executable() -> PathBuf {
    std::env::current_exe().unwrap()
}

pub fn exit_row(pid: u32, code: i64, executable: &Path) -> Row {
    Row::new("exit", pid).with("process.exit_code", code).executable(executable)
}

pub fn fork_row(pid: u32) -> Row {
    Row::new("fork", pid)
}

/// Forks, lets the child do `act` and end with what it returns; the wait status.
fn child(made: &mut Made, act: impl FnOnce() -> i32) -> (u32, i32) {
    waited(made, child::fork(act))
}

fn waited(made: &mut Made, pid: u32) -> (u32, i32) {
    made.children.push(pid);
    made.rows.push(fork_row(pid));
    (pid, child::wait(pid))
}

pub fn exec_row(pid: u32, executable: &Path, args: &[CString], result: i64) -> Row {
    let texts: Vec<String> = args.iter().map(|arg| text(arg.as_bytes())).collect();
    Row::new("exec", pid)
        .executable(executable)
        .with("process.args", texts)
        .with("process.args_count", args.len())
        .with("mote.syscall_name", "execve")
        .result(result)
}

/// Reads them, in a child. An arm64 CPU before ARMv8.1 lets nobody read what a process has not
/// touched since its fork; the sensor then has the kernel's own copy (`bpf/args.h`), which an
/// exec that fails has not, and which is another one for a script.
fn touch(args: &[CString]) {
    for byte in args.iter().flat_map(|arg| arg.as_bytes_with_nul()) {
        std::hint::black_box(*byte);
    }
}

/// A child that executes `name` with `args` and has to end with 0: three events.
fn executes(made: &mut Made, name: &Path, executable: &Path, args: &[&[u8]]) {
    executes_after(made, name, executable, args, |_| ());
}

/// The same for one that does something with the arguments before.
fn executes_after(
    made: &mut Made,
    name: &Path,
    executable: &Path,
    args: &[&[u8]],
    before: fn(&[CString]),
) {
    let args = strings(args);
    let name = c(name);
    let (pid, status) = child(made, || {
        before(&args);
        let args = pointers(&args);
        let env = [std::ptr::null::<c_char>()];
        sys!(SYS_execve, name.as_ptr(), args.as_ptr(), env.as_ptr());
        127
    });
    assert_eq!(status, 0, "{name:?}");
    made.rows.push(exec_row(pid, executable, &args, 0));
    made.rows.push(exit_row(pid, 0, executable));
}

/// A child whose attempt to execute `name` fails.
fn fails(made: &mut Made, name: &Path, errno: i32) {
    let args = strings(&[b"zero", b"one"]);
    let name = c(name);
    let (pid, status) = child(made, || {
        touch(&args);
        let args = pointers(&args);
        sys!(SYS_execve, name.as_ptr(), args.as_ptr(), args[2..].as_ptr()).check(errno);
        3
    });
    assert_eq!(libc::WEXITSTATUS(status), 3);
    made.rows.push(exec_row(pid, &own_executable(), &args, -i64::from(errno)));
    made.rows.push(exit_row(pid, 3, &own_executable()));
}

/// The shape of a case whose exec is an execveat of a shell by a descriptor, which ends when the
/// sensor has looked it up.
fn executes_at(p: &Place, made: &mut Made, dirfd: i32, name: &CString, flags: i32) {
    let args = strings(&[b"sh", b"-c", b"read -r line; exit 0"]);
    let (gate, opened) = pipe().unwrap();
    let pid = child::fork(|| {
        sys!(SYS_dup3, gate.as_raw_fd(), 0, 0);
        let args = pointers(&args);
        let env = args[3..].as_ptr();
        sys!(SYS_execveat, dirfd, name.as_ptr(), args.as_ptr(), env, flags);
        127
    });
    // By another process: what this one does is compared.
    let watcher = child::fork(|| {
        let is_it =
            |event: &Value| at(event, "process.pid") == pid && at(event, "event.action") == "exec";
        let records = Sensor::records(p.dir.parent().unwrap());
        decode_until(&records, |events| events.iter().any(is_it));
        0
    });
    child::ends_with(watcher, 0);
    drop(opened);
    let (_, status) = waited(made, pid);
    assert_eq!(status, 0, "{name:?}");
    let exec = exec_row(pid, &shell(), &args, 0).with("mote.syscall_name", "execveat");
    for row in [exec, exit_row(pid, 0, &shell())] {
        made.rows.push(row.with("mote.flags", json!(["executable_unresolved"])));
    }
}

/// As /proc calls it.
fn shell() -> PathBuf {
    Path::new("/bin/sh").canonicalize().unwrap()
}

/// A process made by a call that returns twice.
fn returns_twice(made: &mut Made, make: impl FnOnce() -> i64) {
    let pid = make();
    if pid == 0 {
        #[allow(unsafe_code)]
        // SAFETY: ends the child at once.
        unsafe {
            libc::_exit(9)
        };
    }
    assert!(pid > 0, "{pid}");
    let (pid, status) = waited(made, pid as u32);
    assert_eq!(libc::WEXITSTATUS(status), 9);
    made.rows.push(exit_row(pid, 9, &own_executable()));
}

/// vfork(2) shares the stack, so the child must not return from anything: it ends within
/// the same instructions.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn vfork_that_exits_with_9() -> i64 {
    let mut value = libc::SYS_vfork;
    // SAFETY: the child touches registers only and ends; the parent goes on after it.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, 9",
            "mov eax, 60", // SYS_exit
            "syscall",
            "2:",
            inout("rax") value,
            out("rcx") _, out("r11") _, out("rdi") _,
        );
    }
    value
}

fn killed(made: &mut Made, signal: i32) {
    let (pid, status) = child(made, || {
        crate::support::child::dies_of(signal);
        0
    });
    assert_eq!(libc::WTERMSIG(status), signal);
    // As a shell has it.
    let row = exit_row(pid, i64::from(128 + signal), &own_executable());
    let row = row.with("mote.exit_signal", signal);
    made.rows.push(row.with("mote.core_dumped", libc::WCOREDUMP(status)));
}

pub const CASES: &[Case] = &[
    case!("execve, absolute", program, |p, m| {
        let prog = p.path("prog");
        executes(m, &prog, &prog, &[b"zero", b"one", b"two"]);
    }),
    case!("execve, relative", program, |p, m| {
        executes(m, Path::new("./prog"), &p.path("prog"), &[b"prog"]);
    }),
    case!("arguments of every kind", program, |p, m| {
        let args: &[&[u8]] = &[b"", b"a\nb\tc", b"'\"\\", b"\xff\xfe", "火".as_bytes(), b"", b"-"];
        executes(m, &p.path("prog"), &p.path("prog"), args);
    }),
    case!("thirty-two arguments", program, |p, m| {
        executes(m, &p.path("prog"), &p.path("prog"), &[&b"x"[..]; 32]);
    }),
    case!("a script", |_| executable("script", "#!/bin/sh\nexit 0\n"), |p, m| {
        let script = p.path("script");
        executes_after(m, &script, &script, &[b"script", b"arg"], touch);
    }),
    case!("execveat, from a descriptor's directory", nothing, |p, m| {
        let dir = File::open(shell().parent().unwrap()).unwrap();
        executes_at(p, m, dir.as_raw_fd(), &c(shell().file_name().unwrap()), 0);
        m.open.push(dir.into());
    }),
    case!("execveat of a descriptor", nothing, |p, m| {
        let file = File::open(shell()).unwrap();
        executes_at(p, m, file.as_raw_fd(), &c(""), AT_EMPTY_PATH);
        m.open.push(file.into());
    }),
    case!("execveat, relative to the working directory", program, |p, m| {
        let args = strings(&[b"at"]);
        let (pid, status) = child(m, || {
            let args = pointers(&args);
            let env = args[1..].as_ptr();
            sys!(SYS_execveat, AT_FDCWD, c"prog".as_ptr(), args.as_ptr(), env, 0);
            127
        });
        assert_eq!(status, 0);
        let prog = p.path("prog");
        let exec = exec_row(pid, &prog, &args, 0).with("mote.syscall_name", "execveat");
        m.rows.extend([exec, exit_row(pid, 0, &prog)]);
    }),
    case!("exec in vain: absent", nothing, |p, m| fails(m, &p.path("absent"), ENOENT)),
    case!("exec in vain: not executable", |_| write("data", "").unwrap(), |p, m| {
        fails(m, &p.path("data"), EACCES);
    }),
    case!("exec in vain: no format", |_| executable("data", "\x01\x02"), |p, m| {
        fails(m, &p.path("data"), ENOEXEC);
    }),
    case!("exec from a second thread", program, |p, m| {
        let args = strings(&[b"thread"]);
        let prog = p.path("prog");
        let name = c(&prog);
        let (pid, status) = child(m, || {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let args = pointers(&args);
                    sys!(SYS_execve, name.as_ptr(), args.as_ptr(), args[1..].as_ptr());
                });
            });
            127
        });
        assert_eq!(status, 0);
        m.rows.push(exec_row(pid, &prog, &args, 0));
        m.rows.push(exit_row(pid, 0, &prog));
    }),
    case!("a thread is no process", nothing, |_, m| {
        let (pid, status) = child(m, || {
            std::thread::spawn(|| ()).join().unwrap();
            4
        });
        assert_eq!(libc::WEXITSTATUS(status), 4);
        m.rows.push(exit_row(pid, 4, &own_executable()));
    }),
    case!("the thread that began ends first", nothing, |_, m| {
        let (pid, _) = child(m, || {
            std::thread::spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(50));
                // exit_group: the code of the process.
                sys!(SYS_exit_group, 6);
            });
            sys!(SYS_exit, 0);
            0
        });
        m.rows.push(exit_row(pid, 6, &own_executable()));
    }),
    case!("many threads that end at once", nothing, |_, m| {
        for _ in 0..20 {
            let (pid, _) = child(m, || {
                for _ in 0..30 {
                    std::thread::spawn(std::thread::park);
                }
                sys!(SYS_exit_group, 8);
                0
            });
            m.rows.push(exit_row(pid, 8, &own_executable()));
        }
    }),
    #[cfg(target_arch = "x86_64")]
    case!("fork", nothing, |_, m| returns_twice(m, || sys!(SYS_fork).value)),
    #[cfg(target_arch = "x86_64")]
    case!("vfork", nothing, |_, m| returns_twice(m, vfork_that_exits_with_9)),
    case!("clone", nothing, |_, m| {
        returns_twice(m, || {
            let zero: c_long = 0;
            sys!(SYS_clone, c_long::from(SIGCHLD), zero, zero, zero, zero).value
        });
    }),
    case!("clone3", nothing, |_, m| {
        // struct clone_args, linux include/uapi/linux/sched.h: exit_signal is the fifth.
        let args: [u64; 8] = [0, 0, 0, 0, SIGCHLD as u64, 0, 0, 0];
        returns_twice(m, || sys!(SYS_clone3, args.as_ptr(), size_of_val(&args)).value);
    }),
    case!("exit codes", nothing, |_, m| {
        for code in [0, 1, 42, 255] {
            let (pid, status) = child(m, || code);
            assert_eq!(libc::WEXITSTATUS(status), code);
            m.rows.push(exit_row(pid, code.into(), &own_executable()));
        }
    }),
    case!("ends by signal", nothing, |_, m| {
        for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGUSR1] {
            killed(m, signal);
        }
    }),
];
