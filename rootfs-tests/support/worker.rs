//! A process that does as it is told, one line at a time: the sensor's own process, which the
//! tests are, is not reported.

use super::sys::{c, sys};
use super::{child, skip};
use libc::AT_FDCWD;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The first argument of a worker, before its directory.
pub const NAME: &str = "worker";
/// The argument of one that unlinks before it does anything else.
const UNLINKS: &str = "unlinks";
/// What it unlinks, in vain.
pub const UNLINKED: &str = "nothing";

/// What a worker does; `args` are those behind its name.
pub fn main(args: &[String]) -> ExitCode {
    let dir = Path::new(&args[0]);
    if args.get(1).is_some_and(|arg| arg == UNLINKS) {
        sys!(SYS_unlinkat, AT_FDCWD, c(dir.join(UNLINKED)).as_ptr(), 0).check(libc::ENOENT);
    }
    // Who started it knows of its first instruction by then.
    println!("done 0");
    let (a, b) = (c(dir.join("a")), c(dir.join("b")));
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (what, count) = line.split_once(' ').unwrap_or((&line, "1"));
        let count: u64 = count.parse().unwrap();
        let begin = Instant::now();
        match what {
            "renames" => {
                for n in 0..count {
                    let (from, to) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
                    sys!(SYS_renameat, AT_FDCWD, from.as_ptr(), AT_FDCWD, to.as_ptr()).check(0);
                }
            }
            "unlinks" => {
                let nothing = c(dir.join(UNLINKED));
                for _ in 0..count {
                    sys!(SYS_unlinkat, AT_FDCWD, nothing.as_ptr(), 0).check(libc::ENOENT);
                }
            }
            "umounts" => {
                let nothing = c(dir.join(UNLINKED));
                for _ in 0..count {
                    sys!(SYS_umount2, nothing.as_ptr(), 0).check(libc::ENOENT);
                }
            }
            // A directory of this name.
            "mkdir" => std::fs::create_dir(dir.join(count.to_string())).unwrap(),
            "chroot" => (0..count).for_each(|_| sys!(SYS_chroot, c"/".as_ptr()).check(0)),
            "chdir" => (0..count).for_each(|_| std::env::set_current_dir(dir).unwrap()),
            "attempts" => {
                let nothing = dir.join(UNLINKED);
                (0..count).for_each(|_| assert_eq!(child::exec(&nothing, &[b"nothing"]), 127));
            }
            // A file in memory each, which is gone at once.
            "memfds" => {
                for _ in 0..count {
                    let fd = sys!(SYS_memfd_create, c"memory".as_ptr(), 0);
                    fd.check(0);
                    sys!(SYS_close, fd.value).check(0);
                }
            }
            // To one address, which is bound.
            "sends" => {
                let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = receiver.local_addr().unwrap();
                (0..count).for_each(|_| assert_eq!(sender.send_to(b"x", address).unwrap(), 1));
            }
            // Of nobody.
            "accepts" => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                listener.set_nonblocking(true).unwrap();
                (0..count).for_each(|_| assert!(listener.accept().is_err()));
            }
            // What the kernel is asked.
            "netlinks" => {
                let kernel = [libc::AF_NETLINK as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                let socket = sys!(SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0);
                socket.check(0);
                for _ in 0..count {
                    sys!(SYS_connect, socket.value, kernel.as_ptr(), kernel.len()).check(0);
                }
            }
            "connect" => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                // Where it leads does not matter.
                let _ = socket.connect((Ipv4Addr::LOCALHOST, 9));
            }
            "forks" => {
                for _ in 0..count {
                    child::ends_with(child::fork(|| 0), 0);
                }
            }
            "exec" => {
                let program = std::env::current_exe().unwrap();
                let path = dir.to_str().unwrap().as_bytes();
                child::exec(&program, &[b"program", NAME.as_bytes(), path, UNLINKS.as_bytes()]);
                panic!("{} cannot be executed", program.display());
            }
            _ => panic!("{line}: not what a worker does"),
        }
        println!("done {}", begin.elapsed().as_nanos());
    }
    ExitCode::SUCCESS
}

/// Makes a process id the next one.
fn approach(pid: u32) {
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";
    if std::fs::write(LAST, (pid - 1).to_string()).is_ok() {
        return;
    }
    // Without CONFIG_CHECKPOINT_RESTORE: once through all of them, where they are few.
    for _ in 0..40_000 {
        let last = child::fork(|| 0);
        child::ends_with(last, 0);
        if last == pid - 1 {
            return;
        }
    }
    skip("this kernel does not let a process id be chosen, and has too many");
}

/// One of them; it ends when this is dropped.
pub struct Worker {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts one. It runs its program when this returns: the call that starts it returns when
    /// the child has memory of its own, a little before the kernel tells of its exec.
    pub fn start(dir: &Path) -> Worker {
        Worker::start_program(&std::env::current_exe().unwrap(), dir)
    }

    /// Starts one whose executable is this copy of the test.
    pub fn start_program(program: &Path, dir: &Path) -> Worker {
        let mut child = Command::new(program)
            .arg(NAME)
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Worker { child, orders, answers };
        worker.answer();
        worker
    }

    /// Starts one with this process id, which has to be free. `None`: somebody else got it.
    pub fn start_as(pid: u32, dir: &Path) -> Option<Worker> {
        approach(pid);
        Some(Worker::start(dir)).filter(|worker| worker.pid() == pid)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says what to do.
    pub fn tell(&mut self, what: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Whether it has answered.
    pub fn has_answered(&self) -> bool {
        let mut answer = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
        poll(&mut answer, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    /// Waits for its answer: how long it took.
    pub fn answer(&mut self) -> Duration {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let nanoseconds = line.trim_end().strip_prefix("done ").expect("the worker's answer");
        Duration::from_nanos(nanoseconds.parse().unwrap())
    }

    /// Says what to do and waits until it is done.
    pub fn ask(&mut self, what: &str) -> Duration {
        self.tell(what);
        self.answer()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
