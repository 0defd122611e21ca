//! What an operation of io_uring looks like in the kernel when it begins: measured, since no
//! tracepoint tells its names and addresses.
//!
//! `struct io_kiocb` begins with what the operation is asked for, which has had the same layout
//! since 5.14 but for one (linux `io_uring/openclose.c`, `fs.c`, `net.c`; before 6.0
//! `fs/io_uring.c`). We ask for operations that we choose, and a program copies what they are in the kernel: if that is
//! what `bpf/uring.c` takes it for, it is known. They hang on one that fails, so none of them is
//! carried out, and the kernel makes no threads for them.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use io_uring::{IoUring, Probe, opcode};
use rustix::net::{AddressFamily, SocketType, socket};

use super::abi::record::*;
use super::object::Object;
use crate::syscalls;

/// Operations that are told, and the system call that does the same.
const CALLS: [(u8, &str); 16] = [
    (opcode::SendMsg::CODE, "sendmsg"),
    (opcode::SendMsgZc::CODE, "sendmsg"),
    (opcode::Accept::CODE, "accept4"),
    (opcode::Connect::CODE, "connect"),
    (opcode::Bind::CODE, "bind"),
    (opcode::Listen::CODE, "listen"),
    (opcode::OpenAt::CODE, "openat"),
    (opcode::OpenAt2::CODE, "openat2"),
    (opcode::RenameAt::CODE, "renameat2"),
    (opcode::UnlinkAt::CODE, "unlinkat"),
    (opcode::MkDirAt::CODE, "mkdirat"),
    (opcode::SymlinkAt::CODE, "symlinkat"),
    (opcode::LinkAt::CODE, "linkat"),
    (opcode::SetXattr::CODE, "setxattr"),
    (opcode::FSetXattr::CODE, "fsetxattr"),
    (opcode::Ftruncate::CODE, "ftruncate"),
];

/// The elements of the map `uring_calls`: where they go, and what they are.
pub(super) fn elements() -> impl Iterator<Item = (u32, u32)> {
    CALLS.into_iter().filter_map(|(code, name)| Some((code.into(), syscalls::number_here(name)?)))
}

/// Whether nobody may ask for anything: `kernel.io_uring_disabled` is 2 (from 6.6 on).
pub(super) fn is_disabled() -> bool {
    disabled() == "2"
}

/// Whether it takes CAP_SYS_ADMIN, or a group: it is 1.
pub(super) fn is_for_admin() -> bool {
    disabled() == "1"
}

fn disabled() -> String {
    let value = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    value.map_or_else(|_| String::new(), |value| value.trim().to_owned())
}

/// Where the fields are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The descriptor in a `struct io_kiocb`. `None`: not there, since the request has the file
    /// itself (before 6.0).
    pub fd: Option<u32>,
    /// Whether symlinkat, which there is from 5.15 on, has its descriptor second, as renameat has the
    /// new one (from 6.0 on).
    pub symlink_second: bool,
}

/// Stands in the request, and is nobody else's.
const USER_DATA: u64 = 0x6d6f_7465_5eed_7a11;
/// Names of nothing, which fit into what is copied of each.
const NAMES: [&std::ffi::CStr; 2] = [c"/proc/mote-old", c"/proc/mote-new"];
/// No descriptors: with absolute names the kernel does not look at them.
const DIRFDS: [i32; 2] = [0x5eed, 0x7a11];
/// `struct sockaddr` that takes a socket's peer away (connect(2)).
const UNSPECIFIED: [u8; 16] = [0; 16];

/// Measures with the program `probe_uring` attached. `None`: the operations were not seen, or are
/// otherwise.
pub fn requests(object: &Object, settings: &mote_settings) -> io::Result<Option<Offsets>> {
    let mut ring = IoUring::new(2)?;
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    object.set_settings(&mote_settings { probe_pid: std::process::id(), ..*settings })?;
    let found = measure(object, &mut ring, &socket);
    object.set_settings(settings)?;
    found
}

fn measure(object: &Object, ring: &mut IoUring, socket: &OwnedFd) -> io::Result<Option<Offsets>> {
    let [old_dirfd, new_dirfd] = DIRFDS;
    let [old, new] = NAMES.map(|name| name.as_ptr());
    let rename =
        opcode::RenameAt::new(Fd(old_dirfd), old, Fd(new_dirfd), new).flags(libc::RENAME_NOREPLACE);
    if !copy(object, ring, rename.build())?.is_some_and(|probe| is_rename(&probe)) {
        return Ok(None);
    }
    let open = opcode::OpenAt::new(Fd(old_dirfd), old).flags(libc::O_DIRECTORY);
    if !copy(object, ring, open.build())?.is_some_and(|probe| is_open(&probe)) {
        return Ok(None);
    }
    let unlink = opcode::UnlinkAt::new(Fd(old_dirfd), old).flags(libc::AT_REMOVEDIR);
    if !copy(object, ring, unlink.build())?.is_some_and(|probe| is_unlink(&probe)) {
        return Ok(None);
    }
    let mut known = Probe::new();
    ring.submitter().register_probe(&mut known)?;
    let symlink = opcode::SymlinkAt::new(Fd(new_dirfd), old, new).build();
    let symlink_second = match known.is_supported(opcode::SymlinkAt::CODE) {
        false => Some(false),
        true => copy(object, ring, symlink)?.and_then(|probe| is_second(&probe)),
    };
    let Some(symlink_second) = symlink_second else { return Ok(None) };
    let fd = socket.as_raw_fd();
    let address = UNSPECIFIED.as_ptr();
    let connect = opcode::Connect::new(Fd(fd), address.cast(), UNSPECIFIED.len() as u32);
    let probe = copy(object, ring, connect.build())?;
    let fd = probe.and_then(|probe| find_connect(&probe.task, address as u64, fd));
    Ok(fd.map(|fd| Offsets { fd, symlink_second }))
}

/// Asks for an operation behind one that fails, and returns what it is in the kernel.
fn copy(object: &Object, ring: &mut IoUring, asked: Entry) -> io::Result<Option<Box<mote_probe>>> {
    object.set_probe(&Object::empty_probe())?;
    // Nothing is polled.
    let fails = opcode::PollRemove::new(USER_DATA).build().flags(Flags::IO_LINK);
    let entries = [fails, asked.user_data(USER_DATA)];
    // SAFETY: what they point at is static, or alive until they are completed, just below.
    unsafe { ring.submission().push_multiple(&entries) }.map_err(io::Error::other)?;
    ring.submit_and_wait(entries.len())?;
    ring.completion().for_each(drop);
    Ok(Some(object.probe()?).filter(|probe| probe.done != 0))
}

fn is_rename(probe: &mote_probe) -> bool {
    let flags = libc::RENAME_NOREPLACE.to_ne_bytes();
    probe.task[8..16] == DIRFDS.map(i32::to_ne_bytes).concat()
        && (0..NAMES.len()).all(|nth| has_name(probe, nth))
        && probe.task[32..36] == flags
}

fn is_open(probe: &mote_probe) -> bool {
    let flags = probe.task[24..32].first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    probe.task[8..12] == DIRFDS[0].to_ne_bytes()
        && has_name(probe, 0)
        && flags & !(libc::O_LARGEFILE as u64 | LARGEFILE) == libc::O_DIRECTORY as u64
}

fn is_unlink(probe: &mote_probe) -> bool {
    let given = [DIRFDS[0], libc::AT_REMOVEDIR].map(i32::to_ne_bytes).concat();
    probe.task[8..16] == given && has_name(probe, 0)
}

/// Whether a symlinkat has its descriptor in the second place. The other one may have anything.
fn is_second(probe: &mote_probe) -> Option<bool> {
    let dirfd = DIRFDS[1].to_ne_bytes();
    let (is_first, is_second) = (probe.task[8..12] == dirfd, probe.task[12..16] == dirfd);
    let is_certain = is_first != is_second && (0..NAMES.len()).all(|nth| has_name(probe, nth));
    is_certain.then_some(is_second)
}

/// `O_LARGEFILE` of the kernel, which the C library takes for 0 (linux
/// `include/uapi/asm-generic/fcntl.h`; arm64's is another).
const LARGEFILE: u64 = if cfg!(target_arch = "aarch64") { 0o400_000 } else { 0o100_000 };

fn has_name(probe: &mote_probe, nth: usize) -> bool {
    let copied = probe.targets.chunks_exact(MOTE_PROBE_TARGET_BYTES as usize).nth(nth);
    copied.is_some_and(|name| name.starts_with(NAMES[nth].to_bytes_with_nul()))
}

/// The address and its size; then the descriptor, behind the result that is behind the word that
/// we chose (`struct io_cqe` of linux `include/linux/io_uring_types.h`).
fn find_connect(request: &[u8], address: u64, fd: i32) -> Option<Option<u32>> {
    let asked = [&address.to_ne_bytes()[..], &(UNSPECIFIED.len() as u32).to_ne_bytes()].concat();
    if request.get(8..20)? != asked {
        return None;
    }
    let offset = request.windows(16).step_by(8).zip((0..).step_by(8)).find_map(|(window, at)| {
        (window[..8] == USER_DATA.to_ne_bytes() && window[12..] == fd.to_ne_bytes())
            .then_some(at + 12)
    });
    // Without the file and the descriptor it is not known which socket it is.
    let has_file = request[..8] != [0; 8];
    (has_file || offset.is_some()).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_call() {
        let elements: std::collections::BTreeMap<u32, u32> = elements().collect();
        assert_eq!(elements.len(), CALLS.len());
        assert!(elements.keys().all(|code| *code < MOTE_URING_OPCODES));
    }

    const ADDRESS: u64 = 0x7fff_1234_5678;

    /// The beginning of a `struct io_kiocb`: 6.18 has its `io_cqe` at 80.
    fn connect(file: u64, user_data_at: usize, fd: i32) -> Vec<u8> {
        let mut request = vec![0; 256];
        request[..8].copy_from_slice(&file.to_ne_bytes());
        request[8..16].copy_from_slice(&ADDRESS.to_ne_bytes());
        request[16] = 16;
        request[user_data_at..][..8].copy_from_slice(&USER_DATA.to_ne_bytes());
        request[user_data_at + 12..][..4].copy_from_slice(&fd.to_ne_bytes());
        request
    }

    #[test]
    fn a_descriptor_stands_behind_the_word_that_is_ours() {
        let found = |request: &[u8]| find_connect(request, ADDRESS, 7);
        assert_eq!(found(&connect(0, 80, 7)), Some(Some(92)));
        // Before 6.0.
        assert_eq!(found(&connect(0xffff_8880_0000_0000, 80, 0)), Some(None));
        // Neither.
        assert_eq!(found(&connect(0, 80, 8)), None);
        // Elsewhere.
        assert_eq!(find_connect(&connect(0, 80, 7), ADDRESS + 1, 7), None);
        assert_eq!(find_connect(&[0; 16], ADDRESS, 7), None);
    }

    fn named(names: [&[u8]; 2]) -> Box<mote_probe> {
        let mut probe = Object::empty_probe();
        for (nth, name) in names.into_iter().enumerate() {
            probe.targets[nth * 16..][..name.len()].copy_from_slice(name);
        }
        probe
    }

    #[test]
    fn requests_that_are_otherwise_are_not_known() {
        let names = NAMES.map(std::ffi::CStr::to_bytes_with_nul);
        let mut rename = named(names);
        rename.task[8..16].copy_from_slice(&DIRFDS.map(i32::to_ne_bytes).concat());
        rename.task[32] = libc::RENAME_NOREPLACE as u8;
        assert!(is_rename(&rename));
        rename.task[32] = 0;
        assert!(!is_rename(&rename));
        let mut open = named(names);
        open.task[8..12].copy_from_slice(&DIRFDS[0].to_ne_bytes());
        let flags = libc::O_DIRECTORY as u64 | LARGEFILE;
        open.task[24..32].copy_from_slice(&flags.to_ne_bytes());
        assert!(is_open(&open));
        open.targets[0] = b'x';
        assert!(!is_open(&open));
        let mut symlink = named(names);
        assert_eq!(is_second(&symlink), None);
        symlink.task[12..16].copy_from_slice(&DIRFDS[1].to_ne_bytes());
        assert_eq!(is_second(&symlink), Some(true));
        // What was asked for before stands there too.
        symlink.task[8..12].copy_from_slice(&DIRFDS[1].to_ne_bytes());
        assert_eq!(is_second(&symlink), None);
        symlink.task[12..16].fill(7);
        assert_eq!(is_second(&symlink), Some(false));
    }
}
