//! Both ends of the control socket, where others have been at work.

use mio::Poll;
use mote::control::client::{ClientError, Connection};
use mote::control::server::{BindError, Server};
use mote::control::socket;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

fn listen(server: &mut Server) -> Result<(), BindError> {
    server.listen(Poll::new().unwrap().registry())
}

#[test]
fn what_another_user_answers_is_not_believed() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: what_another_user_answers_is_not_believed not root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = socket(dir.path());
    // Of this thread only: the C library would change that of all.
    let listener = std::thread::spawn(move || {
        let parent = path.parent().unwrap();
        std::os::unix::fs::chown(parent, Some(NOBODY), None).unwrap();
        // It was made with a umask that a server of another test may just have had.
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
        // SAFETY: takes integers.
        #[allow(unsafe_code)]
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
        assert_eq!(changed, 0);
        UnixListener::bind(path).unwrap()
    });
    let _listener = listener.join().unwrap();
    let opened = Connection::open(dir.path());
    assert!(matches!(opened, Err(ClientError::Foreign(_, NOBODY))), "{:?}", opened.err());
}

#[test]
fn a_path_that_no_socket_can_have_is_said_to_be_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("y".repeat(110));
    let said = listen(&mut Server::new(&long)).unwrap_err().to_string();
    assert!(said.contains("name a shorter directory with --runtime-dir"), "{said}");
    let said = Connection::open(&long).err().unwrap().to_string();
    assert!(said.contains("name a shorter directory with --runtime-dir"), "{said}");
}

#[test]
fn what_is_no_socket_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(dir.path());
    fs::write(&path, "a file").unwrap();
    let said = listen(&mut Server::new(dir.path())).unwrap_err().to_string();
    assert!(said.contains("is no socket") && said.contains(path.to_str().unwrap()), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    // A killed sensor's is replaced.
    fs::remove_file(&path).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    let mut server = Server::new(dir.path());
    listen(&mut server).unwrap();
    assert!(Connection::open(dir.path()).is_ok());
}

/// Whose it is, the socket is not this sensor's: there are locks that this process has no part in.
#[test]
fn a_socket_that_is_taken_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(dir.path());
    let other = UnixListener::bind(&path).unwrap();
    let mut server = Server::new(dir.path());
    assert!(matches!(listen(&mut server), Err(BindError::Taken(_))));
    // Nor does it wait where nobody takes who connects.
    rustix::net::listen(&other, 0).unwrap();
    while mio::net::UnixStream::connect(&path).is_ok() {}
    assert!(matches!(listen(&mut server), Err(BindError::Taken(_))));
    drop(other);
    listen(&mut server).unwrap();
    // Somebody clears the directory, and another one is there now.
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    assert!(matches!(listen(&mut server), Err(BindError::Taken(_))));
    server.leave();
    assert!(path.exists());
    drop(other);
    listen(&mut server).unwrap();
    assert!(Connection::open(dir.path()).is_ok());
    fs::remove_file(&path).unwrap();
    listen(&mut server).unwrap();
    assert!(Connection::open(dir.path()).is_ok());
    server.leave();
    assert!(!path.exists());
}

/// Without a lock there could be two.
#[test]
fn nobody_listens_where_nothing_can_be_locked() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("control.lock");
    fs::create_dir(&lock).unwrap();
    let mut server = Server::new(dir.path());
    let said = listen(&mut server).unwrap_err().to_string();
    assert!(said.contains("no lock can be had in") && said.contains("--runtime-dir"), "{said}");
    assert!(!socket(dir.path()).exists());
    fs::remove_dir(lock).unwrap();
    listen(&mut server).unwrap();
    // Nor where there is no directory.
    assert!(listen(&mut Server::new(Path::new(""))).is_err());
    assert!(!socket(Path::new("")).exists());
}
