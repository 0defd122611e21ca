//! How processes with several threads end: always as wait(2) tells it, however their threads
//! race.

use crate::call::{Case, Made, c, case, nothing, sys};
use crate::processes::{exec_row, exit_row, fork_row, own_executable, program};
use crate::support::child::{self, pointers, strings};
use libc::{RLIM_INFINITY, SIGABRT, SIGKILL, SIGTERM};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::thread;

/// What a test ends with if a thread lives on that should not.
const NOT_REACHED: i32 = 99;

/// A child that does `act`, and how the parent saw it end.
fn ends(made: &mut Made, act: impl FnOnce() -> i32) -> i32 {
    let pid = child::fork(act);
    made.children.push(pid);
    made.rows.push(fork_row(pid));
    let status = child::wait(pid);
    let row = if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        exit_row(pid, i64::from(128 + signal), &own_executable())
            .with("mote.exit_signal", signal)
            .with("mote.core_dumped", libc::WCOREDUMP(status))
    } else {
        exit_row(pid, i64::from(libc::WEXITSTATUS(status)), &own_executable())
    };
    made.rows.push(row);
    status
}

/// How a thread ends.
#[derive(Clone, Copy)]
enum End {
    /// This thread alone, with this status.
    Exit(i32),
    /// All threads.
    ExitGroup(i32),
    /// All threads, by a signal to the process.
    Signal(i32),
}

impl End {
    fn act(self) -> i32 {
        match self {
            End::Exit(code) => sys!(SYS_exit, code),
            End::ExitGroup(code) => sys!(SYS_exit_group, code),
            End::Signal(signal) => sys!(SYS_kill, std::process::id(), signal),
        };
        // A signal may come to another thread, and a moment later.
        thread::sleep(crate::support::PATIENCE);
        NOT_REACHED
    }
}

/// In a child: lets its threads end in the same moment, as far as there are CPUs for it. The
/// first of `ends` is for the thread that the process began with.
fn end_at_once(ends: &[End]) -> i32 {
    // Every child has its own copy.
    static MISSING: AtomicI32 = AtomicI32::new(0);
    MISSING.store(ends.len() as i32, SeqCst);
    let meet = |end: End| {
        MISSING.fetch_sub(1, SeqCst);
        while MISSING.load(SeqCst) > 0 {
            thread::yield_now();
        }
        end.act()
    };
    let (first, others) = ends.split_first().unwrap();
    for &end in others {
        // Small: a guest has little memory.
        thread::Builder::new().stack_size(64 << 10).spawn(move || meet(end)).unwrap();
    }
    meet(*first)
}

/// In a child: the thread that it began with ends with `code`, and only then another one
/// does `then`.
fn after_the_first(code: i32, then: impl FnOnce() + Send + 'static) -> i32 {
    thread::spawn(|| {
        let stat = format!("/proc/self/task/{}/stat", std::process::id());
        // Its name has no blank in it.
        let ended = || std::fs::read_to_string(&stat).unwrap().split(' ').nth(2) == Some("Z");
        while !ended() {
            thread::yield_now();
        }
        then();
    });
    End::Exit(code).act()
}

fn allow_core_files(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    #[allow(unsafe_code)]
    // SAFETY: `limit` outlives the call.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &limit)
    };
}

/// No more, since an emulated guest has four minutes for all tests.
const ROUNDS: usize = 30;

pub const CASES: &[Case] = &[
    case!("two threads that end at once", nothing, |_, m| {
        for _ in 0..200 {
            ends(m, || end_at_once(&[End::Exit(1), End::Exit(2)]));
        }
    }),
    case!("five threads that end at once", nothing, |_, m| {
        for _ in 0..2 * ROUNDS {
            ends(m, || end_at_once(&[1, 2, 3, 4, 5].map(End::Exit)));
        }
    }),
    case!("two threads that end at once after the first", nothing, |_, m| {
        for _ in 0..ROUNDS {
            ends(m, || {
                after_the_first(7, || {
                    end_at_once(&[End::Exit(8), End::Exit(9)]);
                })
            });
        }
    }),
    case!("the first thread ends first", nothing, |_, m| {
        for (code, last) in [(0, 1), (1, 0), (2, 3)] {
            let status = ends(m, || {
                after_the_first(code, move || {
                    End::Exit(last).act();
                })
            });
            // The first one's before Linux 6.0 or so, and the last one's from then on
            // (linux commit d80f7d7b2c75).
            assert!([code, last].contains(&libc::WEXITSTATUS(status)), "{status:#x}");
        }
    }),
    case!("exit_group by another thread than the first", nothing, |_, m| {
        let status = ends(m, || {
            after_the_first(1, || {
                End::ExitGroup(2).act();
            })
        });
        assert_eq!(libc::WEXITSTATUS(status), 2);
    }),
    case!("exit_group among threads that end", nothing, |_, m| {
        for _ in 0..ROUNDS {
            let by_another = [End::Exit(1), End::ExitGroup(2), End::Exit(3)];
            ends(m, || end_at_once(&by_another));
            let by_the_first = [End::ExitGroup(1), End::Exit(2), End::Exit(3)];
            ends(m, || end_at_once(&by_the_first));
            let by_two = [End::Exit(1), End::ExitGroup(2), End::ExitGroup(3)];
            ends(m, || end_at_once(&by_two));
        }
    }),
    case!("killed after the first thread ended", nothing, |_, m| {
        for signal in [SIGKILL, SIGTERM] {
            let status = ends(m, || {
                after_the_first(1, move || {
                    End::Signal(signal).act();
                })
            });
            assert_eq!(libc::WTERMSIG(status), signal);
        }
    }),
    case!("killed among threads that end", nothing, |_, m| {
        for _ in 0..ROUNDS {
            ends(m, || end_at_once(&[End::Exit(1), End::Signal(SIGKILL), End::Exit(3)]));
            ends(m, || end_at_once(&[End::Exit(1), End::Exit(2), End::Signal(SIGTERM)]));
        }
    }),
    case!("a core file among threads that end", nothing, |_, m| {
        for bytes in [0, RLIM_INFINITY] {
            for _ in 0..5 {
                ends(m, || {
                    allow_core_files(bytes);
                    end_at_once(&[End::Exit(1), End::Signal(SIGABRT), End::Exit(3)])
                });
            }
        }
        let status = ends(m, || {
            allow_core_files(RLIM_INFINITY);
            after_the_first(1, || {
                End::Signal(SIGABRT).act();
            })
        });
        assert_eq!(libc::WTERMSIG(status), SIGABRT);
    }),
    case!("exec after the first thread ended", program, |p, m| {
        let prog = p.path("prog");
        let name = c(&prog);
        let args = strings(&[b"thread"]);
        let pid = child::fork(|| {
            let args = strings(&[b"thread"]);
            after_the_first(1, move || {
                let args = pointers(&args);
                sys!(SYS_execve, name.as_ptr(), args.as_ptr(), args[1..].as_ptr());
            })
        });
        m.children.push(pid);
        child::ends_with(pid, 0);
        m.rows.extend([fork_row(pid), exec_row(pid, &prog, &args, 0), exit_row(pid, 0, &prog)]);
    }),
];
