//! Where the kernel keeps the path of an open descriptor: measured, since old kernels have
//! no BTF.
//!
//! A program reads the kernel's memory for us at a call that we make. From our own
//! `task_struct` we follow the pointers to descriptors of directories that we know, for
//! every place in which a field may be, and take the one at which all of them come out with
//! the paths that /proc tells:
//!
//! `task_struct.files` → `files_struct.fdt` → `fdtable.fd[n]` → `file.f_path` → `dentry`,
//! and from there up by `d_parent`, and by `mnt_parent` and `mnt_mountpoint` to the mount
//! that this one lies in. Beside each other from 3.3 to today are `max_fds` and `fd`, `mnt`
//! and `dentry`, `d_parent` and `d_name`, and the two of a mount and its `vfsmount` (linux
//! `include/linux/fdtable.h`, `path.h`, `dcache.h`, `fs/mount.h`).

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use super::abi::record::*;
use super::object::Object;
use super::peek::{Kernel, Memory, PEEK_BYTES, word};
use crate::host::ROOTS;

/// What was measured, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    /// Where the fields are.
    pub offsets: Offsets,
    /// The `vfsmount` at which the host's paths begin.
    pub host_mount: u64,
}

/// Where the fields are, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.files`
    pub task_files: u32,
    /// `files_struct.fdt`
    pub files_fdt: u32,
    /// `file.f_path`
    pub file_path: u32,
    /// `dentry.d_parent`
    pub dentry_parent: u32,
    /// `mount.mnt`
    pub mount: u32,
}

/// Directories whose names and whose parents' names tell them from others, and that are
/// everywhere where /proc is.
const KNOWN: [&str; 2] = ["/proc/sys/kernel", "/proc/self/fd"];

/// Measures with the program `probe_memory` attached to fchmod(2), from
/// `task_struct.signal`, which has to be known. `None`: not seen, or not certain.
pub fn files(object: &Object, settings: &mote_settings) -> io::Result<Option<Files>> {
    let mut known = Vec::new();
    for path in KNOWN {
        let file = File::open(path)?;
        let link = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        known.push((file, link.into_os_string().into_vec()));
    }
    let known: Vec<Known> =
        known.iter().map(|(file, path)| Known { fd: file.as_raw_fd(), path }).collect();
    let Some(host) = ROOTS.iter().find_map(|path| File::open(path).ok()) else { return Ok(None) };
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    let mut memory = Kernel::new(object);
    let found = memory.task().and_then(|task| {
        let offsets = find(&mut memory, task, settings.task_signal_offset, &known)?;
        let (mount, dentry) = offsets.open(&mut memory, task, host.as_raw_fd())?;
        let (_, host_mount) = offsets.path(&mut memory, mount, dentry)?;
        Some(Files { offsets, host_mount })
    });
    object.set_settings(settings)?;
    Ok(found)
}

/// A descriptor of ours, and the path of what it is open on.
struct Known<'a> {
    fd: RawFd,
    path: &'a [u8],
}

/// Tries every place of every field.
fn find(memory: &mut impl Memory, task: u64, signal: u32, known: &[Known]) -> Option<Offsets> {
    let every = |from: u32, to: u32| (from..=to).step_by(8);
    // fs, files, io_uring and nsproxy stand before signal.
    for task_files in every(8, 64).filter_map(|before| signal.checked_sub(before)) {
        for files_fdt in every(8, 128) {
            let tables = Offsets { task_files, files_fdt, ..Offsets::default() };
            let files: Option<Vec<u64>> =
                known.iter().map(|known| tables.file(memory, task, known.fd)).collect();
            let Some(files) = files else { continue };
            for file_path in every(0, PEEK_BYTES as u32 - 16) {
                let paths = Offsets { file_path, ..tables };
                let opened: Option<Vec<(u64, u64)>> =
                    files.iter().map(|file| paths.opened(memory, *file)).collect();
                let Some(opened) = opened else { continue };
                for dentry_parent in every(8, 128) {
                    let names = Offsets { dentry_parent, ..paths };
                    // What is open has the last name: else no mount has to be tried.
                    let is_named = opened.iter().zip(known).all(|((_, dentry), known)| {
                        let name = known.path.rsplit(|byte| *byte == b'/').next();
                        names.entry(memory, *dentry).is_some_and(|e| Some(&e.1[..]) == name)
                    });
                    for mount in every(16, 64).filter(|_| is_named) {
                        let all = Offsets { mount, ..names };
                        let is_known = opened.iter().zip(known).all(|(&(mount, dentry), known)| {
                            // Our own root may lie deeper.
                            let path = all.path(memory, mount, dentry);
                            path.is_some_and(|(path, _)| path.ends_with(known.path))
                        });
                        if is_known {
                            return Some(all);
                        }
                    }
                }
            }
        }
    }
    None
}

/// The same steps as in `bpf/descriptor.h`.
impl Offsets {
    /// What was measured before.
    pub(super) fn from_settings(settings: &mote_settings) -> Offsets {
        Offsets {
            task_files: settings.task_files_offset,
            files_fdt: settings.files_fdt_offset,
            file_path: settings.file_path_offset,
            dentry_parent: settings.dentry_parent_offset,
            mount: settings.mount_offset,
        }
    }

    /// The `struct file` of a descriptor.
    pub(super) fn file(self, memory: &mut impl Memory, task: u64, fd: RawFd) -> Option<u64> {
        let [files] = memory.pointers(task + u64::from(self.task_files))?;
        let [fdt] = memory.pointers(files + u64::from(self.files_fdt))?;
        let max_fds = memory.read(fdt)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))?;
        // A bit for each, in whole words.
        if max_fds % u64::BITS != 0 || fd as u32 >= max_fds {
            return None;
        }
        let [array] = memory.pointers(fdt + 8)?;
        let [file] = memory.pointers(array + 8 * fd as u64)?;
        Some(file)
    }

    /// Its mount and its dentry.
    fn opened(self, memory: &mut impl Memory, file: u64) -> Option<(u64, u64)> {
        let [mount, dentry] = memory.pointers(file + u64::from(self.file_path))?;
        Some((mount, dentry))
    }

    fn open(self, memory: &mut impl Memory, task: u64, fd: RawFd) -> Option<(u64, u64)> {
        let file = self.file(memory, task, fd)?;
        self.opened(memory, file)
    }

    /// A dentry's parent and its name.
    fn entry(self, memory: &mut impl Memory, dentry: u64) -> Option<(u64, Vec<u8>)> {
        let at = dentry + u64::from(self.dentry_parent);
        let [parent] = memory.pointers(at)?;
        let [name] = memory.pointers(at + 16)?;
        let length = word(&memory.read(at)?, 8)? >> 32;
        let bytes = memory.read(name)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        (end as u64 == length).then(|| (parent, bytes[..end].to_vec()))
    }

    /// A path, and the mount that it begins at.
    fn path(
        self,
        memory: &mut impl Memory,
        mut mount: u64,
        mut dentry: u64,
    ) -> Option<(Vec<u8>, u64)> {
        let mut upwards = Vec::new();
        for _ in 0..32 {
            let [root] = memory.pointers(mount)?;
            if dentry != root {
                let (parent, name) = self.entry(memory, dentry)?;
                if parent == dentry {
                    return None;
                }
                upwards.push(name);
                dentry = parent;
                continue;
            }
            let [parent, mountpoint] = memory.pointers(mount.checked_sub(16)?)?;
            let above = parent + u64::from(self.mount);
            if above == mount {
                let names = upwards.iter().rev();
                return Some((names.flat_map(|n| [b"/", &n[..]].concat()).collect(), mount));
            }
            (mount, dentry) = (above, mountpoint);
        }
        None
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
