//! Records as the kernel side writes them, built by offset from `bpf/record.h`.

#[path = "decode_tests/given.rs"]
mod given;
#[path = "decode_tests/socket.rs"]
mod socket;

use super::*;
use crate::event::{AT_FDCWD, Event, Opened, Tree};
use crate::syscalls::{Arch, Effect};

/// Of both architectures; libc does not have it.
const FCHMODAT2: i32 = 452;

/// As many bytes have short names, and all before them.
const SAMPLE_BYTES: usize = offset_of!(mote_call, data) + 128;

/// A record's bytes with room for the largest kind.
struct Bytes(Vec<u8>);

impl Bytes {
    fn new(kind: u32, flags: u32, syscall: i32, ret: i64) -> Bytes {
        let mut bytes = Bytes(vec![0; size_of::<mote_exec>()]);
        bytes.put(offset_of!(mote_header, time_ns), &77u64.to_ne_bytes());
        bytes.put(offset_of!(mote_header, pid), &10u32.to_ne_bytes());
        bytes.put(offset_of!(mote_header, tid), &11u32.to_ne_bytes());
        bytes.put(offset_of!(mote_header, uid), &1000u32.to_ne_bytes());
        bytes.put(offset_of!(mote_header, gid), &100u32.to_ne_bytes());
        bytes.put(offset_of!(mote_header, ret), &ret.to_ne_bytes());
        bytes.put(offset_of!(mote_header, syscall), &syscall.to_ne_bytes());
        bytes.put(offset_of!(mote_header, kind), &(kind as u16).to_ne_bytes());
        bytes.put(offset_of!(mote_header, flags), &(flags as u16).to_ne_bytes());
        bytes.put(offset_of!(mote_header, comm), b"sh\0left over");
        bytes
    }

    fn put(&mut self, offset: usize, value: &[u8]) -> &mut Bytes {
        self.0[offset..offset + value.len()].copy_from_slice(value);
        self
    }

    fn u16(&mut self, offset: usize, value: u16) -> &mut Bytes {
        self.put(offset, &value.to_ne_bytes())
    }

    fn i32(&mut self, offset: usize, value: i32) -> &mut Bytes {
        self.put(offset, &value.to_ne_bytes())
    }

    fn decode(&self) -> (Result<Decoded, Malformed>, Event) {
        let mut event = Event::new();
        (decode(&self.0, &mut event), event)
    }

    /// Decodes what has to be an event.
    fn event(&self) -> Event {
        let (result, event) = self.decode();
        assert_eq!(result, Ok(Decoded::Event));
        event
    }
}

/// A call with its names, each with the NUL that the kernel copies.
fn call(kind: u32, flags: u32, number: i64, from: &[u8], path: &[u8]) -> Bytes {
    let mut bytes = Bytes::new(kind, flags, number as i32, 0);
    bytes
        .i32(offset_of!(mote_call, dirfd), AT_FDCWD)
        .i32(offset_of!(mote_call, from_dirfd), AT_FDCWD)
        .u16(offset_of!(mote_call, from_bytes), from.len() as u16)
        .u16(offset_of!(mote_call, path_bytes), path.len() as u16)
        .put(offset_of!(mote_call, data), &[from, path].concat());
    bytes
}

/// A record of every kind, and of every call.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut samples = vec![from_descriptors((b"d\0", 1), (b"e\0f\0", 2))];
    for call in crate::syscalls::SYSCALLS {
        let Some(number) = call.number(Arch::HOST) else { continue };
        samples.push(match call.effect {
            Effect::Report(action) if action.is_on_socket() => {
                socket::on_socket(number.into(), &socket::connected(6), b"\x02\0\0P\x7f\0\0\x01")
            }
            _ => self::call(MOTE_KIND_PAIR, 0, number.into(), b"a\0", b"/b\0"),
        });
    }
    samples.retain(|sample| sample.decode().0.is_ok());
    samples.push(socket::connect_to(b"\x01\0/run/s\0"));
    let args = b"ls\0-l\0";
    let mut exec = Bytes::new(MOTE_KIND_EXEC, 0, libc::SYS_execve as i32, 0);
    exec.u16(offset_of!(mote_exec, args_bytes), args.len() as u16)
        .u16(offset_of!(mote_exec, args_count), 2)
        .u16(offset_of!(mote_exec, path_bytes), 8)
        .put(offset_of!(mote_exec, data), &[&args[..], b"/bin/ls\0"].concat());
    samples.push(exec);
    for kind in [MOTE_KIND_FORK, MOTE_KIND_EXIT, MOTE_KIND_SIGNAL] {
        samples.push(Bytes::new(kind, 0, -1, 0));
    }
    // Without most of the room of the largest.
    samples.into_iter().map(|sample| sample.0[..SAMPLE_BYTES].to_vec()).collect()
}

#[test]
fn a_rename_has_both_names_and_who_did_it() {
    let event = call(MOTE_KIND_PAIR, 0, libc::SYS_renameat2, b"old\0", b"/new name\0").event();
    assert_eq!(event.action, Action::Rename);
    assert_eq!((&event.from[..], &event.path[..]), (&b"old"[..], &b"/new name"[..]));
    assert_eq!((event.time_ns, event.pid, event.tid), (77, 10, 11));
    assert_eq!((event.uid, event.gid, &event.comm[..]), (1000, 100, &b"sh"[..]));
    assert_eq!((event.syscall, event.ret), (Some(libc::SYS_renameat2 as u32), Some(0)));
}

#[test]
fn unlinkat_removes_a_file_or_a_directory() {
    let mut bytes = call(MOTE_KIND_NAME, 0, libc::SYS_unlinkat, b"", b"d\0");
    assert_eq!(bytes.event().action, Action::Unlink);
    bytes.i32(offset_of!(mote_call, call_flags), libc::AT_REMOVEDIR);
    assert_eq!(bytes.event().action, Action::Rmdir);
}

#[test]
fn an_open_has_a_mode_only_if_it_could_create() {
    let mut bytes = call(MOTE_KIND_NAME, 0, libc::SYS_openat, b"", b"f\0");
    bytes.i32(offset_of!(mote_call, mode), 0o644);
    bytes.i32(offset_of!(mote_call, call_flags), libc::O_WRONLY);
    assert_eq!(bytes.event().mode, None);
    bytes.i32(offset_of!(mote_call, call_flags), libc::O_WRONLY | libc::O_CREAT);
    assert_eq!(bytes.event().mode, Some(0o644));
    bytes.i32(offset_of!(mote_call, call_flags), libc::O_RDWR | libc::O_TMPFILE);
    assert_eq!(bytes.event().mode, Some(0o644));
    bytes.i32(offset_of!(mote_call, call_flags), libc::O_RDWR | libc::O_DIRECTORY);
    assert_eq!(bytes.event().mode, None);
    let unread = call(MOTE_KIND_NAME, MOTE_FLAGS_UNREAD, libc::SYS_openat2, b"", b"f\0").event();
    assert_eq!((unread.call_flags, unread.mode), (None, None));
    assert!(unread.flags.contains(Flags::CALL_FLAGS_UNREAD));
}

#[test]
fn a_relocation_is_not_an_event() {
    let (result, event) = call(MOTE_KIND_NAME, 0, libc::SYS_chdir, b"", b"/tmp\0").decode();
    assert_eq!(result, Ok(Decoded::Relocation(Relocation::Directory)));
    assert_eq!(&event.path[..], b"/tmp");
    let mut unseen = call(MOTE_KIND_NAME, 0, libc::SYS_chdir, b"", b"/tmp\0");
    unseen.put(offset_of!(mote_call, unseen), &1u16.to_ne_bytes());
    assert_eq!(unseen.decode().0, Ok(Decoded::Relocation(Relocation::Unseen)));
}

#[test]
fn an_exec_has_its_arguments_and_their_number_if_it_is_known() {
    let args = b"ls\0-l\0\0";
    let mut bytes = Bytes::new(MOTE_KIND_EXEC, 0, libc::SYS_execve as i32, 0);
    bytes
        .u16(offset_of!(mote_exec, args_bytes), args.len() as u16)
        .u16(offset_of!(mote_exec, args_count), 3)
        .u16(offset_of!(mote_exec, path_bytes), 8)
        .put(offset_of!(mote_exec, data), &[&args[..], b"/bin/ls\0"].concat());
    let event = bytes.event();
    assert_eq!((&event.args[..], event.args_count), (&args[..], Some(3)));
    assert_eq!(&event.path[..], b"/bin/ls");
    bytes.u16(offset_of!(mote_header, flags), MOTE_ARGS_CUT as u16);
    let event = bytes.event();
    assert_eq!(event.args_count, None);
    assert!(event.truncated.contains(Truncated::ARGS));
    // Without an enter nothing was counted.
    bytes.u16(offset_of!(mote_header, flags), MOTE_ARGS_UNREAD as u16);
    bytes.i32(offset_of!(mote_header, syscall), -1);
    let event = bytes.event();
    assert_eq!((event.args_count, event.syscall), (None, None));
    assert!(event.flags.contains(Flags::ARGS_UNREAD));
}

#[test]
fn a_fork_is_about_the_child_and_an_exit_has_a_status_if_it_was_read() {
    let mut bytes = Bytes::new(MOTE_KIND_FORK, 0, -1, 12);
    bytes.i32(offset_of!(mote_fork, child_pid), 12);
    bytes.i32(offset_of!(mote_fork, clone_flags), libc::CLONE_FS);
    let event = bytes.event();
    assert_eq!(event.call_flags, Some(libc::CLONE_FS as u32));
    assert_eq!((event.pid, event.tid, event.ppid), (12, 12, Some(10)));
    // A thread that does not share its process's directory is no process.
    bytes.i32(offset_of!(mote_fork, clone_flags), libc::CLONE_THREAD | libc::CLONE_VM);
    let (result, event) = bytes.decode();
    assert_eq!(result, Ok(Decoded::Relocation(Relocation::Namespaces)));
    assert_eq!((event.pid, event.call_flags), (10, Some(libc::CLONE_FS as u32)));
    let mut bytes = Bytes::new(MOTE_KIND_EXIT, 0, -1, 0);
    bytes.i32(offset_of!(mote_exit, status), 0x300);
    assert_eq!(bytes.event().exit_status, Some(0x300));
    bytes.u16(offset_of!(mote_header, flags), MOTE_STATUS_UNKNOWN as u16);
    assert_eq!(bytes.event().exit_status, None);
}

#[test]
fn a_result_that_is_not_known_is_not_zero() {
    let event = call(MOTE_KIND_NAME, MOTE_RESULT_UNKNOWN, libc::SYS_openat, b"", b"f\0").event();
    assert_eq!(event.ret, None);
    assert!(event.flags.contains(Flags::RESULT_UNKNOWN));
}

/// A rename with the components of its descriptors.
fn from_descriptors(opened: (&[u8], u8), from_opened: (&[u8], u8)) -> Bytes {
    let names = b"old\0new\0";
    let mut bytes = call(MOTE_KIND_PAIR, 0, libc::SYS_renameat2, b"old\0", b"new\0");
    bytes
        .u16(offset_of!(mote_call, opened_bytes), opened.0.len() as u16)
        .u16(offset_of!(mote_call, from_opened_bytes), from_opened.0.len() as u16)
        .put(offset_of!(mote_call, opened_tree), &[opened.1])
        .put(offset_of!(mote_call, from_opened_tree), &[from_opened.1])
        .put(offset_of!(mote_call, data) + names.len(), &[opened.0, from_opened.0].concat());
    bytes
}

#[test]
fn components_from_a_descriptor_upwards_become_its_path() {
    let (host, other) = (MOTE_TREE_HOST as u8, MOTE_TREE_OTHER as u8);
    let event = from_descriptors((b"src\0u\0home\0", host), (b"a b\0", other)).event();
    assert_eq!(
        (&event.opened.path[..], event.opened.tree),
        (&b"/home/u/src"[..], Some(Tree::Host))
    );
    let from = &event.from_opened;
    assert_eq!((&from.path[..], from.tree), (&b"/a b"[..], Some(Tree::Other)));
    assert_eq!((&event.from[..], &event.path[..]), (&b"old"[..], &b"new"[..]));
    let event = from_descriptors((b"", host), (b"", 0)).event();
    assert_eq!((&event.opened.path[..], event.opened.tree), (&b"/"[..], Some(Tree::Host)));
    assert_eq!(event.from_opened, Opened::new());
    let doubtful = from_descriptors((b"f\0", MOTE_TREE_DOUBTFUL as u8), (b"", 0)).event();
    assert_eq!(doubtful.opened.tree, Some(Tree::Doubtful));
    let longest = [&[b'x'; 1023][..], &[0], &[b'y'; 255], &[0]].concat();
    assert_eq!(from_descriptors((&longest, host), (b"", 0)).event().opened.path.len(), 1280);
}

#[test]
fn components_that_are_none_are_an_error() {
    let host = MOTE_TREE_HOST as u8;
    for wrong in [&b"a"[..], b"a\0b", b"\0", b"a\0\0", b"\0a\0", b"a/b\0", b"..\0", b".\0a\0"] {
        let (result, _) = from_descriptors((wrong, host), (b"", 0)).decode();
        assert_eq!(result, Err(Malformed::Components(wrong.len() as u16)), "{wrong:?}");
        let (result, _) = from_descriptors((b"", 0), (wrong, host)).decode();
        assert_eq!(result, Err(Malformed::Components(wrong.len() as u16)), "{wrong:?}");
    }
    // Without a tree there are none.
    for (tree, components) in [(0, &b"a\0"[..]), (4, b"a\0"), (4, b"")] {
        let (result, _) = from_descriptors((components, tree), (b"", 0)).decode();
        assert_eq!(result, Err(Malformed::Tree(tree)));
    }
    let too_long = [[b'x'; 1280].as_slice(), &[0]].concat();
    assert!(matches!(
        from_descriptors((&too_long, host), (b"", 0)).decode().0,
        Err(Malformed::Length(_))
    ));
    let mut bytes = from_descriptors((b"a\0", host), (b"", 0));
    bytes.u16(offset_of!(mote_call, opened_bytes), u16::MAX);
    assert!(matches!(bytes.decode().0, Err(Malformed::Short(_))));
}

/// The kernel's own numbers for a call that may be started again never reach a caller.
#[test]
fn an_interrupted_call_has_the_result_that_its_caller_may_see() {
    for restart in [512, 513, 514, 516] {
        let mut bytes = call(MOTE_KIND_NAME, 0, libc::SYS_openat, b"", b"f\0");
        bytes.put(offset_of!(mote_header, ret), &(-restart as i64).to_ne_bytes());
        let event = bytes.event();
        assert_eq!(event.ret, Some(-i64::from(libc::EINTR)));
        assert!(event.flags.contains(Flags::INTERRUPTED));
    }
}

#[test]
fn what_is_not_of_the_agreed_shape_is_an_error() {
    let (result, _) = Bytes::new(99, 0, 0, 0).decode();
    assert_eq!(result, Err(Malformed::Kind(99)));
    let (result, _) = call(MOTE_KIND_NAME, 0, libc::SYS_read, b"", b"x\0").decode();
    assert_eq!(result, Err(Malformed::Syscall(libc::SYS_read as i32)));
    let (result, _) = call(MOTE_KIND_NAME, 0, libc::SYS_connect, b"", b"x\0").decode();
    assert_eq!(result, Err(Malformed::Syscall(libc::SYS_connect as i32)));
    let mut bytes = call(MOTE_KIND_NAME, 0, libc::SYS_openat, b"", b"x\0");
    bytes.u16(offset_of!(mote_call, path_bytes), u16::MAX);
    assert_eq!(bytes.decode().0, Err(Malformed::Short(offset_of!(mote_call, data))));
}

/// Every record cut at every byte: an error or an event, never a panic.
#[test]
fn cut_records_are_survived() {
    let whole = [
        call(MOTE_KIND_PAIR, 0, libc::SYS_renameat2, b"a\0", b"b\0"),
        socket::connect_to(&[2, 0, 0, 80, 127, 0, 0, 1]),
        from_descriptors((b"d\0", 1), (b"e\0", 2)),
        Bytes::new(MOTE_KIND_EXEC, 0, 59, 0),
        Bytes::new(MOTE_KIND_FORK, 0, -1, 0),
        Bytes::new(MOTE_KIND_EXIT, 0, -1, 0),
    ];
    for bytes in whole {
        let mut errors = 0;
        for end in 0..bytes.0.len() {
            let mut event = Event::new();
            errors += usize::from(decode(&bytes.0[..end], &mut event).is_err());
        }
        assert!(errors >= size_of::<mote_header>());
    }
}
