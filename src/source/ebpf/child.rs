//! Children that end as agreed, while a program copies their `task_struct`.

#![allow(unsafe_code)]

use std::io;
use std::time::{Duration, Instant};

use super::abi::record::*;
use super::object::Object;

/// What a child ends with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    /// A status with no small or round number in it.
    pub status: u8,
    /// Threads beside the first. No reference count is such a number by chance.
    pub threads: u8,
}

pub(super) const CHILDREN: [Child; 2] =
    [Child { status: 0xa7, threads: 11 }, Child { status: 0x5d, threads: 7 }];

/// A real-time signal: nothing else sets it as a death signal.
pub(super) const DEATH_SIGNAL: i32 = 43;

/// The end of a child that was let go comes within microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets the first thread of a child end and takes what the program `probe_exit` copied then.
/// `None`: it copied nothing.
pub(super) fn probe(
    object: &Object,
    settings: &mote_settings,
    child: Child,
    pointers: &[u32],
) -> io::Result<Option<Box<mote_probe>>> {
    end(object, settings, child, libc::SYS_exit, pointers, |copy| copy)
}

/// Lets a child end as a whole. Its signal_struct stays as long as `look` looks at it, as the
/// child is waited for afterwards.
pub(super) fn end_as_a_whole<T>(
    object: &Object,
    settings: &mote_settings,
    child: Child,
    look: impl FnOnce(Box<mote_probe>) -> T,
) -> io::Result<Option<T>> {
    end(object, settings, child, libc::SYS_exit_group, &[], look)
}

fn end<T>(
    object: &Object,
    settings: &mote_settings,
    child: Child,
    call: libc::c_long,
    pointers: &[u32],
    look: impl FnOnce(Box<mote_probe>) -> T,
) -> io::Result<Option<T>> {
    let mut wanted = Object::empty_probe();
    wanted.pointers = pointers.len() as u32;
    wanted.pointer_offsets[..pointers.len()].copy_from_slice(pointers);
    object.set_probe(&wanted)?;
    let mut seen = None;
    fork(
        child,
        call,
        |pid| object.set_settings(&mote_settings { probe_pid: pid, ..*settings }),
        || {
            let mut copied = None;
            let start = Instant::now();
            while copied.is_none() && start.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_micros(200));
                copied = object.probe().ok().filter(|probe| probe.done != 0);
            }
            seen = copied.map(look);
        },
    )?;
    Ok(seen)
}

/// Who started the sensor may have let it ignore SIGCHLD: then nothing of a child stays until it is
/// waited for.
fn keep_status() {
    // SAFETY: takes integers; there is no handler that could be lost.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Lets a child do this, and tells the signal that it died from, if it did.
pub(super) fn signal_after(act: fn()) -> io::Result<Option<i32>> {
    keep_status();
    // SAFETY: there is one thread, so the child is a whole process; it ends without running what
    // belongs to the sensor.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // Its death is none that anybody should look into.
            // SAFETY: takes integers.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
            act();
            // SAFETY: takes an integer.
            unsafe { libc::_exit(0) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: our own child, which is not waited for yet; the status is ours.
            while unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            Ok(libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)))
        }
    }
}

/// Forks a child that waits until `prepare` has been told its pid, and whose first thread
/// then ends by `call`. After `watch` nothing of it is left.
fn fork(
    child: Child,
    call: libc::c_long,
    prepare: impl FnOnce(u32) -> io::Result<()>,
    watch: impl FnOnce(),
) -> io::Result<()> {
    keep_status();
    let (read, write) = io::pipe()?;
    let sensor = std::process::id();
    // SAFETY: there is one thread, so the child is a whole process.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // A sensor that is killed while it measures leaves no child behind.
            // SAFETY: take integers.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, DEATH_SIGNAL);
                if libc::getppid() as u32 != sensor {
                    libc::_exit(0);
                }
            }
            drop(write);
            let threads = (0..child.threads).filter(|_| {
                let builder = std::thread::Builder::new().stack_size(64 << 10);
                let forever = || std::thread::sleep(Duration::MAX);
                builder.spawn(forever).is_ok()
            });
            // A thread that could not be made is a measurement that finds nothing.
            threads.count();
            let mut byte = [0];
            let _ = io::Read::read(&mut &read, &mut byte);
            // SAFETY: takes integers, and ends this thread or all: nothing of the process runs any
            // more but threads that sleep.
            unsafe { libc::syscall(call, i32::from(child.status)) };
            unreachable!("a thread that has ended")
        }
        pid => {
            let prepared = prepare(pid as u32);
            drop(write);
            if prepared.is_ok() {
                watch();
            }
            // SAFETY: our own child, which is not waited for yet.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
            prepared
        }
    }
}
