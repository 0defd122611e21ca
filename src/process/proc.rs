//! /proc of one process, read without allocating.

use core::fmt::Write;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io;

use crate::event::{Bytes, append};
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

    /// The parent's process id.
    pub fn ppid(&self, pid: u32) -> Option<u32> {
        let mut name = Name::new();
        write!(name, "{pid}/stat").ok()?;
        let file = rustix::fs::openat(
            &self.0,
            name.as_str(),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .ok()?;
        let mut buffer = [0; 128];
        let bytes = rustix::io::read(&file, &mut buffer).ok()?;
        parse_ppid(&buffer[..bytes])
    }
}

/// `PID (COMM) STATE PPID …`; the name may hold anything, parentheses and spaces too, and
/// has at most 15 bytes (proc_pid_stat(5)).
fn parse_ppid(stat: &[u8]) -> Option<u32> {
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let text = core::str::from_utf8(&stat[behind_name..]).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The path of a link without the mark of a deleted file. A path may also end like that
/// by itself; both are told apart by nobody.
pub fn without_deleted(path: &[u8]) -> &[u8] {
    path.strip_suffix(DELETED).unwrap_or(path)
}

/// Copies a path, cut where it does not fit.
pub fn copy(path: &[u8], to: &mut Bytes<PATH_BYTES>) {
    to.clear();
    append(to, path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stands_behind_the_last_parenthesis() {
        assert_eq!(parse_ppid(b"42 (sh) S 7 42 42 0"), Some(7));
        assert_eq!(parse_ppid(b"42 (a) S 9 (b) R 7 1"), Some(7));
        assert_eq!(parse_ppid(b"42 (sh"), None);
        assert_eq!(parse_ppid(b""), None);
    }

    #[test]
    fn our_own_links_are_read() {
        let proc = Proc::open().unwrap();
        let mut buffer = [0; PATH_BYTES];
        let own = std::process::id();
        let exe = proc.link(own, format_args!("exe"), &mut buffer).unwrap();
        assert_eq!(exe, std::env::current_exe().unwrap().as_os_str().as_encoded_bytes());
        assert_eq!(proc.ppid(own), Some(std::os::unix::process::parent_id()));
        assert!(proc.pids().any(|pid| pid == own));
        // No process has this number: pid_max is at most 4194304.
        assert_eq!(proc.link(4_194_305, format_args!("exe"), &mut buffer), None);
    }
}
