//! 32-bit system calls of this 64-bit program, by `int 0x80`.

use crate::call::{Case, Made, c, case, nothing, own};
use crate::connections::{end, internet, socket};
use crate::support::expect::{Row, mode};
use crate::support::runner::skip;
use crate::support::sys::sys;
use crate::support::{Sensor, require_live};
use libc::{AF_INET, O_CREAT, O_RDONLY, O_WRONLY, SOCK_DGRAM, SOCK_STREAM};
use mote::source::ebpf::compat::{Trial, trial};
use serde_json::json;
use std::ffi::CStr;
use std::fs::{create_dir, write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use syscalls::x86::Sysno;

/// A sensor that sees these calls; skips where there are none, or nothing to see them by.
pub fn start(dir: &Path) -> Sensor {
    require_live();
    if trial() != Trial::Works {
        skip("this kernel has no 32-bit system calls");
    }
    let are_unseen = |sensor: &Sensor| sensor.log().contains("32-bit system calls");
    let sensor = Sensor::start_to_file(dir);
    if !are_unseen(&sensor) {
        return sensor;
    }
    sensor.stop();
    println!("by a program at every call, as this kernel has no kprobes, or none that is fit");
    let sensor = Sensor::start_with(dir, &["--syslog", "stdout", "--watch-compat-calls"]);
    if are_unseen(&sensor) {
        skip("this kernel has nothing to see 32-bit system calls by");
    }
    sensor
}

/// Makes a call with these arguments, and returns its result.
#[allow(unsafe_code)]
pub fn int80(call: Sysno, args: [u32; 5]) -> i32 {
    let result: u32;
    // SAFETY: the addresses among the arguments are of `Low`, which lives as long as the call.
    // rbx, which the compiler keeps for itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(args[0]) => _,
            inlateout("eax") call as u32 => result,
            in("ecx") args[1], in("edx") args[2], in("esi") args[3], in("edi") args[4],
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result as i32
}

/// Memory that a 32-bit pointer can point at.
pub struct Low(*mut u8, usize);

const LOW_BYTES: usize = 4096;

#[allow(unsafe_code)]
impl Low {
    pub fn new() -> Low {
        let (read_write, anonymous) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
        );
        // SAFETY: a new mapping, which nothing else points at.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), LOW_BYTES, read_write, anonymous, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        Low(at.cast(), 0)
    }

    /// A copy of this, and where it is.
    pub fn bytes(&mut self, bytes: &[u8]) -> u32 {
        let at = self.1;
        self.1 = (at + bytes.len()).next_multiple_of(4);
        assert!(self.1 <= LOW_BYTES);
        // SAFETY: within the mapping, by the line before.
        unsafe {
            let to = self.0.add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            to as u32
        }
    }

    /// The same at the end of the memory, behind which there may be none.
    fn last_bytes(&mut self, bytes: &[u8]) -> u32 {
        self.1 = LOW_BYTES - bytes.len();
        self.bytes(bytes)
    }

    pub fn text(&mut self, text: &CStr) -> u32 {
        self.bytes(text.to_bytes_with_nul())
    }
}

/// What is told of every such call.
fn told(action: &'static str, call: &str) -> Row {
    let flags = json!(["result_unknown", "compat_syscall"]);
    own(action).with("mote.syscall_name", call).with("mote.flags", flags)
}

#[allow(unsafe_code)]
fn keep(made: &mut Made, fd: i32) {
    assert!(fd >= 0, "{fd}");
    // SAFETY: the kernel just opened it and nothing else has it.
    made.open.push(unsafe { OwnedFd::from_raw_fd(fd) });
}

pub const HERE: u32 = libc::AT_FDCWD as u32;
const SOCKETCALL_CONNECT: u32 = 3;
const SOCKETCALL_SENDTO: u32 = 11;

pub const CASES: &[Case] = &[
    case!("opens", nothing, |p, m| {
        let mut low = Low::new();
        let (a, b) = (low.text(&c(p.path("a"))), low.text(&c("b")));
        let flags = (O_CREAT | O_WRONLY) as u32;
        keep(m, int80(Sysno::open, [a, flags, 0o640, 0, 0]));
        m.rows.push(told("open", "open").path(&p.path("a")).with("file.mode", mode(0o640)));
        keep(m, int80(Sysno::openat, [HERE, b, flags, 0o600, 0]));
        m.rows.push(told("open", "openat").path(&p.path("b")).with("file.mode", mode(0o600)));
        keep(m, int80(Sysno::creat, [b, 0o600, 0, 0, 0]));
        m.rows.push(told("open", "creat").path(&p.path("b")).with("file.mode", mode(0o600)));
        // What can change nothing is not told.
        keep(m, int80(Sysno::open, [a, O_RDONLY as u32, 0, 0, 0]));
    }),
    case!("changes names", |_| write("a", "").unwrap(), |p, m| {
        let mut low = Low::new();
        let [a, b, d, s] = ["a", "b", "d", "s"].map(|name| low.text(&c(name)));
        assert_eq!(int80(Sysno::rename, [a, b, 0, 0, 0]), 0);
        m.rows.push(told("rename", "rename").from(&p.path("a")).path(&p.path("b")));
        assert_eq!(int80(Sysno::linkat, [HERE, b, HERE, a, 0]), 0);
        m.rows.push(told("link", "linkat").from(&p.path("b")).path(&p.path("a")));
        assert_eq!(int80(Sysno::symlinkat, [a, HERE, s, 0, 0]), 0);
        let row = told("symlink", "symlinkat").path(&p.path("s"));
        m.rows.push(row.with("file.target_path", "a"));
        assert_eq!(int80(Sysno::mkdir, [d, 0o750, 0, 0, 0]), 0);
        m.rows.push(told("mkdir", "mkdir").path(&p.path("d")).with("file.mode", mode(0o750)));
        assert_eq!(int80(Sysno::rmdir, [d, 0, 0, 0, 0]), 0);
        m.rows.push(told("rmdir", "rmdir").path(&p.path("d")));
        assert_eq!(int80(Sysno::unlinkat, [HERE, b, 0, 0, 0]), 0);
        m.rows.push(told("unlink", "unlinkat").path(&p.path("b")));
        assert_eq!(int80(Sysno::unlink, [b, 0, 0, 0, 0]), -libc::ENOENT);
        m.rows.push(told("unlink", "unlink").path(&p.path("b")));
    }),
    case!("changes what a file has", |_| write("a", "abc").unwrap(), |p, m| {
        let mut low = Low::new();
        let a = low.text(&c("a"));
        assert_eq!(int80(Sysno::chmod, [a, 0o600, 0, 0, 0]), 0);
        m.rows.push(told("chmod", "chmod").path(&p.path("a")).with("file.mode", mode(0o600)));
        assert_eq!(int80(Sysno::lchown32, [a, 7, u32::MAX, 0, 0]), 0);
        m.rows.push(told("chown", "lchown").path(&p.path("a")).with("file.uid", "7"));
        // Of 16-bit ids the lower half counts, in which all ones are none.
        assert_eq!(int80(Sysno::chown, [a, 0x1_0007, 0xffff, 0, 0]), 0);
        m.rows.push(told("chown", "chown").path(&p.path("a")).with("file.uid", "7"));
        assert_eq!(int80(Sysno::truncate64, [a, 2, 1, 0, 0]), 0);
        m.rows.push(
            told("truncate", "truncate").path(&p.path("a")).with("file.size", 4_294_967_298u64),
        );
        assert_eq!(int80(Sysno::utimes, [a, 0, 0, 0, 0]), 0);
        let flags = json!(["result_unknown", "call_flags_unread", "compat_syscall"]);
        m.rows.push(told("utime", "utimes").path(&p.path("a")).with("mote.flags", flags));
    }),
    // Where names lead after it is looked up, while it is there.
    case!("moves", |_| create_dir("d").unwrap(), |p, m| {
        let rows = |pid| {
            let row = Row::new("mkdir", pid).result(0).path(&p.path("d/x"));
            let row = row.with("file.mode", mode(0o700)).with("mote.syscall_name", "mkdirat");
            vec![row.with("mote.flags", json!(["path_unresolved"]))]
        };
        m.by_a_child(rows, || {
            let mut low = Low::new();
            let d = low.text(&c("d"));
            assert_eq!(int80(Sysno::chdir, [d, 0, 0, 0, 0]), 0);
            let x = c("x");
            sys!(SYS_mkdirat, libc::AT_FDCWD, x.as_ptr(), 0o700).check(0);
            std::thread::sleep(std::time::Duration::from_secs(2));
        });
    }),
    case!("uses sockets", nothing, |_, m| {
        let mut low = Low::new();
        // Nobody listens there, of those that this host has.
        let to = SocketAddr::new(Ipv4Addr::new(127, 7, 7, 8).into(), 9);
        let address = low.bytes(&internet(to));
        let call =
            |args: &[u32]| args.iter().flat_map(|arg| arg.to_ne_bytes()).collect::<Vec<u8>>();
        let stream = socket(AF_INET, SOCK_STREAM);
        let args = low.bytes(&call(&[stream.as_raw_fd() as u32, address, 16]));
        let refused = int80(Sysno::socketcall, [SOCKETCALL_CONNECT, args, 0, 0, 0]);
        assert_eq!(refused, -libc::ECONNREFUSED);
        let row = end(told("connect", "connect"), "destination", to);
        let row = row.with("destination.address", to.ip().to_string());
        m.rows.push(row.with("network.transport", "tcp"));
        let datagrams = socket(AF_INET, SOCK_DGRAM);
        let fd = datagrams.as_raw_fd() as u32;
        let args = low.bytes(&call(&[fd, address, 1, 0, address, 16]));
        // To the same address once.
        for _ in 0..2 {
            int80(Sysno::socketcall, [SOCKETCALL_SENDTO, args, 0, 0, 0]);
        }
        let row = end(told("send", "sendto"), "destination", to);
        m.rows.push(row.with("network.transport", "udp"));
    }),
    case!("uses a socket with what ends with its page", nothing, |_, m| {
        let mut low = Low::new();
        let to = SocketAddr::new(Ipv4Addr::new(127, 7, 7, 9).into(), 9);
        let address = low.bytes(&internet(to));
        let stream = socket(AF_INET, SOCK_STREAM);
        let args: Vec<u8> = [stream.as_raw_fd() as u32, address, 16]
            .into_iter()
            .flat_map(u32::to_ne_bytes)
            .collect();
        let args = low.last_bytes(&args);
        let refused = int80(Sysno::socketcall, [SOCKETCALL_CONNECT, args, 0, 0, 0]);
        assert_eq!(refused, -libc::ECONNREFUSED);
        let row = end(told("connect", "connect"), "destination", to);
        let row = row.with("destination.address", to.ip().to_string());
        m.rows.push(row.with("network.transport", "tcp"));
        // Programs ask the kernel something all the time.
        let netlink = socket(libc::AF_NETLINK, libc::SOCK_RAW);
        let address = Low::new().bytes(&[libc::AF_NETLINK as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(int80(Sysno::bind, [netlink.as_raw_fd() as u32, address, 12, 0, 0]), 0);
    }),
    case!("changes the process", nothing, |_, m| {
        let mut low = Low::new();
        let name = low.text(&c("mote"));
        assert_eq!(int80(Sysno::setreuid32, [u32::MAX, 0, 0, 0, 0]), 0);
        m.rows.push(told("setuid", "setreuid").with("mote.new_ids.effective", 0));
        let fd = int80(Sysno::memfd_create, [name, 0, 0, 0, 0]);
        keep(m, fd);
        m.rows.push(told("memfd_create", "memfd_create").with("mote.name", "mote"));
        assert!(int80(Sysno::delete_module, [name, 0, 0, 0, 0]) < 0);
        m.rows.push(told("module_unload", "delete_module").with("mote.name", "mote"));
    }),
];
