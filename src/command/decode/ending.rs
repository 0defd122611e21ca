//! How a `mote decode` that has no end of its own is told to end.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// For how long a standard input may be silent, once it was told to end, until it has ended. A
/// syslog daemon that ends closes it; under systemd both get SIGTERM in the same moment, and the
/// daemon writes what it has after that.
const SILENCE: Duration = Duration::from_secs(1);

/// SIGTERM and SIGINT, from now on.
pub struct Ending {
    told: Arc<AtomicBool>,
    /// Readable once it was told.
    wake: UnixStream,
}

impl Ending {
    /// Takes both signals. A second one ends the program at once: it may be waiting for a
    /// reader that does not read.
    pub fn new() -> io::Result<Ending> {
        let told = Arc::new(AtomicBool::new(false));
        let (wake, waker) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_default(signal, Arc::clone(&told))?;
            flag::register(signal, Arc::clone(&told))?;
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Ending { told, wake })
    }

    /// Whether a signal has come.
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// Waits until a signal comes, `other` is ready for `events` or has an error, or `time` is
    /// over; whether it is `other`.
    fn wait(
        &self,
        other: BorrowedFd<'_>,
        events: PollFlags,
        time: Option<Duration>,
    ) -> io::Result<bool> {
        let time = time.map(|time| Timespec {
            tv_sec: time.as_secs() as i64,
            tv_nsec: time.subsec_nanos().into(),
        });
        let mut fds =
            [PollFd::from_borrowed_fd(other, events), PollFd::new(&self.wake, PollFlags::IN)];
        // Once it was told `wake` stays readable: nothing would be waited for.
        let count = if self.is_told() { 1 } else { 2 };
        match poll(&mut fds[..count], time.as_ref()) {
            Ok(_) => Ok(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for `time`, less if a signal comes or nobody can read any more what is written to
    /// `out`; whether to go on.
    pub fn rest(&self, time: Duration, out: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        // Of a pipe without a reader, and a socket that was closed, poll(2) tells unasked.
        let gone = self.wait(out.unwrap_or(self.wake.as_fd()), PollFlags::empty(), Some(time))?;
        Ok(!gone && !self.is_told())
    }
}

/// An input of which all is read that comes, until it ends, or is silent after a signal.
pub struct Drained<'a, R> {
    input: R,
    ending: &'a Ending,
}

impl<'a, R: Read + AsFd> Drained<'a, R> {
    /// `input` must have no buffer: what waits there cannot be waited for.
    pub fn new(input: R, ending: &'a Ending) -> Drained<'a, R> {
        Drained { input, ending }
    }
}

impl<R: Read + AsFd> Read for Drained<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let told = self.ending.is_told();
            let time = told.then_some(SILENCE);
            // A closed pipe is ready too (POLLHUP): it is read to its end.
            if self.ending.wait(self.input.as_fd(), PollFlags::IN, time)? {
                return self.input.read(out);
            }
            if told {
                return Ok(0);
            }
        }
    }
}

/// From now on SIGHUP ends nothing: `systemctl kill -s HUP`, as after a rotation of files, sends
/// it to all processes of a unit.
pub fn outlive_hangup() -> io::Result<()> {
    flag::register(SIGHUP, Arc::default()).map(drop)
}

/// From now on only the end of the input ends the program. systemd sends SIGTERM to all processes
/// of a unit that is to stop; rsyslogd hands over what it has after that.
pub fn outlive_signals() -> io::Result<()> {
    outlive_hangup()?;
    flag::register(SIGTERM, Arc::default())?;
    flag::register(SIGINT, Arc::default()).map(drop)
}
