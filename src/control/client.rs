//! A command's end of the control socket.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;

use super::{Reply, Request};
use crate::exit;

/// A longer reply is none of a sensor's.
const MAX_REPLY_BYTES: u64 = 64 << 20;

/// How long a sensor may take to begin its answer: detaching takes seconds, more on slow
/// machines.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// No sensor has this socket.
    NotRunning(PathBuf),
    /// The socket is root's.
    Denied(PathBuf),
    /// A socket cannot have such a path: it is too long.
    TooLong(PathBuf),
    /// It takes too long.
    Late(PathBuf),
    /// Another user has this socket.
    Foreign(PathBuf, u32),
    /// Talking to it failed.
    Failed(PathBuf, io::Error),
    /// What came is no reply.
    NoReply(PathBuf),
}

impl ClientError {
    /// The exit code that stands for it.
    pub fn code(&self) -> u8 {
        match self {
            ClientError::NotRunning(_) => exit::UNAVAILABLE,
            ClientError::Denied(_) | ClientError::Foreign(..) => exit::NOPERM,
            ClientError::TooLong(_) => exit::USAGE,
            ClientError::Late(_) => exit::TEMPFAIL,
            ClientError::Failed(..) | ClientError::NoReply(_) => exit::IOERR,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NotRunning(path) => write!(
                f,
                "no sensor answers at {}; start it (mote run), or name the directory of its \
                 socket with --runtime-dir",
                path.display()
            ),
            ClientError::Denied(path) => {
                write!(f, "the sensor's socket {} is for root; use sudo", path.display())
            }
            ClientError::TooLong(path) => write!(
                f,
                "no socket can have a path as long as {}; name a shorter directory with \
                 --runtime-dir",
                path.display()
            ),
            ClientError::Late(path) => write!(
                f,
                "the sensor at {} has no time for an answer; try again, and see whether it runs \
                 and what other clients it has (ss -xp)",
                path.display()
            ),
            ClientError::Foreign(path, uid) => write!(
                f,
                "what answers at {} is user {uid}'s and no sensor; name the directory of the \
                 sensor's socket with --runtime-dir",
                path.display()
            ),
            ClientError::Failed(path, error) => write!(
                f,
                "the sensor at {} did not answer ({error}); look whether it still runs",
                path.display()
            ),
            ClientError::NoReply(path) => write!(
                f,
                "what answered at {} is no sensor of this version; start the sensor again after \
                 an update",
                path.display()
            ),
        }
    }
}

/// A connection to a sensor.
pub struct Connection {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects.
    pub fn open(runtime_dir: &Path) -> Result<Connection, ClientError> {
        let path = super::socket(runtime_dir);
        match UnixStream::connect(&path) {
            Ok(stream) => {
                // As it is when the socket was made, whoever answers.
                let peer = socket_peercred(&stream)
                    .map_err(|error| ClientError::Failed(path.clone(), error.into()))?;
                if !super::is_trusted(peer.uid) {
                    return Err(ClientError::Foreign(path, peer.uid.as_raw()));
                }
                let connection = Connection { path, stream: BufReader::new(stream) };
                connection.wait_at_most(PATIENCE)?;
                Ok(connection)
            }
            Err(error) => Err(match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(path),
                ErrorKind::PermissionDenied => ClientError::Denied(path),
                ErrorKind::InvalidInput => ClientError::TooLong(path),
                _ => ClientError::Failed(path, error),
            }),
        }
    }

    /// Changes how long an answer may take.
    pub fn wait_at_most(&self, patience: Duration) -> Result<(), ClientError> {
        let failed = |error| ClientError::Failed(self.path.clone(), error);
        self.stream.get_ref().set_read_timeout(Some(patience)).map_err(failed)
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive()
    }

    /// Asks.
    pub fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        let failed = |error| ClientError::Failed(self.path.clone(), error);
        self.stream.get_mut().write_all(&line).map_err(failed)
    }

    /// Waits for the answer.
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        let mut line = Vec::new();
        let result = self.read_line(&mut line);
        self.parse(&line, result)
    }

    /// The same with another patience, and something to do every second.
    pub fn receive_within(
        &mut self,
        patience: Duration,
        mut each_second: impl FnMut(),
    ) -> Result<Reply, ClientError> {
        let until = Instant::now() + patience;
        self.wait_at_most(Duration::from_secs(1))?;
        let mut line = Vec::new();
        loop {
            each_second();
            match self.read_line(&mut line) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {}
                result => return self.parse(&line, result),
            }
        }
    }

    /// Appends, and keeps what has come if it takes too long.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        (&mut self.stream).take(MAX_REPLY_BYTES).read_until(b'\n', line)
    }

    fn parse(&self, line: &[u8], result: io::Result<usize>) -> Result<Reply, ClientError> {
        let failed = |error| Err(ClientError::Failed(self.path.clone(), error));
        match result {
            Ok(_) if line.is_empty() => {
                failed(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed"))
            }
            Ok(_) => {
                serde_json::from_slice(line).map_err(|_| ClientError::NoReply(self.path.clone()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(ClientError::Late(self.path.clone()))
            }
            Err(error) => failed(error),
        }
    }
}

/// Connects, asks one thing, and waits for the answer.
pub fn ask(runtime_dir: &Path, request: &Request) -> Result<Reply, ClientError> {
    Connection::open(runtime_dir)?.ask(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn who_is_not_answered_does_not_wait_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let _busy = UnixListener::bind(crate::control::socket(dir.path())).unwrap();
        let mut connection = Connection::open(dir.path()).unwrap();
        let soon = Duration::from_millis(20);
        connection.wait_at_most(soon).unwrap();
        let error = connection.ask(&Request::Health {}).unwrap_err();
        assert_eq!(error.code(), exit::TEMPFAIL);
        assert!(error.to_string().contains("no time for an answer; try again"), "{error}");
        let error = connection.receive_within(soon, || {}).unwrap_err();
        assert_eq!(error.code(), exit::TEMPFAIL, "{error}");
    }
}
