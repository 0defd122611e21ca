//! Clients of the control socket that do what no command does, while the host is at work.

use crate::storm::wait_until_settled;
use crate::support::child;
use crate::support::command::health;
use crate::support::expect::{assert_complete_but_for_skips, assert_seen, at, skipped};
use crate::support::runner::Test;
use crate::support::{Sensor, require_live, scratch};
use crate::{finish, folder};
use mote::claim::{LOCK, SoleDirectory};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("r14_hostile_clients_disturb_nothing", hostile_clients_disturb_nothing),
    ("r14_the_socket_is_for_its_owner", the_socket_is_for_its_owner),
];

const NOBODY: u32 = 65534;
const CLIENTS: u64 = 1000;

/// Renames until it is told to stop, and notes how often: in a guest, whose memory has to hold the
/// decoded events, a fifth as often.
fn renames(dir: &Path) -> u32 {
    let in_guest = std::env::var_os("MOTE_GUEST").is_some();
    let pace = Duration::from_micros(if in_guest { 1000 } else { 200 });
    let (a, b, stop) = (dir.join("a"), dir.join("b"), dir.join("stop"));
    child::fork(|| {
        let mut count = 0;
        while !stop.exists() {
            let (from, to) = if count % 2 == 0 { (&a, &b) } else { (&b, &a) };
            if fs::rename(from, to).is_err() {
                return 1;
            }
            count += 1;
            std::thread::sleep(pace);
        }
        i32::from(fs::write(dir.join("count"), count.to_string()).is_err())
    })
}

struct Target {
    socket: PathBuf,
}

impl Target {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// What is answered to these bytes, if anything is before the connection ends.
    fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be refused before all of it is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        String::from_utf8(answer).unwrap()
    }

    fn refuses(&self, bytes: &[u8], word: &str) {
        let answer = self.answer(bytes);
        assert!(answer.contains("\"refused\"") && answer.contains(word), "`{word}`: {answer}");
    }
}

/// Descriptors of the sensor: what stays when no client is there.
fn descriptors(sensor: &Sensor) -> usize {
    fs::read_dir(format!("/proc/{}/fd", sensor.pid())).unwrap().count()
}

fn answers_soon(dir: &Path) {
    let begin = Instant::now();
    health(dir, "uptime");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

fn hostile_clients_disturb_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    // A list of exclusions of a megabyte: more than a socket takes.
    let long = "x".repeat(1900);
    let list: Vec<Value> = (0..500)
        .map(|n| json!({"$type": "excludedPath", "path": format!("/srv/{n}/{long}")}))
        .collect();
    let config = json!({"exclusionSettings": {"exclusions": list}});
    let sensor = Sensor::start_configured(&dir, &config);
    wait_until_settled(&sensor);
    let work = folder(&dir, "work");
    fs::write(work.join("a"), "").unwrap();
    answers_soon(&dir);
    // The one who asked may have his answer before the sensor has closed its end.
    std::thread::sleep(Duration::from_millis(300));
    let before = descriptors(&sensor);
    let at_work = renames(&work);

    let target = Target { socket: dir.join("run/control.sock") };
    target.refuses(b"\xff\xfe\0garbage\n", "does not understand");
    target.refuses(b"{\"command\": \"reboot\"}\n", "does not understand");
    target.refuses(b"{\"command\": \"health\", \"more\": 1}\n", "does not understand");
    target.refuses(&[b"[".repeat(10_000), vec![b'\n']].concat(), "does not understand");
    target.refuses(&vec![b'x'; 1 << 20], "more than 16384 bytes");
    target.refuses(b"{\"command\":\"statistics\",\"seconds\":4000000000,\"top\":1}\n", "1 to");
    target.refuses(b"{\"command\":\"pause\",\"limit_seconds\":0}\n", "one second");
    // Half a message, and gone; half a message, and silent; a question, and gone.
    target.connect().write_all(b"{\"command\":").unwrap();
    let mut silent = target.connect();
    silent.write_all(b"{\"command\":").unwrap();
    target.connect().write_all(b"{\"command\":\"health\"}\n").unwrap();
    // Asks for much, and reads nothing.
    let mut deaf = target.connect();
    deaf.write_all(b"{\"command\":\"exclusion_list\"}\n").unwrap();
    answers_soon(&dir);
    // Both are ended after a while.
    let begin = Instant::now();
    assert_eq!(silent.read(&mut [0; 64]).unwrap(), 0, "it is answered nothing");
    // The answer was ready later, and on a slow machine much later.
    std::thread::sleep(Duration::from_secs(3));
    let mut reply = Vec::new();
    let read = deaf.read_to_end(&mut reply);
    assert!(reply.len() < 900_000 && !reply.ends_with(b"\n"), "{read:?} {}", reply.len());
    println!("ended after {:?}, with {} bytes of a reply", begin.elapsed(), reply.len());

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let crowd: Vec<UnixStream> = (0..CLIENTS).map(|_| target.connect()).collect();
    assert!(descriptors(&sensor) <= before + 8, "no more than it takes at a time");
    let begin = Instant::now();
    drop(crowd);
    setrlimit(Resource::Nofile, limit).unwrap();
    answers_soon(&dir);
    println!("it answers {:?} after {CLIENTS} clients have left", begin.elapsed());

    fs::write(work.join("stop"), "").unwrap();
    child::ends_with(at_work, 0);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(descriptors(&sensor), before);
    assert_eq!(health(&dir, "supplementary_events_subsystem"), "ebpf");
    let events = finish(sensor, &dir);
    let count: usize = fs::read_to_string(work.join("count")).unwrap().parse().unwrap();
    let seen = events.iter().filter(|event| {
        at(event, "event.action") == "rename" && at(event, "process.pid") == at_work
    });
    println!("{count} renames meanwhile");
    assert_seen(seen.count(), count, skipped(&events));
    assert_complete_but_for_skips(&events);
}

fn the_socket_is_for_its_owner() {
    require_live();
    let (_guard, dir) = scratch();
    let state = folder(&dir, "state");
    let sensor = Sensor::start_to_file(&dir);
    let run = dir.join("run");
    assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o7777, 0o700);
    // All that is above it is open to everybody.
    for above in [&dir, &run] {
        fs::set_permissions(above, Permissions::from_mode(0o755)).unwrap();
    }
    let socket = run.join("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    let other = child::fork(|| {
        rustix::thread::set_thread_res_gid(
            rustix::process::Gid::from_raw(NOBODY),
            rustix::process::Gid::from_raw(NOBODY),
            rustix::process::Gid::from_raw(NOBODY),
        )
        .unwrap();
        let user = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        let refused = UnixStream::connect(&socket);
        i32::from(!refused.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied))
    });
    child::ends_with(other, 0);
    sensor.leave();
    assert!(!socket.exists(), "it is free while the kernel detaches");
    assert!(SoleDirectory::new(&state, LOCK).take(), "so is what commands have set");
}
