//! /proc of one process, read without allocating.

use core::fmt::Write;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io;

use crate::event::ExecutableKind;
use crate::limits::PATH_BYTES;

/// What the kernel appends to the path of what was deleted (`fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";

/// Longest name below /proc that is read: `PID/fd/N`, `PID/ns/user`, `PID/task/TID`.
pub(super) type Name = heapless::String<32>;

/// What tells one file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

/// An open /proc.
#[derive(Debug)]
pub struct Proc(OwnedFd);

impl Proc {
    /// Opens /proc.
    pub fn open() -> io::Result<Proc> {
        rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map(Proc)
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Every process there is now.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// `/proc/PID/exe`, `cwd`, `root` or `fd/N`, if it names something that has a path.
    pub fn link<'a>(
        &self,
        pid: u32,
        link: core::fmt::Arguments<'_>,
        buffer: &'a mut [u8; PATH_BYTES],
    ) -> Option<&'a [u8]> {
        // Pipes and sockets have no path.
        self.any_link(pid, link, buffer).filter(|target| target.first() == Some(&b'/'))
    }

    /// A link below `/proc/PID`, whatever it names.
    pub fn any_link<'a>(
        &self,
        pid: u32,
        link: core::fmt::Arguments<'_>,
        buffer: &'a mut [u8; PATH_BYTES],
    ) -> Option<&'a [u8]> {
        let mut name = Name::new();
        write!(name, "{pid}/{link}").ok()?;
        let bytes = rustix::fs::readlinkat_raw(&self.0, name.as_str(), &mut buffer[..]).ok()?;
        // A full buffer may have cut it.
        (bytes < PATH_BYTES).then_some(&buffer[..bytes])
    }

    /// The root directory of a process.
    ///
    /// It is asked what it is, which could take forever: a process in a user namespace may
    /// have mounted it from a server of its own. So not of those.
    pub fn root(&self, pid: u32) -> Option<FileId> {
        let mut name = Name::new();
        write!(name, "{pid}/root").ok()?;
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        match rustix::fs::statx(&self.0, name.as_str(), flags, StatxFlags::INO) {
            Ok(root) => Some(FileId {
                device: rustix::fs::makedev(root.stx_dev_major, root.stx_dev_minor),
                inode: root.stx_ino,
            }),
            // Before 4.11.
            Err(io::Errno::NOSYS) => {
                let root = rustix::fs::statat(&self.0, name.as_str(), AtFlags::empty()).ok()?;
                Some(FileId { device: root.st_dev, inode: root.st_ino })
            }
            Err(_) => None,
        }
    }

    /// `/proc/PID/stat`.
    pub fn stat(&self, pid: u32) -> Option<Stat> {
        // 52 numbers, most of them short.
        let mut buffer = [0; 1024];
        parse_stat(self.read(pid, "stat", &mut buffer)?)
    }

    /// A file of `/proc/PID` with one number in it. `None`: or the kernel has no such file.
    pub fn number(&self, pid: u32, file: &str) -> Option<u32> {
        let mut buffer = [0; 16];
        let text = core::str::from_utf8(self.read(pid, file, &mut buffer)?).ok()?;
        text.trim_ascii().parse().ok()
    }

    /// A file of `/proc/PID`, as far as there is room. `None`: it is gone or we may not.
    pub(super) fn read<'a>(&self, pid: u32, file: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let mut name = Name::new();
        write!(name, "{pid}/{file}").ok()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.fd(), name.as_str(), flags, Mode::empty()).ok()?;
        let mut read = 0;
        while read < buffer.len() {
            match rustix::io::read(&file, &mut buffer[read..]) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        Some(&buffer[..read])
    }
}

/// Of `/proc/PID/stat`, proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The parent's process id, as it is now.
    pub ppid: u32,
    /// Process id of the leader of its session; 0: of another pid namespace.
    pub session: u32,
    /// When it began, in hundredths of a second since boot.
    pub start: u64,
}

/// `PID (COMM) STATE PPID …`; the name may hold anything, parentheses and spaces too, and
/// has at most 15 bytes (proc_pid_stat(5)).
pub(crate) fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = core::str::from_utf8(&stat[behind_name..]).ok()?.split_ascii_whitespace();
    // The 4th, the 6th and the 22nd.
    let ppid = fields.nth(1)?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Stat { ppid, session, start: fields.nth(15)?.parse().ok()? })
}

/// The path of a link without the mark of a deleted file. A path may also end like that
/// by itself; both are told apart by nobody.
pub fn without_deleted(path: &[u8]) -> &[u8] {
    path.strip_suffix(DELETED).unwrap_or(path)
}

/// The path of `/proc/PID/exe`, and what it is if it is no file that has a name.
pub fn executable(link: &[u8]) -> (&[u8], Option<ExecutableKind>) {
    match link.strip_suffix(DELETED) {
        // The name of a file in memory (linux `mm/memfd.c`), which has no directory.
        Some(path) if path.starts_with(b"/memfd:") => (path, Some(ExecutableKind::Memfd)),
        Some(path) => (path, Some(ExecutableKind::Deleted)),
        None => (link, None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::own_session;
    use super::*;

    #[test]
    fn the_parent_stands_behind_the_last_parenthesis() {
        let rest = "42 43 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 8640012 5 6";
        let stat = |name: &str| parse_stat(format!("42 ({name}) S 7 {rest}").as_bytes());
        let expected = Some(Stat { ppid: 7, session: 43, start: 8_640_012 });
        assert_eq!(stat("sh"), expected);
        assert_eq!(stat("a) S 9 (b"), expected);
        assert_eq!(parse_stat(b"42 (sh) S 7 42 42 0"), None);
        assert_eq!(parse_stat(b"42 (sh"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn programs_without_a_file_are_told_apart() {
        use ExecutableKind::{Deleted, Memfd};
        for (link, expected) in [
            ("/usr/bin/make", ("/usr/bin/make", None)),
            ("/usr/bin/make (deleted)", ("/usr/bin/make", Some(Deleted))),
            (
                "/memfd:runc_cloned:/proc/self/exe (deleted)",
                ("/memfd:runc_cloned:/proc/self/exe", Some(Memfd)),
            ),
            ("/memfd: (deleted)", ("/memfd:", Some(Memfd))),
            ("/memfd:x", ("/memfd:x", None)),
        ] {
            let (path, kind) = executable(link.as_bytes());
            assert_eq!((std::str::from_utf8(path).unwrap(), kind), expected);
        }
    }

    #[test]
    fn our_own_links_are_read() {
        let proc = Proc::open().unwrap();
        let mut buffer = [0; PATH_BYTES];
        let own = std::process::id();
        let exe = proc.link(own, format_args!("exe"), &mut buffer).unwrap();
        assert_eq!(exe, std::env::current_exe().unwrap().as_os_str().as_encoded_bytes());
        let stat = proc.stat(own).unwrap();
        assert_eq!(stat.ppid, std::os::unix::process::parent_id());
        assert!(stat.start > 0);
        assert_eq!(stat.session, own_session());
        assert_eq!(proc.number(4_194_305, "loginuid"), None);
        assert!(proc.pids().any(|pid| pid == own));
        // No process has this number: pid_max is at most 4194304.
        assert_eq!(proc.link(4_194_305, format_args!("exe"), &mut buffer), None);
    }
}
