//! What calls are given beside names, as the kernel side writes it.

use super::*;

#[test]
fn what_moves_names_and_is_reported() {
    use libc::{CLONE_FS, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, SYS_setns, SYS_unshare};
    let moves = Decoded::Both(Relocation::Namespaces);
    for (number, given, ret, action, decoded) in [
        (SYS_unshare, CLONE_NEWNS, 0, Action::Unshare, moves),
        (SYS_unshare, CLONE_FS, 0, Action::Unshare, moves),
        (SYS_unshare, CLONE_NEWNET, 0, Action::Unshare, Decoded::Event),
        (SYS_unshare, CLONE_NEWNS, -1, Action::Unshare, Decoded::Event),
        (SYS_setns, CLONE_NEWUSER, 0, Action::Setns, moves),
        // Whatever the descriptor is.
        (SYS_setns, 0, 0, Action::Setns, moves),
        (SYS_setns, 0, -9, Action::Setns, Decoded::Event),
    ] {
        let mut bytes = call(MOTE_KIND_NAME, 0, number, b"", b"");
        bytes.i32(offset_of!(mote_call, call_flags), given);
        bytes.put(offset_of!(mote_header, ret), &i64::from(ret).to_ne_bytes());
        let (result, event) = bytes.decode();
        assert_eq!((result, event.action), (Ok(decoded), action), "{number} {given:x} {ret}");
        let told = number == SYS_unshare || given != 0;
        assert_eq!(event.call_flags, told.then_some(given as u32));
    }
    // Sent when it was entered: it may succeed.
    let mut bytes = call(MOTE_KIND_NAME, MOTE_RESULT_UNKNOWN, SYS_unshare, b"", b"");
    bytes.i32(offset_of!(mote_call, call_flags), CLONE_NEWNS);
    assert_eq!(bytes.decode().0, Ok(moves));
}

#[test]
fn a_name_that_is_no_path_stands_for_itself() {
    for (number, action) in [
        (libc::SYS_memfd_create, Action::MemfdCreate),
        (libc::SYS_delete_module, Action::ModuleUnload),
        (libc::SYS_bpf, Action::BpfLoad),
    ] {
        let mut bytes = call(MOTE_KIND_NAME, 0, number, b"", b"a/b\0");
        bytes.i32(offset_of!(mote_call, call_flags), 1);
        let event = bytes.event();
        assert_eq!(
            (event.action, &event.from[..], &event.path[..]),
            (action, &b"a/b"[..], &b""[..])
        );
        assert_eq!((event.call_flags, event.flags), (Some(1), Flags(0)));
        let unread = call(MOTE_KIND_NAME, MOTE_PATH_UNREAD, number, b"", b"").event();
        assert_eq!(unread.flags, Flags::FROM_UNREAD);
        let cut = call(MOTE_KIND_NAME, MOTE_PATH_CUT, number, b"", b"a\0").event();
        assert_eq!(cut.truncated, Truncated::FROM);
    }
    // A program without one.
    let event = call(MOTE_KIND_NAME, MOTE_UNNAMED, libc::SYS_bpf, b"", b"").event();
    assert_eq!((event.flags, event.by_descriptor), (Flags(0), false));
}

#[test]
fn what_a_privileged_call_is_given() {
    use crate::event::Given;
    let ids = |real, effective, saved| Some(Given::Ids([real, effective, saved]));
    let two = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    const NONE: u32 = u32::MAX;
    for (number, flags, mode, value, given) in [
        (libc::SYS_setuid, 0, NONE, two(NONE, 7), ids(None, Some(7), None)),
        (libc::SYS_setresgid, 0, 3, two(1, 2), ids(Some(1), Some(2), Some(3))),
        (libc::SYS_setgroups, 0, 0, 0, None),
        (libc::SYS_process_vm_writev, 0, 0, 5, Some(Given::Process(5))),
        // PTRACE_TRACEME: whatever the pid is.
        (libc::SYS_ptrace, 0, 0, 5, Some(Given::Process(0))),
        (libc::SYS_pidfd_getfd, 0, 0, 0, None),
        (libc::SYS_clock_settime, 0, 5, 2, Some(Given::Clock(2_000_000_005))),
        (libc::SYS_clock_settime, MOTE_FLAGS_UNREAD, 5, 2, None),
        (libc::SYS_clock_settime, 0, 1_000_000_000, 2, None),
        (libc::SYS_adjtimex, 0, NONE, 0, None),
        (libc::SYS_adjtimex, MOTE_FLAGS_UNREAD, NONE, 0, None),
    ] {
        let mut bytes = call(MOTE_KIND_NAME, flags, number, b"", b"");
        bytes.i32(offset_of!(mote_call, mode), mode as i32);
        bytes.put(offset_of!(mote_call, value), &value.to_ne_bytes());
        let event = bytes.event();
        assert_eq!(event.given, given, "{number}");
        assert_eq!(event.flags.contains(Flags::CALL_FLAGS_UNREAD), flags != 0, "{number}");
    }
    let mut mount = call(MOTE_KIND_PAIR, 0, libc::SYS_mount, b"none\0", b"/m\0");
    for (word, kind) in [(&b"binfmt_misc\0"[..], &b"binfmt_misc"[..]), (b"proc\0", b"proc")] {
        mount.put(offset_of!(mote_call, mode), word);
        let expected = Given::Type(kind.iter().copied().collect());
        assert_eq!(mount.event().given, Some(expected));
    }
    let mut long = call(MOTE_KIND_PAIR, MOTE_WORD_CUT, libc::SYS_mount, b"x\0", b"/m\0");
    long.put(offset_of!(mote_call, mode), b"fuse.gvfsd-\0");
    assert_eq!(long.event().truncated, Truncated::MOUNT_TYPE);
    mount.put(offset_of!(mote_call, mode), &[0; 12]);
    let event = mount.event();
    assert_eq!((event.given, &event.from[..], &event.path[..]), (None, &b"none"[..], &b"/m"[..]));
}

#[test]
fn what_a_mount_in_steps_is_given() {
    use crate::event::{Given, MountStep};
    use crate::limits::WORD_BYTES;
    let word = |word: &[u8]| word.iter().copied().collect::<crate::event::Bytes<WORD_BYTES>>();
    let step = |descriptor, option: &[u8], attributes| {
        Some(Given::Step(MountStep { descriptor, option: word(option), attributes }))
    };
    let attributes = [0, 0, 4, 0, 1, 0, 0, 0, 2, 0, 0, 0];
    let private = Some([1, 2, 1 << 18]);
    for (number, flags, bytes, given) in [
        (libc::SYS_fsopen, 0, &b"tmpfs\0"[..], Some(Given::Type(word(b"tmpfs")))),
        (libc::SYS_fsconfig, MOTE_UNNAMED, b"source\0", step(Some(7), b"source", None)),
        (libc::SYS_fsconfig, MOTE_UNNAMED, b"\0", step(Some(7), b"", None)),
        (libc::SYS_mount_setattr, 0, &attributes, step(None, b"", private)),
        (libc::SYS_mount_setattr, MOTE_FLAGS_UNREAD, b"", step(None, b"", None)),
        (libc::SYS_fsmount, 0, &[0, 0, 0, 0, 8], step(Some(7), b"", Some([8, 0, 0]))),
        (libc::SYS_fspick, 0, b"", None),
        (libc::SYS_open_tree, 0, b"", None),
        // Without a name it moves what the descriptor is.
        (libc::SYS_move_mount, 0, b"", step(Some(8), b"", None)),
    ] {
        let mut record = call(MOTE_KIND_PAIR, flags, number, b"", b"");
        record.put(offset_of!(mote_call, mode), bytes);
        record.i32(offset_of!(mote_call, call_flags), 3);
        record.i32(offset_of!(mote_call, dirfd), 7).i32(offset_of!(mote_call, from_dirfd), 8);
        let event = record.event();
        assert_eq!((event.action, event.by_descriptor), (Action::Mount, false), "{number}");
        assert_eq!((event.given, event.call_flags), (given, Some(3)), "{number}");
    }
    let named = call(MOTE_KIND_PAIR, 0, libc::SYS_move_mount, b"from\0", b"to\0").event();
    assert_eq!(named.given, None);
    let cut = call(MOTE_KIND_PAIR, MOTE_WORD_CUT, libc::SYS_fsconfig, b"", b"").event();
    assert_eq!(cut.truncated, Truncated::MOUNT_OPTION);
}

/// What a 32-bit call points at is not read, and its arguments are.
#[test]
fn arguments_of_a_32_bit_call_are_told() {
    let unread = MOTE_FLAGS_UNREAD | MOTE_COMPAT | MOTE_RESULT_UNKNOWN;
    for (number, call_flags) in [
        (libc::SYS_fsconfig, Some(6)),
        (libc::SYS_mount, Some(6)),
        (libc::SYS_io_uring_setup, None),
    ] {
        let mut bytes = call(MOTE_KIND_PAIR, unread, number, b"", b"");
        bytes.i32(offset_of!(mote_call, call_flags), 6);
        assert_eq!(bytes.event().call_flags, call_flags, "{number}");
    }
}

#[test]
fn what_a_handle_opened_is_its_descriptor() {
    for (ret, by_descriptor) in [(5i64, true), (-1, false)] {
        let mut bytes = call(MOTE_KIND_NAME, MOTE_UNNAMED, libc::SYS_open_by_handle_at, b"", b"");
        bytes.put(offset_of!(mote_header, ret), &ret.to_ne_bytes());
        let event = bytes.event();
        assert_eq!((event.action, event.by_descriptor), (Action::Open, by_descriptor));
    }
    let entered = MOTE_UNNAMED | MOTE_RESULT_UNKNOWN;
    let event = call(MOTE_KIND_NAME, entered, libc::SYS_open_by_handle_at, b"", b"").event();
    assert!(!event.by_descriptor);
}

/// `RESOLVE_IN_ROOT`: the name is no path of the host's.
#[test]
fn a_name_below_another_root_is_relative_to_it() {
    for (name, path) in [(&b"//etc/f\0"[..], &b"etc/f"[..]), (b"f\0", b"f"), (b"/\0", b".")] {
        let event = call(MOTE_KIND_NAME, MOTE_ROOTED, libc::SYS_openat2, b"", name).event();
        assert_eq!(&event.path[..], path);
        assert!(event.flags.contains(Flags::PATH_UNRESOLVED));
    }
}

#[test]
fn a_call_without_a_name_is_of_its_descriptor_if_it_says_so() {
    let unread = MOTE_PATH_UNREAD | MOTE_READ_LATE;
    let to_descriptor = 0x40;
    for (number, flags, call_flags, by_descriptor) in [
        (libc::SYS_fchmod, MOTE_UNNAMED, 0, true),
        (libc::SYS_fchmodat, 0, 0, false),
        (i64::from(FCHMODAT2), 0, 0, false),
        (i64::from(FCHMODAT2), 0, libc::AT_EMPTY_PATH, true),
        (libc::SYS_fchownat, 0, libc::AT_EMPTY_PATH, true),
        (libc::SYS_move_mount, 0, to_descriptor, true),
        (libc::SYS_move_mount, 0, libc::AT_EMPTY_PATH, false),
        (libc::SYS_open_tree, 0, libc::AT_EMPTY_PATH, true),
        (libc::SYS_mount_setattr, 0, libc::AT_EMPTY_PATH, true),
        // FSPICK_EMPTY_PATH
        (libc::SYS_fspick, 0, 8, true),
        (libc::SYS_fspick, 0, libc::AT_EMPTY_PATH, false),
        (libc::SYS_utimensat, MOTE_UNNAMED, 0, true),
        (libc::SYS_utimensat, unread, 0, false),
        (libc::SYS_fsetxattr, MOTE_UNNAMED, 0, true),
        // What was read late of it is the attribute.
        (libc::SYS_fsetxattr, MOTE_UNNAMED | MOTE_READ_LATE, 0, true),
        (libc::SYS_finit_module, MOTE_UNNAMED, 0, true),
        (libc::SYS_init_module, MOTE_UNNAMED, 0, false),
        (libc::SYS_kexec_file_load, MOTE_UNNAMED, 0, true),
        (libc::SYS_kexec_file_load, MOTE_UNNAMED, 1, false),
        // Here it is AT_REMOVEDIR and more that the kernel refuses.
        (libc::SYS_unlinkat, 0, libc::AT_EMPTY_PATH, false),
    ] {
        let mut bytes = call(MOTE_KIND_NAME, flags, number, b"", b"\0");
        bytes.i32(offset_of!(mote_call, call_flags), call_flags);
        let event = bytes.event();
        assert_eq!(event.by_descriptor, by_descriptor, "{number}");
        assert_eq!(event.flags.is_empty(), flags & unread == 0, "{number}");
    }
}

#[test]
fn what_else_a_call_is_given() {
    use crate::event::{Device, FileType, Given};
    let owner = |uid: u32, gid: u32| u64::from(uid) | u64::from(gid) << 32;
    let node = |kind, device| Some(Given::Node(kind, device));
    let null = Device { major: 1, minor: 3 };
    let fifo = Some(FileType::Fifo);
    let now = 0x3fff_ffff;
    for (number, mode, value, given) in [
        (libc::SYS_mknodat, 0o020_600, 0x103, node(Some(FileType::CharacterDevice), Some(null))),
        (libc::SYS_mknodat, 0o010_600, 0x103, node(fifo, None)),
        (libc::SYS_mknodat, 0o600, 0, node(Some(FileType::File), None)),
        (libc::SYS_mknodat, 0o050_600, 0, node(None, None)),
        (libc::SYS_fchown, 0, owner(7, u32::MAX), Some(Given::Owner(Some(7), None))),
        (libc::SYS_fchown, 0, owner(u32::MAX, 8), Some(Given::Owner(None, Some(8)))),
        (libc::SYS_truncate, 0, u64::MAX, Some(Given::Size(-1))),
        (libc::SYS_utimensat, 5, 2, Some(Given::Modified(Some(2_000_000_005)))),
        (libc::SYS_utimensat, 5, -1i64 as u64, Some(Given::Modified(Some(-999_999_995)))),
        (libc::SYS_utimensat, now, 2, Some(Given::Modified(None))),
        (libc::SYS_utimensat, 1_000_000_000, 2, Some(Given::Modified(None))),
        (libc::SYS_utimensat, 0, i64::MAX as u64, Some(Given::Modified(None))),
        (libc::SYS_unlinkat, 5, 2, None),
    ] {
        let mut bytes = call(MOTE_KIND_NAME, 0, number, b"", b"/f\0");
        bytes.i32(offset_of!(mote_call, mode), mode);
        bytes.put(offset_of!(mote_call, value), &value.to_ne_bytes());
        let event = bytes.event();
        assert_eq!(event.given, given, "{number} {mode:o} {value:x}");
        assert!(event.mode.is_none_or(|mode| mode == 0o600));
    }
    let unread = call(MOTE_KIND_NAME, MOTE_FLAGS_UNREAD, libc::SYS_utimensat, b"", b"/f\0").event();
    assert_eq!((unread.given, unread.flags), (None, Flags::CALL_FLAGS_UNREAD));
}

#[test]
fn the_second_string_of_a_call() {
    for number in [libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_setxattr] {
        let event = call(MOTE_KIND_PAIR, 0, number, b"one\0", b"/f\0").event();
        assert_eq!((&event.from[..], &event.path[..]), (&b"one"[..], &b"/f"[..]));
        assert_eq!(event.call_flags, (number == libc::SYS_linkat).then_some(0));
    }
}

/// Operations of io_uring, whose result is not waited for; what was asked for is told if it was
/// read.
#[test]
fn what_is_asked_for_through_io_uring() {
    let flags = MOTE_URING | MOTE_RESULT_UNKNOWN;
    let mut bytes = call(MOTE_KIND_NAME, flags, libc::SYS_mkdirat, b"", b"d\0");
    bytes.i32(offset_of!(mote_call, mode), 0o750);
    let event = bytes.event();
    assert_eq!((event.action, &event.path[..], event.ret), (Action::Mkdir, &b"d"[..], None));
    assert_eq!(event.flags, Flags::IO_URING.union(Flags::RESULT_UNKNOWN));
    assert_eq!(event.mode, Some(0o750));
    for number in [libc::SYS_mkdirat, libc::SYS_openat, libc::SYS_linkat, libc::SYS_ftruncate] {
        let unread = flags | MOTE_FLAGS_UNREAD | MOTE_PATH_UNREAD;
        let event = call(MOTE_KIND_NAME, unread, number, b"", b"").event();
        assert!(event.flags.contains(Flags::CALL_FLAGS_UNREAD.union(Flags::PATH_UNREAD)));
        assert_eq!((event.call_flags, event.mode, event.given), (None, None, None), "{number}");
    }
}
