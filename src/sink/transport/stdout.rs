//! Standard output: a pipe, a terminal, a file or a socket that others may use too.

use super::Outcome;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// POSIX's least `PIPE_BUF`, and Linux's: a pipe that polls writable has this much room.
const PIPE_BUF_BYTES: usize = 4096;

/// The number of /dev/null (linux `Documentation/admin-guide/devices.txt`).
const NULL_DEVICE: (u32, u32) = (1, 3);

/// Whether what is written to `fd` goes nowhere.
pub(in crate::sink) fn discards(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let stat = rustix::fs::fstat(fd)?;
    let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    Ok(is_device && device == NULL_DEVICE)
}

/// How to write without blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Our own non-blocking opening of a pipe or a device.
    Reopened,
    /// A regular file, whose writes wait for no reader.
    File,
    /// A socket: `MSG_DONTWAIT` is per call.
    Socket,
    /// A blocking description that could not be opened again.
    Shared,
}

/// `O_NONBLOCK` belongs to the open file description, which the shell and its other
/// children share: only an opening of our own may have it. A regular file must not be
/// opened again, because the new opening would write from its start.
pub(super) fn open(fd: BorrowedFd<'_>) -> Result<(OwnedFd, Output), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    let duplicate = || rustix::io::fcntl_dupfd_cloexec(fd, 0);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((duplicate()?, Output::File)),
        FileType::Socket => Ok((duplicate()?, Output::Socket)),
        _ => {
            let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
            match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(own) => Ok((own, Output::Reopened)),
                // Another user's pipe, or no /proc.
                Err(_) => Ok((duplicate()?, Output::Shared)),
            }
        }
    }
}

pub(super) fn write(fd: BorrowedFd<'_>, output: Output, bytes: &[u8]) -> Outcome {
    let result = match output {
        Output::Reopened | Output::File => {
            rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes))
        }
        Output::Socket => rustix::io::retry_on_intr(|| {
            rustix::net::send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        }),
        Output::Shared => write_shared(fd, bytes),
    };
    match result {
        Ok(written) => Outcome::Sent(written),
        Err(Errno::AGAIN) => Outcome::Blocked { wakes: true },
        // std ignores SIGPIPE, so a pipe without a reader is this error.
        Err(Errno::PIPE | Errno::CONNRESET) => Outcome::Closed,
        // A terminal that hung up (`tty_write` of linux `drivers/tty/tty_io.c`).
        Err(Errno::IO) if output != Output::File => Outcome::Closed,
        Err(error) => Outcome::Failed(error),
    }
}

fn write_shared(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))? == 0 {
        return Err(Errno::AGAIN);
    }
    rustix::io::write(fd, &bytes[..bytes.len().min(PIPE_BUF_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    #[test]
    fn a_pipe_is_written_without_blocking_and_its_flags_stay() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (own, output) = open(writer.as_fd()).unwrap();
        assert_eq!(output, Output::Reopened);
        for (fd, output) in [(own.as_fd(), output), (writer.as_fd(), Output::Shared)] {
            let mut total = 0;
            while let Outcome::Sent(sent) = write(fd, output, &[b'x'; 10_000]) {
                total += sent;
            }
            assert!(total > 0);
            assert_eq!(
                write(fd, output, b"x"),
                Outcome::Blocked { wakes: true },
                "after {total} bytes"
            );
            let mut buffer = vec![0; total];
            let mut read = 0;
            while read < total {
                read += rustix::io::read(&reader, &mut buffer[read..]).unwrap();
            }
        }
        let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK));
        drop(reader);
        assert_eq!(write(own.as_fd(), output, b"x"), Outcome::Closed);
        assert_eq!(write(writer.as_fd(), Output::Shared, b"x"), Outcome::Closed);
    }

    #[test]
    fn a_file_is_written_where_others_left_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        rustix::io::write(file.as_file(), b"before ").unwrap();
        let (own, output) = open(file.as_file().as_fd()).unwrap();
        assert_eq!(output, Output::File);
        assert_eq!(write(own.as_fd(), output, b"after"), Outcome::Sent(5));
        assert_eq!(std::fs::read(file.path()).unwrap(), b"before after");
    }

    #[test]
    fn only_the_null_device_discards() {
        for (path, expected) in [("/dev/null", true), ("/dev/full", false), ("/", false)] {
            let file = std::fs::File::open(path).unwrap();
            assert_eq!(discards(file.as_fd()), Ok(expected), "{path}");
        }
    }

    #[test]
    fn a_full_device_is_a_failure_not_the_end() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (own, output) = open(full.as_fd()).unwrap();
        assert_eq!(write(own.as_fd(), output, b"x"), Outcome::Failed(Errno::NOSPC));
    }
}
