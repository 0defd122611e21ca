//! Both ends of the control socket, where others have been at work.

use mio::Poll;
use mote::control::client::{ClientError, Connection};
use mote::control::server::{BindError, Server};
use mote::control::socket;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

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
    let poll = Poll::new().unwrap();
    let bound = Server::bind(&long, poll.registry());
    let said = bound.err().unwrap().to_string();
    assert!(said.contains("name a shorter directory with --runtime-dir"), "{said}");
    let said = Connection::open(&long).err().unwrap().to_string();
    assert!(said.contains("name a shorter directory with --runtime-dir"), "{said}");
}

#[test]
fn what_is_no_socket_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(dir.path());
    fs::write(&path, "a file").unwrap();
    let bound = Server::bind(dir.path(), Poll::new().unwrap().registry());
    let said = bound.err().unwrap().to_string();
    assert!(said.contains("is no socket") && said.contains(path.to_str().unwrap()), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    // A killed sensor's is replaced.
    fs::remove_file(&path).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    let _server = Server::bind(dir.path(), Poll::new().unwrap().registry()).unwrap();
    assert!(Connection::open(dir.path()).is_ok());
}

#[test]
fn a_sensor_leaves_the_socket_of_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let poll = Poll::new().unwrap();
    let first = Server::bind(dir.path(), poll.registry()).unwrap();
    let again = Server::bind(dir.path(), poll.registry());
    assert!(matches!(again, Err(BindError::Taken(_))), "{:?}", again.err());
    // Somebody clears the directory.
    fs::remove_file(socket(dir.path())).unwrap();
    let second = Server::bind(dir.path(), poll.registry()).unwrap();
    drop(first);
    assert!(Connection::open(dir.path()).is_ok());
    drop(second);
    assert!(!socket(dir.path()).exists());
}
