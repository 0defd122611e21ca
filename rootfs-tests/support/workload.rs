//! A load that knows what it did: programs, files, connections.

use super::child;
use super::expect::{Row, at, mode};
use super::sys::sys;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Nobody's; a group of another number, so that a mistake for it shows.
const USER: u32 = 65534;
const GROUP: u32 = 65533;

pub struct Workload {
    dir: PathBuf,
    own: u32,
    children: BTreeSet<u64>,
    ports: BTreeSet<u64>,
    /// Files, programs and connections so far: their names are distinct.
    made: usize,
    /// Rest after every step, to spread a load over time.
    pub rest: Duration,
    pub rows: Vec<Row>,
}

impl Workload {
    /// A load below `dir`, which has to be there before the sensor is.
    pub fn new(dir: &Path) -> Workload {
        Workload {
            dir: dir.into(),
            own: std::process::id(),
            children: BTreeSet::new(),
            ports: BTreeSet::new(),
            made: 0,
            rest: Duration::ZERO,
            rows: Vec::new(),
        }
    }

    /// A load of every kind, `scale` times one fifth of what the acceptance asks for.
    pub fn run(&mut self, scale: usize) {
        for _ in 0..scale {
            self.programs(40);
            self.files(200);
            self.directories(10);
            self.connections(10);
            self.as_another_user(10);
        }
    }

    /// Whether the load caused this event.
    pub fn caused(&self, event: &Value) -> bool {
        let below =
            |field| at(event, field).as_str().is_some_and(|p| Path::new(p).starts_with(&self.dir));
        match at(event, "event.action").as_str().unwrap() {
            "fork" | "exec" | "exit" => {
                at(event, "process.pid").as_u64().is_some_and(|pid| self.children.contains(&pid))
            }
            "connect" => {
                at(event, "process.pid") == self.own
                    && at(event, "destination.port")
                        .as_u64()
                        .is_some_and(|port| self.ports.contains(&port))
            }
            _ => below("file.path") || below("file.Ext.original.path"),
        }
    }

    fn step(&mut self) -> usize {
        sleep(self.rest);
        self.made += 1;
        self.made
    }

    fn row(&self, action: &'static str) -> Row {
        Row::new(action, self.own)
    }

    /// Programs with distinct arguments and exit codes.
    fn programs(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.step();
            let code = number % 100;
            let script = format!("exit {code}");
            let last = format!("program {number}");
            let args = ["-c", &script, "mote-workload", &last];
            let mut child = Command::new("/bin/sh").args(args).spawn().unwrap();
            let pid = child.id();
            assert_eq!(child.wait().unwrap().code(), Some(code as i32));
            self.children.insert(pid.into());
            let shell = Path::new("/bin/sh");
            self.rows.push(Row::new("fork", pid));
            self.rows.push(
                Row::new("exec", pid)
                    .executable(shell)
                    .with("process.args", json!(["/bin/sh", args[0], args[1], args[2], args[3]]))
                    .with("process.args_count", 5)
                    .result(0),
            );
            self.rows.push(Row::new("exit", pid).executable(shell).with("process.exit_code", code));
        }
    }

    /// Created, renamed and unlinked, by absolute and by relative names in turn.
    fn files(&mut self, count: usize) {
        std::env::set_current_dir(&self.dir).unwrap();
        for _ in 0..count {
            let number = self.step();
            let start = if number.is_multiple_of(2) { self.dir.clone() } else { PathBuf::new() };
            let old = format!("file {number}");
            let new = format!("moved {number}");
            let file = fs::File::create(start.join(&old)).unwrap();
            // The descriptor as the kernel returned it, which is what the event has.
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
            drop(file);
            fs::rename(start.join(&old), start.join(&new)).unwrap();
            fs::remove_file(start.join(&new)).unwrap();
            let (old, new) = (self.dir.join(old), self.dir.join(new));
            let open = self.row("open").path(&old).with("file.mode", mode(0o666));
            self.rows.push(open.result(descriptor.into()));
            self.rows.push(self.row("rename").from(&old).path(&new).result(0));
            self.rows.push(self.row("unlink").path(&new).result(0));
        }
    }

    /// Made, changed, entered, removed, and removed once more in vain.
    fn directories(&mut self, count: usize) {
        for _ in 0..count {
            let name = format!("directory {}", self.step());
            std::env::set_current_dir(&self.dir).unwrap();
            let path = self.dir.join(&name);
            fs::create_dir(&name).unwrap();
            std::env::set_current_dir(&name).unwrap();
            fs::create_dir("inner").unwrap();
            fs::set_permissions("inner", Permissions::from_mode(0o700)).unwrap();
            fs::remove_dir("inner").unwrap();
            std::env::set_current_dir(&self.dir).unwrap();
            fs::remove_dir(&name).unwrap();
            assert!(fs::remove_dir(&path).is_err());
            let inner = path.join("inner");
            let mkdir = |path| self.row("mkdir").path(path).with("file.mode", mode(0o777));
            let rows = [
                mkdir(&path).result(0),
                mkdir(&inner).result(0),
                self.row("chmod").path(&inner).with("file.mode", mode(0o700)).result(0),
                self.row("rmdir").path(&inner).result(0),
                self.row("rmdir").path(&path).result(0),
                self.row("rmdir").path(&path).result(-i64::from(libc::ENOENT)),
            ];
            self.rows.extend(rows);
        }
    }

    /// Children of another user, each with a file and a program of its own.
    fn as_another_user(&mut self, count: usize) {
        let number = self.step();
        let home = self.dir.join(format!("home {number}"));
        fs::create_dir(&home).unwrap();
        chown(&home, Some(USER), Some(GROUP)).unwrap();
        // By relative names: the way to it is closed to others.
        std::env::set_current_dir(&home).unwrap();
        self.rows.push(self.row("mkdir").path(&home).with("file.mode", mode(0o777)).result(0));
        let owned = self.row("chown").path(&home).with("file.uid", USER.to_string());
        self.rows.push(owned.with("file.gid", GROUP.to_string()).result(0));
        for _ in 0..count {
            let number = self.step();
            let code = (number % 100) as i32;
            let (old, new) = (format!("file {number}"), format!("moved {number}"));
            let script = format!("exit {code}");
            let args = ["sh", "-c", script.as_str()];
            // Their files get the descriptor that this process would get.
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&fs::File::open(".").unwrap());
            let shell = Path::new("/bin/sh");
            let pid = child::fork(|| {
                sys!(SYS_setgid, GROUP).check(0);
                sys!(SYS_setuid, USER).check(0);
                drop(fs::File::create(&old).unwrap());
                fs::rename(&old, &new).unwrap();
                fs::remove_file(&new).unwrap();
                child::exec(shell, &args.map(str::as_bytes))
            });
            child::ends_with(pid, code);
            self.children.insert(pid.into());
            // Made while it still was this process's user.
            self.rows.push(Row::new("fork", pid));
            let row = |action| Row::new(action, pid).user(USER, GROUP);
            let (old, new) = (home.join(old), home.join(new));
            let open = row("open").path(&old).with("file.mode", mode(0o666));
            let exec = row("exec").executable(shell).with("process.args", json!(args));
            self.rows.extend([
                open.result(descriptor.into()),
                row("rename").from(&old).path(&new).result(0),
                row("unlink").path(&new).result(0),
                exec.with("process.args_count", args.len()).result(0),
                row("exit").executable(shell).with("process.exit_code", code),
            ]);
        }
        std::env::set_current_dir(&self.dir).unwrap();
        fs::remove_dir(&home).unwrap();
        self.rows.push(self.row("rmdir").path(&home).result(0));
    }

    /// Accepted and refused.
    fn connections(&mut self, count: usize) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = listener.local_addr().unwrap().port();
        // Bound, not listening: refused, and nobody else can take it.
        let closed = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )
        .unwrap();
        let any = std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        rustix::net::bind(&closed, &any).unwrap();
        let refused = std::net::SocketAddr::try_from(rustix::net::getsockname(&closed).unwrap());
        let refused = refused.unwrap().port();
        for _ in 0..count {
            self.step();
            TcpStream::connect((Ipv4Addr::LOCALHOST, open)).unwrap();
            assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, refused)).is_err());
            for (port, result) in [(open, 0), (refused, -i64::from(libc::ECONNREFUSED))] {
                self.ports.insert(port.into());
                let row = self
                    .row("connect")
                    .with("destination.ip", "127.0.0.1")
                    .with("destination.address", "127.0.0.1")
                    .with("destination.port", port);
                self.rows.push(row.result(result));
            }
        }
    }
}
