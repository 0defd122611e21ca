//! What a host does, turn by turn.

use crate::live::bursts::{BURST, BURSTS, c_name, rename, timed};
use rustix::fs::{Mode, OFlags, open};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A loop, which says how many nanoseconds one of its turns takes.
pub struct Loop {
    /// Of its figures.
    pub name: &'static str,
    /// For people.
    pub what: &'static str,
    /// Whether the sensor tells of its turns.
    pub is_told: bool,
    pub turns: fn(&Path) -> f64,
}

pub const LOOPS: [Loop; 10] = [
    Loop { name: "rename", what: "rename", is_told: true, turns: rename },
    Loop {
        name: "open_write",
        what: "open for writing and close",
        is_told: true,
        turns: open_write,
    },
    Loop {
        name: "open_read",
        what: "open for reading and close",
        is_told: false,
        turns: open_read,
    },
    Loop { name: "getppid", what: "getppid, not hooked", is_told: false, turns: getppid },
    Loop { name: "connect", what: "connect and accept on loopback", is_told: true, turns: connect },
    Loop { name: "send", what: "send on a connected socket", is_told: false, turns: send },
    Loop { name: "sendto", what: "send to an address, again", is_told: false, turns: sendto },
    Loop { name: "exec", what: "fork, exec, exit and wait", is_told: true, turns: exec },
    Loop { name: "compile", what: "make and gcc, a file", is_told: true, turns: compile },
    Loop {
        name: "request",
        what: "a request of nginx",
        is_told: true,
        turns: crate::nginx::request,
    },
];

/// What they need in `dir`.
pub fn prepare(dir: &Path) {
    std::fs::write(dir.join("a"), "").unwrap();
    let sources = dir.join("sources");
    std::fs::create_dir(&sources).unwrap();
    for number in 0..SOURCES {
        let text =
            format!("#include <stdio.h>\nint f{number}(void) {{ return puts(\"{number}\"); }}\n");
        std::fs::write(sources.join(format!("{number}.c")), text).unwrap();
    }
    let makefile = "all: $(patsubst %.c,%.o,$(wildcard *.c))\n%.o: %.c\n\t@$(CC) -c -o $@ $<\n";
    std::fs::write(sources.join("Makefile"), makefile).unwrap();
}

fn open_write(dir: &Path) -> f64 {
    let (name, flags) = (c_name(dir, "a"), OFlags::WRONLY | OFlags::CLOEXEC);
    timed(BURSTS, BURST, || drop(open(&name, flags, Mode::empty()).unwrap()))
}

/// A call that is hooked, in a form that is not told.
fn open_read(dir: &Path) -> f64 {
    let (name, flags) = (c_name(dir, "a"), OFlags::RDONLY | OFlags::CLOEXEC);
    timed(BURSTS, BURST, || drop(open(&name, flags, Mode::empty()).unwrap()))
}

fn getppid(_: &Path) -> f64 {
    timed(BURSTS, 5_000, || {
        std::hint::black_box(rustix::process::getppid());
    })
}

/// Both ends, closed by a reset, so that no port has to wait.
fn connect(_: &Path) -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    timed(BURSTS, 50, || {
        let stream = TcpStream::connect(address).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        drop(listener.accept().unwrap());
    })
}

/// A datagram a turn, on a socket that is connected.
fn send(_: &Path) -> f64 {
    sends(false)
}

/// The same, to an address that was told before.
fn sendto(_: &Path) -> f64 {
    sends(true)
}

fn sends(to_address: bool) -> f64 {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = receiver.local_addr().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    if !to_address {
        socket.connect(address).unwrap();
    }
    timed(BURSTS, BURST, || {
        let sent = if to_address { socket.send_to(b"x", address) } else { socket.send(b"x") };
        assert_eq!(sent.unwrap(), 1);
    })
}

fn exec(_: &Path) -> f64 {
    let mut command = Command::new("true");
    timed(20, 10, || assert!(command.status().unwrap().success()))
}

/// Of [`compile`].
const SOURCES: u32 = 20;

/// One process at a time: make, and for each file gcc, cc1 and as.
fn compile(dir: &Path) -> f64 {
    let mut make = Command::new("make");
    make.args(["-s", "-B", "-C"]).arg(dir.join("sources")).stdout(Stdio::null());
    timed(3, 1, || assert!(make.status().unwrap().success())) / f64::from(SOURCES)
}
