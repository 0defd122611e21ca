//! Operations that are asked for through io_uring, which no system call tells.

use crate::call::{Case, Made, c, case, nothing, own};
use crate::connections::{LOOPBACK, bound, end, internet, name, socket};
use crate::support::expect::{Row, mode};
use crate::support::sys::sys;
use io_uring::squeue::Entry;
use io_uring::types::{Fd, FsyncFlags, OpenHow};
use io_uring::{IoUring, Probe, opcode};
use libc::{
    AF_INET, AT_FDCWD, AT_REMOVEDIR, ECONNREFUSED, EEXIST, ENOENT, O_CREAT, O_RDONLY, O_WRONLY,
    SOCK_DGRAM, SOCK_STREAM,
};
use serde_json::json;
use std::fs::{create_dir, write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Whether this kernel has io_uring, and nobody has switched it off.
pub fn is_here() -> bool {
    IoUring::new(2).is_ok()
}

/// One that asks.
struct Asker(IoUring);

const HERE: Fd = Fd(AT_FDCWD);

impl Asker {
    fn new(made: &mut Made) -> Asker {
        let ring = IoUring::new(2).unwrap();
        let row = own("io_uring").result(ring.as_raw_fd().into());
        made.rows.push(row.with("mote.syscall_name", "io_uring_setup"));
        Asker(ring)
    }

    /// Whether this kernel has an operation.
    fn knows(&self, code: u8, name: &str) -> bool {
        let mut probe = Probe::new();
        let knows = self.0.submitter().register_probe(&mut probe).is_ok();
        let knows = knows && probe.is_supported(code);
        if !knows {
            println!("not on this kernel: {name} through io_uring");
        }
        knows
    }

    /// Asks, and returns the result.
    #[allow(unsafe_code)]
    fn any(&mut self, entry: &Entry) -> i32 {
        // SAFETY: what it points at is the caller's until it is completed, just below.
        unsafe { self.0.submission().push(entry) }.unwrap();
        self.0.submit_and_wait(1).unwrap();
        self.0.completion().next().unwrap().result()
    }

    /// The same, and the result has to be this: an error number, or 0 for success.
    fn ask(&mut self, entry: &Entry, errno: i32) -> i32 {
        let result = self.any(entry);
        assert_eq!(result.min(0), -errno);
        result
    }
}

/// What is told of every operation.
fn marked(row: Row, call: &str) -> Row {
    row.with("mote.syscall_name", call).with("mote.flags", json!(["result_unknown", "io_uring"]))
}

fn asked(action: &'static str, call: &str) -> Row {
    marked(own(action), call)
}

/// Found in /proc after the event; or where the process worked when it asked, and no more may.
fn found(row: Row) -> Row {
    row.with("mote.flags", json!(["result_unknown", "path_unresolved", "io_uring"]))
}

#[allow(unsafe_code)]
fn opened(fd: i32) -> OwnedFd {
    // SAFETY: the kernel just opened it and nothing else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

pub const CASES: &[Case] = &[
    case!("opens", nothing, |p, m| {
        let mut asker = Asker::new(m);
        let (absolute, relative) = (c(p.path("a")), c("b"));
        let create =
            opcode::OpenAt::new(HERE, absolute.as_ptr()).flags(O_CREAT | O_WRONLY).mode(0o640);
        m.open.push(opened(asker.ask(&create.build(), 0)));
        m.rows.push(asked("open", "openat").path(&p.path("a")).with("file.mode", mode(0o640)));
        let how = OpenHow::new().flags((O_CREAT | O_WRONLY) as u64).mode(0o600);
        let create = opcode::OpenAt2::new(HERE, relative.as_ptr(), &raw const how);
        m.open.push(opened(asker.ask(&create.build(), 0)));
        let b = found(asked("open", "openat2")).path(&p.path("b"));
        m.rows.push(b.with("file.mode", mode(0o600)));
        // What can change nothing is not told.
        let read = opcode::OpenAt::new(HERE, relative.as_ptr()).flags(O_RDONLY).build();
        m.open.push(opened(asker.ask(&read, 0)));
        let absent = c("absent/x");
        let write = opcode::OpenAt::new(HERE, absent.as_ptr()).flags(O_WRONLY).build();
        asker.ask(&write, ENOENT);
        m.rows.push(found(asked("open", "openat")).path(&p.path("absent/x")));
    }),
    case!("changes names", |_| write("a", "").unwrap(), |p, m| {
        let mut asker = Asker::new(m);
        if !asker.knows(opcode::RenameAt::CODE, "renameat") {
            return;
        }
        let [a, b] = ["a", "b"].map(c);
        let rename = opcode::RenameAt::new(HERE, a.as_ptr(), HERE, b.as_ptr());
        asker.ask(&rename.flags(libc::RENAME_NOREPLACE).build(), 0);
        m.rows.push(found(asked("rename", "renameat2")).from(&p.path("a")).path(&p.path("b")));
        let unlink = opcode::UnlinkAt::new(HERE, b.as_ptr()).build();
        asker.ask(&unlink, 0);
        m.rows.push(found(asked("unlink", "unlinkat")).path(&p.path("b")));
        let absolute = c(p.path("b"));
        let unlink = opcode::UnlinkAt::new(HERE, absolute.as_ptr()).build();
        asker.ask(&unlink, ENOENT);
        m.rows.push(asked("unlink", "unlinkat").path(&p.path("b")));
    }),
    case!("makes names", |_| write("a", "").unwrap(), |p, m| {
        let mut asker = Asker::new(m);
        if !asker.knows(opcode::LinkAt::CODE, "linkat") {
            return;
        }
        let [a, b, s, d] = ["a", "b", "s", "d"].map(c);
        asker.ask(&opcode::LinkAt::new(HERE, a.as_ptr(), HERE, b.as_ptr()).build(), 0);
        m.rows.push(found(asked("link", "linkat")).from(&p.path("a")).path(&p.path("b")));
        asker.ask(&opcode::SymlinkAt::new(HERE, a.as_ptr(), s.as_ptr()).build(), 0);
        let row = found(asked("symlink", "symlinkat")).path(&p.path("s"));
        m.rows.push(row.with("file.target_path", "a"));
        let mkdir = opcode::MkDirAt::new(HERE, d.as_ptr()).mode(0o750).build();
        for errno in [0, EEXIST] {
            asker.ask(&mkdir, errno);
            let row = found(asked("mkdir", "mkdirat")).path(&p.path("d"));
            m.rows.push(row.with("file.mode", mode(0o750)));
        }
        let rmdir = opcode::UnlinkAt::new(HERE, d.as_ptr()).flags(AT_REMOVEDIR).build();
        asker.ask(&rmdir, 0);
        m.rows.push(found(asked("rmdir", "unlinkat")).path(&p.path("d")));
    }),
    case!("below a descriptor", |_| create_dir("d").unwrap(), |p, m| {
        let mut asker = Asker::new(m);
        let directory = std::fs::File::open("d").unwrap();
        let x = c("x");
        let create = opcode::OpenAt::new(Fd(directory.as_raw_fd()), x.as_ptr());
        let create = create.flags(O_CREAT | O_WRONLY).mode(0o600).build();
        m.open.push(opened(asker.ask(&create, 0)));
        m.open.push(directory.into());
        let row = asked("open", "openat").path(&p.path("d/x")).with("file.mode", mode(0o600));
        m.rows.push(found(row));
    }),
    case!("sets an attribute", |_| write("a", "").unwrap(), |p, m| {
        let mut asker = Asker::new(m);
        if !asker.knows(opcode::SetXattr::CODE, "setxattr") {
            return;
        }
        let (absent, attribute, value) = (c("absent"), c("user.mote"), c("x"));
        let (name, value) = (attribute.as_ptr(), value.as_ptr().cast());
        asker.ask(&opcode::SetXattr::new(name, value, absent.as_ptr(), 1).build(), ENOENT);
        let row = found(asked("setxattr", "setxattr")).path(&p.path("absent"));
        m.rows.push(row.with("mote.attribute", "user.mote"));
        let file = std::fs::File::open("a").unwrap();
        // Whether the file system has attributes does not matter.
        let set = opcode::FSetXattr::new(Fd(file.as_raw_fd()), name, value, 1).build();
        m.rows.push(found(
            asked("setxattr", "fsetxattr").path(&p.path("a")).with("mote.attribute", "user.mote"),
        ));
        let errno = asker.any(&set);
        assert!([0, -libc::EOPNOTSUPP].contains(&errno), "{errno}");
        m.open.push(file.into());
    }),
    case!("sets a size", |_| write("a", "abc").unwrap(), |p, m| {
        let mut asker = Asker::new(m);
        if !asker.knows(opcode::Ftruncate::CODE, "ftruncate") {
            return;
        }
        let file = std::fs::File::options().append(true).open("a").unwrap();
        let row = own("open").result(file.as_raw_fd().into()).path(&p.path("a"));
        m.rows.push(row.with("mote.syscall_name", "openat"));
        let fd = Fd(file.as_raw_fd());
        asker.ask(&opcode::Ftruncate::new(fd, 2).build(), 0);
        let row = asked("truncate", "ftruncate").path(&p.path("a")).with("file.size", 2);
        m.rows.push(found(row));
        m.open.push(file.into());
    }),
    case!("connects", nothing, |_, m| {
        let mut asker = Asker::new(m);
        let stream = socket(AF_INET, SOCK_STREAM);
        // Nobody listens there, of those that this host has.
        let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 7, 7, 7)), 9);
        let address = internet(to);
        let fd = Fd(stream.as_raw_fd());
        let connect = opcode::Connect::new(fd, address.as_ptr().cast(), address.len() as u32);
        asker.ask(&connect.build(), ECONNREFUSED);
        let row = end(asked("connect", "connect"), "destination", to);
        let row = row.with("destination.address", to.ip().to_string());
        m.rows.push(row.with("network.transport", "tcp"));
    }),
    case!("accepts", nothing, |_, m| {
        let mut asker = Asker::new(m);
        let listener = bound(m, LOOPBACK, SOCK_STREAM, "tcp");
        let server = name(&listener);
        let tcp = |row: Row| row.with("network.transport", "tcp");
        let call = sys!(SYS_listen, listener.as_raw_fd(), 7);
        let row = end(call.event("listen", 0), "server", server).with("mote.backlog", 7);
        m.rows.push(tcp(row));
        // By a child: what io_uring has for the task that asked may interrupt its calls.
        let client = bound(m, LOOPBACK, SOCK_STREAM, "tcp");
        let rows = |pid| {
            let row = Row::new("connect", pid).result(0).with("mote.syscall_name", "connect");
            let row = end(end(row, "destination", server), "source", name(&client));
            vec![tcp(row.with("destination.address", server.ip().to_string()))]
        };
        m.by_a_child(rows, || {
            let address = internet(server);
            sys!(SYS_connect, client.as_raw_fd(), address.as_ptr(), address.len()).check(0);
        });
        let fd = Fd(listener.as_raw_fd());
        let none = std::ptr::null_mut();
        let accept = opcode::Accept::new(fd, none, std::ptr::null_mut()).build();
        m.open.push(opened(asker.ask(&accept, 0)));
        // Who it will be is not known yet.
        m.rows.push(tcp(end(asked("accept", "accept4"), "destination", server)));
    }),
    case!("binds and listens", nothing, |_, m| {
        let mut asker = Asker::new(m);
        if !asker.knows(opcode::Bind::CODE, "bind") {
            return;
        }
        let stream = socket(AF_INET, SOCK_STREAM);
        let fd = Fd(stream.as_raw_fd());
        let address = internet(LOOPBACK);
        let bind = opcode::Bind::new(fd, address.as_ptr().cast(), address.len() as u32).build();
        asker.ask(&bind, 0);
        // The address is where no program can find it.
        let flags = json!(["result_unknown", "address_unread", "io_uring"]);
        let row = asked("bind", "bind").with("mote.flags", flags);
        m.rows.push(row.with("network.transport", "tcp"));
        asker.ask(&opcode::Listen::new(fd, 7).build(), 0);
        let row = end(asked("listen", "listen"), "server", name(&stream));
        m.rows.push(row.with("network.transport", "tcp").with("mote.backlog", 7));
    }),
    case!("sends", nothing, |_, m| {
        let mut asker = Asker::new(m);
        let receiver = bound(m, LOOPBACK, SOCK_DGRAM, "udp");
        let to = name(&receiver);
        let datagrams = socket(AF_INET, SOCK_DGRAM);
        let address = internet(to);
        let message = crate::datagrams::message(&address);
        let send = opcode::SendMsg::new(Fd(datagrams.as_raw_fd()), &raw const message).build();
        // To the same address once.
        asker.ask(&send, 0);
        asker.ask(&send, 0);
        let row = end(asked("send", "sendmsg"), "destination", to);
        m.rows.push(row.with("network.transport", "udp"));
    }),
    // Its own thread does not ask.
    case!("asked for by the kernel's thread", nothing, |p, m| {
        let ring = IoUring::builder().setup_sqpoll(1000).build(2);
        let Ok(ring) = ring else {
            println!("not on this kernel: a thread of io_uring");
            return;
        };
        let row = own("io_uring").result(ring.as_raw_fd().into());
        m.rows.push(row.with("mote.syscall_name", "io_uring_setup"));
        let mut asker = Asker(ring);
        if !asker.knows(opcode::MkDirAt::CODE, "mkdirat") {
            return;
        }
        let name = c(p.path("x"));
        asker.ask(&opcode::MkDirAt::new(HERE, name.as_ptr()).mode(0o700).build(), 0);
        let row = asked("mkdir", "mkdirat").path(&p.path("x")).with("file.mode", mode(0o700));
        m.rows.push(row.thread(thread_of_the_kernel()));
    }),
    case!("by a child", nothing, |p, m| {
        let dir = p.path("x");
        let rows = |pid| {
            let setup = Row::new("io_uring", pid).with("mote.syscall_name", "io_uring_setup");
            let mkdir = Row::new("mkdir", pid).path(&dir).with("file.mode", mode(0o700));
            // The descriptor of the ring: the lowest that is free.
            vec![setup.result(ring_fd()), marked(mkdir, "mkdirat")]
        };
        if !Asker::new(m).knows(opcode::MkDirAt::CODE, "mkdirat") {
            return;
        }
        m.by_a_child(rows, || {
            let mut asker = Asker(IoUring::new(2).unwrap());
            let name = c(&dir);
            asker.ask(&opcode::MkDirAt::new(HERE, name.as_ptr()).mode(0o700).build(), 0);
        });
    }),
    case!("that change nothing", nothing, |_, m| {
        let mut asker = Asker::new(m);
        let file = std::fs::File::open(".").unwrap();
        asker.ask(&opcode::Nop::new().build(), 0);
        let fd = Fd(file.as_raw_fd());
        asker.ask(&opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(), 0);
    }),
];

/// The thread of this process that the kernel made to look for operations.
fn thread_of_the_kernel() -> u32 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let is_it = |path: &std::path::Path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("iou-sqp"))
    };
    let mut paths = tasks.map(|task| task.unwrap().path()).filter(|path| is_it(path));
    paths.next().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// The next descriptor that is opened.
fn ring_fd() -> i64 {
    std::fs::File::open(".").unwrap().as_raw_fd().into()
}
