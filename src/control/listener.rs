//! Where commands reach the sensor: a socket, in a directory that is one sensor's at a time.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::claim::{SoleDirectory, Unclaimed};
use crate::explain::or_shortage;

/// Of the directory, as long as a sensor runs. Not the name of the one in a state directory, which may be the
/// same directory.
pub const LOCK: &str = "control.lock";

/// Why there is no control socket.
#[derive(Debug)]
pub enum BindError {
    /// The directory is not this sensor's.
    Unclaimed(Unclaimed, PathBuf),
    /// Somebody listens there: a killed sensor does, until the kernel has detached its programs.
    Taken(PathBuf),
    /// Something is there that is no socket, and not ours to remove.
    NoSocket(PathBuf),
    /// It cannot be made.
    Os(PathBuf, io::Error),
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const WRITABLE: &str = "name a directory that can be written to with --runtime-dir";
        const LOCKABLE: &str = "make it a directory that can be written to, with nothing else that is named \
            control.lock, or name another with --runtime-dir";
        match self {
            BindError::Unclaimed(Unclaimed::Other(holder), directory) => write!(
                f,
                "{holder} has the directory {}: mote's commands cannot reach this one; start it with \
                 another --runtime-dir",
                directory.display()
            ),
            BindError::Unclaimed(Unclaimed::Lock(error), directory) => write!(
                f,
                "no lock can be had in {} ({error}): mote's commands cannot reach this sensor; {}",
                directory.display(),
                or_shortage(Some(error.raw_os_error()), LOCKABLE)
            ),
            BindError::Taken(path) => write!(
                f,
                "the control socket {} is taken, perhaps by a sensor that was killed, until the kernel has \
                 detached its programs: mote's commands cannot reach this one; if that lasts, start it with \
                 another --runtime-dir",
                path.display()
            ),
            BindError::NoSocket(path) => write!(
                f,
                "{} is no socket, and is left as it is: mote's commands cannot reach this sensor; \
                 remove it, or name another directory with --runtime-dir",
                path.display()
            ),
            BindError::Os(path, error) if error.kind() == ErrorKind::InvalidInput => write!(
                f,
                "no socket can have a path as long as {}: mote's commands cannot reach this \
                 sensor; name a shorter directory with --runtime-dir",
                path.display()
            ),
            BindError::Os(path, error) => write!(
                f,
                "the control socket {} could not be made ({error}): mote's commands cannot reach \
                 this sensor; {}",
                path.display(),
                or_shortage(error.raw_os_error(), WRITABLE)
            ),
        }
    }
}

/// The directory, and the socket while there is one.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Option<Socket>,
    /// Behind the socket, which is removed before the next sensor may come.
    pub directory: SoleDirectory,
    token: Token,
}

impl Listener {
    pub fn new(directory: &Path, token: Token) -> Listener {
        Listener { socket: None, directory: SoleDirectory::new(directory, LOCK), token }
    }

    /// Makes both, unless they are there and this sensor's. A socket that nobody listens at is what a killed
    /// sensor left, and is replaced.
    pub fn listen(&mut self, registry: &Registry) -> Result<(), BindError> {
        self.directory.make_and_take();
        if let Some(why) = self.directory.unclaimed() {
            // Commands are for whoever has it.
            self.socket = None;
            return Err(BindError::Unclaimed(why, self.directory.path().to_owned()));
        }
        if !self.is_there() {
            self.socket = None;
            let path = super::socket(self.directory.path());
            self.socket = Some(Socket::make(path, registry, self.token)?);
        }
        Ok(())
    }

    /// Whether who comes finds this one.
    pub fn is_there(&self) -> bool {
        self.socket.as_ref().is_some_and(Socket::is_there)
    }

    /// Who asks next.
    pub fn accept(&self) -> io::Result<UnixStream> {
        let socket = self.socket.as_ref().ok_or(ErrorKind::WouldBlock)?;
        socket.listener.accept().map(|(stream, _)| stream)
    }

    /// Leaves both to the next sensor.
    pub fn leave(&mut self) {
        self.socket = None;
        self.directory.release();
    }
}

#[derive(Debug)]
struct Socket {
    /// Closed, it is not registered any more (epoll(7)).
    listener: UnixListener,
    path: PathBuf,
    /// Which one it is: another sensor's may be in its place by now.
    made: (u64, u64),
}

impl Socket {
    fn make(path: PathBuf, registry: &Registry, token: Token) -> Result<Socket, BindError> {
        let os = |error| BindError::Os(path.clone(), error);
        let mut listener = match listen(&path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => replace(&path)?,
            result => result.map_err(os)?,
        };
        registry.register(&mut listener, token, Interest::READABLE).map_err(os)?;
        let made = device_and_inode(&path).map_err(os)?;
        Ok(Socket { listener, path, made })
    }

    fn is_there(&self) -> bool {
        device_and_inode(&self.path).is_ok_and(|there| there == self.made)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// In the place of a socket that nobody listens at.
fn replace(path: &Path) -> Result<UnixListener, BindError> {
    let os = |error| BindError::Os(path.to_owned(), error);
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Taken(path.to_owned())),
        // The listener's queue is full: this does not wait for it.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(BindError::Taken(path.to_owned()))
        }
        Err(_) if is_no_socket(path) => Err(BindError::NoSocket(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(os)?;
            listen(path).map_err(os)
        }
        Err(error) => Err(os(error)),
    }
}

fn is_no_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A socket that only its owner can connect to.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}
