//! A directory of the sensor's own files, open: what is done to its files is done in this one,
//! whatever becomes of its name, or of one above it, meanwhile.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

/// An open directory.
#[derive(Debug)]
pub struct Directory(OwnedFd);

impl Directory {
    /// Opens one that is there.
    pub fn open(path: &Path) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?))
    }

    /// The same; it is made if it is not there, with mode 0700, and so are those above it.
    pub fn make(path: &Path) -> io::Result<Directory> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Directory::open(path)
    }

    /// The same directory once more.
    pub fn try_clone(&self) -> io::Result<Directory> {
        self.0.try_clone().map(Directory)
    }

    /// Opens a file of it, with mode 0600 if the flags make one. Whatever somebody has put there: no
    /// link is followed, and no pipe is waited for.
    pub fn open_file(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        retry_on_intr(|| rustix::fs::openat(&self.0, name, flags, mode))
    }

    /// Names in it that are UTF-8, as those of the sensor's files are.
    pub fn names(&self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }

    /// Gives a file of it another name. One of that name is replaced.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        rustix::fs::renameat(&self.0, from, &self.0, to)
    }

    /// Removes a file of it.
    pub fn remove(&self, name: &str) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.0, name, AtFlags::empty())
    }

    /// Returns when its names are on the disk.
    pub fn sync(&self) -> Result<(), Errno> {
        retry_on_intr(|| rustix::fs::fsync(&self.0))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn its_files_are_those_of_the_directory_that_was_opened() {
        let parent = tempfile::tempdir().unwrap();
        let (path, moved) = (parent.path().join("a/b"), parent.path().join("moved"));
        let directory = Directory::make(&path).unwrap();
        for made in [&path, &parent.path().join("a")] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o7777, 0o700);
        }
        fs::rename(&path, &moved).unwrap();
        // Another one in its place, with names that lead away.
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        symlink(&other, &path).unwrap();

        let clone = directory.try_clone().unwrap();
        let flags = OFlags::WRONLY | OFlags::CREATE;
        drop(clone.open_file("next", flags).unwrap());
        directory.rename("next", "file").unwrap();
        directory.sync().unwrap();
        assert_eq!(directory.names().unwrap(), ["file"]);
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "nothing went there");
        assert_eq!(fs::metadata(moved.join("file")).unwrap().permissions().mode() & 0o7777, 0o600);
        clone.remove("file").unwrap();
        assert_eq!(directory.remove("file"), Err(Errno::NOENT));

        symlink("/dev/full", moved.join("link")).unwrap();
        assert_eq!(directory.open_file("link", flags).unwrap_err(), Errno::LOOP);
        assert_eq!(
            Directory::open(&moved.join("link")).unwrap_err().raw_os_error(),
            Some(libc::ENOTDIR)
        );
    }
}
