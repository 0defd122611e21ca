//! One sensor for a directory of settings, of a spool or of a control socket: two would be in each other's way.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::directory::Directory;

/// Its name in a directory of settings or of a spool. Nothing is in it.
pub const LOCK: &str = "lock";

/// Why a directory is not this sensor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclaimed {
    /// It is another one's.
    Other(Holder),
    /// It cannot be opened or made, or nothing can be locked in it.
    Lock(Errno),
}

/// Another sensor: its process, which is not known if it is in another name space of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(pub Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "another sensor (process {pid})"),
            None => f.write_str("another sensor"),
        }
    }
}

/// Takes a directory by a file of this name: it is this process's as long as that is open. Not
/// twice: the lock is the process's, and is gone when any descriptor of the file is closed (fcntl(2)).
/// So it is at once when the process is killed, while it still takes seconds to detach.
pub fn claim(dir: &Directory, lock: &str) -> Result<File, Unclaimed> {
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let file = File::from(dir.open_file(lock, flags).map_err(Unclaimed::Lock)?);
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(Unclaimed::Other(Holder(holder(&file)))),
        Err(error) => Err(Unclaimed::Lock(error)),
    }
}

fn holder(file: &File) -> Option<u32> {
    let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok()??;
    u32::try_from(found.pid?.as_raw_nonzero().get()).ok()
}

/// A directory that is one sensor's at a time.
#[derive(Debug)]
pub struct SoleDirectory {
    path: PathBuf,
    lock: &'static str,
    claimed: Option<(File, Directory)>,
    unclaimed: Option<Unclaimed>,
}

impl SoleDirectory {
    /// The one of this path, with a lock of this name. It is not taken yet.
    pub fn new(path: &Path, lock: &'static str) -> SoleDirectory {
        SoleDirectory { path: path.to_owned(), lock, claimed: None, unclaimed: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it is not this sensor's. `None`: it is, or it is not there, or was not asked for.
    pub fn unclaimed(&self) -> Option<Unclaimed> {
        self.unclaimed
    }

    /// Another sensor that has it.
    pub fn holder(&self) -> Option<Holder> {
        match self.unclaimed {
            Some(Unclaimed::Other(holder)) => Some(holder),
            _ => None,
        }
    }

    /// Takes it, if it is there and nobody's. Whether it was not this sensor's until now, and is.
    pub fn take(&mut self) -> bool {
        let is_new = self.take_by(Directory::open);
        if self.unclaimed == Some(Unclaimed::Lock(Errno::NOENT)) {
            // There is none to take.
            self.unclaimed = None;
        }
        is_new
    }

    /// The same; it is made if it is not there.
    pub fn make_and_take(&mut self) -> bool {
        self.take_by(Directory::make)
    }

    fn take_by(&mut self, open: fn(&Path) -> io::Result<Directory>) -> bool {
        if self.is_held() {
            return false;
        }
        // Before the next: the lock would go with it, if both are of one file.
        self.release();
        let lock =
            |error: io::Error| Unclaimed::Lock(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        let dir = open(&self.path).map_err(lock);
        match dir.and_then(|dir| Ok((claim(&dir, self.lock)?, dir))) {
            Ok(claimed) => self.claimed = Some(claimed),
            Err(error) => self.unclaimed = Some(error),
        }
        self.is_held()
    }

    /// Leaves it to the next sensor.
    pub fn release(&mut self) {
        (self.claimed, self.unclaimed) = (None, None);
    }

    /// The directory that is claimed, or else what its path leads to.
    pub fn claimed_or(
        &self,
        otherwise: fn(&Path) -> io::Result<Directory>,
    ) -> io::Result<Directory> {
        let claimed = self.claimed.as_ref().map(|(_, dir)| dir.try_clone());
        claimed.unwrap_or_else(|| otherwise(&self.path))
    }

    /// Whether it still is this sensor's: it may have been moved away, or the file removed, and another
    /// one made.
    fn is_held(&self) -> bool {
        let Some((file, _)) = &self.claimed else { return false };
        let there = std::fs::metadata(self.path.join(self.lock));
        file.metadata().is_ok_and(|own| {
            there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    /// That another process is refused is tested with two sensors.
    #[test]
    fn what_is_moved_away_is_held_no_more() {
        let parent = tempfile::tempdir().unwrap();
        let [dir, moved] = ["dir", "moved"].map(|name| parent.path().join(name));
        let mut sole = SoleDirectory::new(&dir, LOCK);
        assert!(!sole.take() && sole.unclaimed().is_none(), "there is none");
        assert!(sole.make_and_take() && !sole.make_and_take() && !sole.take());
        let lock = dir.join(LOCK);
        assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&lock).unwrap();
        assert!(sole.take(), "another sensor would make a file of its own");
        fs::rename(&dir, &moved).unwrap();
        assert!(!sole.take() && sole.make_and_take(), "another sensor would make it anew");
        fs::remove_dir_all(&dir).unwrap();
        fs::rename(&moved, &dir).unwrap();
        assert!(sole.take());
    }

    #[test]
    fn why_it_cannot_be_locked_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join(LOCK);
        let why = || {
            let mut sole = SoleDirectory::new(dir.path(), LOCK);
            assert!(!sole.take());
            sole.unclaimed()
        };
        symlink("/dev/full", &lock).unwrap();
        assert_eq!(why(), Some(Unclaimed::Lock(Errno::LOOP)), "a link is not followed");
        fs::remove_file(&lock).unwrap();
        assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
        assert_eq!(why(), Some(Unclaimed::Lock(Errno::NXIO)), "nobody reads from it");
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        assert_eq!(why(), Some(Unclaimed::Lock(Errno::ISDIR)));
    }
}
