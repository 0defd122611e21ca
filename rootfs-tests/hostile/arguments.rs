//! Every system call that has a program, with arguments that nobody means: pointers to nothing, to the
//! kernel, to the last byte before a hole; sizes and counts beyond all bounds.

use crate::by;
use crate::support::expect::{assert_complete_but_for_skips, assert_seen, at, skipped};
use crate::support::runner::Test;
use crate::support::sys::{c, sys};
use crate::support::{Sensor, child, decode, require_live, scratch};
use mote::syscalls::{Arch, Effect, SYSCALLS, Syscall};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

pub const TESTS: &[Test] =
    &[("hostile_arguments_harm_no_program", hostile_arguments_harm_no_program)];

/// Of each call.
const ATTEMPTS: usize = 200;
/// So many calls, and a pause: rings are looked at every 50 ms.
const BURST: usize = 50;
const PAGE_BYTES: usize = 4096;

/// What an argument may be.
struct Values {
    random: fastrand::Rng,
    values: Vec<u64>,
}

impl Values {
    /// With memory that is never given back. `name` is nothing that exists.
    #[allow(unsafe_code)]
    fn new(seed: u64, name: &std::ffi::CStr, descriptors: &[i32]) -> Values {
        let map = |pages: usize| {
            let (all, private) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: new memory, where the kernel likes.
            let at = unsafe {
                mmap_anonymous(std::ptr::null_mut(), pages * PAGE_BYTES, all, private).unwrap()
            };
            at as usize
        };
        // Letters without an end: then a hole, or memory that may not be read.
        let edges: &'static [usize; 2] = Box::leak(Box::new([map(2), map(2)]));
        let endless = map(16);
        // A page that was never touched: reading it is a page fault, which no program may take.
        let untouched = map(1);
        for (at, bytes) in
            [(edges[0], PAGE_BYTES), (edges[1], PAGE_BYTES), (endless, 16 * PAGE_BYTES)]
        {
            // SAFETY: memory that was just mapped.
            unsafe { std::ptr::write_bytes(at as *mut u8, b'/', bytes) };
        }
        // SAFETY: nothing of ours is in these pages.
        unsafe {
            munmap((edges[0] + PAGE_BYTES) as *mut _, PAGE_BYTES).unwrap();
            mprotect((edges[1] + PAGE_BYTES) as *mut _, PAGE_BYTES, MprotectFlags::empty())
                .unwrap();
        }
        let mut values: Vec<u64> = vec![
            name.as_ptr() as u64,
            endless as u64,
            untouched as u64,
            // A structure that begins with pointers to such letters.
            std::ptr::from_ref(edges) as u64,
            // The kernel, a hole between both halves, and the vsyscall page.
            0xffff_8880_0000_0000,
            0xffff_ffff_8100_0000,
            0x0000_8000_0000_0000,
            0xdead_beef_dead_beef,
            0xffff_ffff_ff60_0000,
            0,
            1,
            7,
            8,
            16,
            4095,
            4097,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            i64::MIN as u64,
            -1i64 as u64,
            libc::AT_FDCWD as u64,
        ];
        for edge in *edges {
            let end = (edge + PAGE_BYTES) as u64;
            values.extend([end, end - 1, end - 7, end - 512, edge as u64]);
        }
        values.extend(descriptors.iter().map(|fd| *fd as u64));
        Values { random: fastrand::Rng::with_seed(seed), values }
    }

    fn one(&mut self) -> u64 {
        match self.random.u8(..) {
            ..16 => self.random.u64(..),
            16..32 => self.random.u64(..256),
            _ => self.values[self.random.usize(..self.values.len())],
        }
    }
}

/// Calls that are told only if they write or change something, if whoever makes them may, or if they
/// send to another address: all others are told each time, whatever they were given.
const CONDITIONAL: [&str; 15] = [
    "open",
    "openat",
    "openat2",
    "open_tree",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "adjtimex",
    "clock_adjtime",
    "bpf",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
];

/// The number of a call that may be made: none that stops, or that waits for somebody.
fn number(call: &Syscall) -> Option<u32> {
    let waits = ["ptrace", "accept", "accept4"];
    call.number(Arch::HOST).filter(|_| !waits.contains(&call.name))
}

/// Makes all calls, as a user who may do nothing.
#[allow(unsafe_code)]
fn attack(dir: &std::path::Path) -> i32 {
    // A descriptor by chance is none of those that this test has: its output, for one.
    for fd in 0..64 {
        sys!(SYS_close, fd);
    }
    for _ in 0..3 {
        sys!(SYS_openat, libc::AT_FDCWD, c"/dev/null".as_ptr(), libc::O_RDWR, 0).check(0);
    }
    let file = File::open(dir.join("file")).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = c(dir.join("nothing/here"));
    let mut values = Values::new(1, &name, &[file.as_raw_fd(), socket.as_raw_fd()]);
    // Memory that one call may take is another's, and descriptors are few.
    let few = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
    sys!(SYS_setgroups, 0, 0).check(0);
    sys!(SYS_setresgid, 65534, 65534, 65534).check(0);
    sys!(SYS_setresuid, 65534, 65534, 65534).check(0);
    let calls: Vec<u32> = SYSCALLS.iter().filter_map(number).collect();
    for attempt in 0..ATTEMPTS * calls.len() {
        let number = calls[attempt % calls.len()];
        let args: [u64; 6] = std::array::from_fn(|_| values.one());
        let [a, b, c, d, e, f] = args;
        // SAFETY: what is written to is `edges`, `endless`, `untouched` and pages of nobody: no call
        // of these is given other memory of ours, but by 62 random bits.
        unsafe { libc::syscall(i64::from(number), a, b, c, d, e, f) };
        if attempt % BURST == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    0
}

fn hostile_arguments_harm_no_program() {
    require_live();
    let (_guard, dir) = scratch();
    fs::write(dir.join("file"), "").unwrap();
    fs::write(dir.join("a"), "").unwrap();
    let mut sensor = Sensor::start_to_file(&dir);
    let attacker = child::fork(|| attack(&dir));
    child::ends_with(attacker, 0);
    // Places of calls are free again, and the next is told as ever.
    for _ in 0..600 {
        fs::rename(dir.join("a"), dir.join("b")).unwrap();
        fs::rename(dir.join("b"), dir.join("a")).unwrap();
    }
    assert!(sensor.is_running(), "{}", sensor.log());
    sensor.leave();
    let events = decode(&Sensor::records(&dir));
    let skipped = skipped(&events);
    let renames = by(&events, std::process::id(), "rename");
    assert_seen(renames.len(), 1200, skipped);
    assert!(renames.iter().all(|rename| at(rename, "mote.return") == 0), "of calls that succeeded");
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| at(event, "process.pid") == attacker) {
        *told.entry(at(event, "mote.syscall_name").as_str().unwrap_or_default()).or_default() += 1;
    }
    println!("{told:?}");
    for call in SYSCALLS {
        let is_reported = matches!(call.effect, Effect::Report(_) | Effect::Both(..));
        // Later calls this kernel may not have.
        let is_there = number(call).is_some() && call.since.is_none();
        if is_reported && is_there && !CONDITIONAL.contains(&call.name) {
            // The attacker made some itself before it began.
            let told = told.get(call.name).copied().unwrap_or(0).min(ATTEMPTS);
            assert!(told + skipped >= ATTEMPTS, "{}: {told} told, {skipped} skipped", call.name);
        }
    }
    assert_complete_but_for_skips(&events);
}
