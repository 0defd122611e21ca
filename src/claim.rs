//! One sensor for a directory of settings, of a spool or of a control socket: two would be in each other's way.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::directory::Directory;

/// Its name in a directory of settings or of a spool. Nothing is in it.
pub const LOCK: &str = "lock";

/// Whose a directory is.
#[derive(Debug, Default)]
pub enum Claim {
    /// Nobody's as far as is known: there is no such directory, or nothing can be locked in it.
    #[default]
    None,
    /// This process's, as long as the file is open.
    Own(File),
    /// Another sensor's.
    Other(Holder),
}

/// Another sensor that has a directory: its process, if that is known.
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

impl Claim {
    /// Whether this lock still is this process's: the directory may have been moved away, or the file
    /// removed, and another one made.
    pub fn holds(&self, lock: &Path) -> bool {
        let Claim::Own(file) = self else { return false };
        let there = std::fs::metadata(lock);
        file.metadata().is_ok_and(|own| {
            there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()))
        })
    }

    /// Takes a directory that is there, if it is nobody's, by a file of this name. Not twice: the
    /// lock is the process's, and is gone when any descriptor of the file is closed (fcntl(2)). So it
    /// is at once when the process is killed, while it still takes seconds to detach.
    pub fn make(dir: &Directory, lock: &str) -> Claim {
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let Ok(file) = dir.open_file(lock, flags).map(File::from) else { return Claim::None };
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Claim::Own(file),
            Err(Errno::AGAIN | Errno::ACCESS) => Claim::Other(Holder(holder(&file))),
            Err(_) => Claim::None,
        }
    }
}

fn holder(file: &File) -> Option<u32> {
    let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok()??;
    u32::try_from(found.pid?.as_raw_nonzero().get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    /// That another process is refused is tested with two sensors.
    #[test]
    fn what_cannot_be_locked_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let make = || Claim::make(&Directory::open(dir.path()).unwrap(), LOCK);
        let file = dir.path().join(LOCK);
        let claim = make();
        assert!(claim.holds(&file));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&file).unwrap();
        assert!(!claim.holds(&file), "another sensor would make a file of its own");
        drop(claim);
        let moved = dir.path().with_extension("moved");
        let claim = make();
        std::fs::rename(dir.path(), &moved).unwrap();
        assert!(!claim.holds(&file), "another sensor would make a directory of its own");
        std::fs::rename(&moved, dir.path()).unwrap();
        assert!(claim.holds(&file));
        drop(claim);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file).unwrap();
        assert!(matches!(make(), Claim::None), "a link is not followed");
        std::fs::remove_file(&file).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert!(matches!(make(), Claim::None), "nobody reads from it");
    }
}
