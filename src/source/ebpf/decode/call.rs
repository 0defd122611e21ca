//! Calls on names and descriptors.

use core::mem::offset_of;

use super::{Decoded, Malformed, Record, entered_ns, put, until_nul};
use crate::event::{
    AT_EMPTY_PATH, Action, Bytes, Device, Event, FileType, Flags, Given, MountStep, NO_ID, Opened,
    Relocation, Tree, Truncated,
};
use crate::limits::WORD_BYTES;
use crate::source::ebpf::abi::record::*;
use crate::syscalls::{self, Arch, Effect, Syscall};

/// `AT_REMOVEDIR` (linux `include/uapi/linux/fcntl.h`): unlinkat removes a directory.
const AT_REMOVEDIR: u32 = 0x200;
/// linux `include/uapi/linux/mount.h`.
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
/// The same.
const FSPICK_EMPTY_PATH: u32 = 8;
/// `KEXEC_FILE_UNLOAD` (linux `include/uapi/linux/kexec.h`): the descriptors mean nothing.
const KEXEC_FILE_UNLOAD: u32 = 1;
/// `PTRACE_TRACEME` (linux `include/uapi/linux/ptrace.h`): the kernel does not look at the pid.
const PTRACE_TRACEME: u32 = 0;
/// `CLONE_FS`, `CLONE_NEWNS`, `CLONE_NEWUSER` (linux `include/uapi/linux/sched.h`): what changes
/// where a process's names lead.
const MOVING: u32 = 0x200 | 0x2_0000 | 0x1000_0000;
/// `UTIME_NOW`, `UTIME_OMIT` (linux `include/linux/stat.h`) in the place of nanoseconds.
const UTIME_SPECIAL: [u32; 2] = [0x3fff_ffff, 0x3fff_fffe];
/// `S_IFMT` (linux `include/uapi/linux/stat.h`).
const S_IFMT: u32 = 0o170_000;

/// Fills the event of such a call, or what it changes.
pub(super) fn call(
    record: &Record,
    flags: u32,
    syscall: i32,
    event: &mut Event,
) -> Result<Decoded, Malformed> {
    let call = by_number(syscall)?;
    record.has(offset_of!(mote_call, data))?;
    let call_flags = record.u32(offset_of!(mote_call, call_flags))?;
    let mode = record.u32(offset_of!(mote_call, mode))?;
    let value = record.u64(offset_of!(mote_call, value))?;
    event.dirfd = record.u32(offset_of!(mote_call, dirfd))? as i32;
    event.from_dirfd = record.u32(offset_of!(mote_call, from_dirfd))? as i32;
    event.entered_ns = entered_ns(event, record.u32(offset_of!(mote_call, duration_us))?);
    let from_bytes = record.u16(offset_of!(mote_call, from_bytes))?;
    let path_bytes = record.u16(offset_of!(mote_call, path_bytes))?;
    let data = offset_of!(mote_call, data);
    let from = record.bytes(data, from_bytes.into())?;
    put(&mut event.from, until_nul(from))?;
    let path = record.bytes(data + usize::from(from_bytes), path_bytes.into())?;
    let opened = data + usize::from(from_bytes) + usize::from(path_bytes);
    let opened_bytes = record.u16(offset_of!(mote_call, opened_bytes))?;
    let from_opened_bytes = record.u16(offset_of!(mote_call, from_opened_bytes))?;
    let tree = record.u8(offset_of!(mote_call, opened_tree))?;
    let from_tree = record.u8(offset_of!(mote_call, from_opened_tree))?;
    components(record, opened, opened_bytes, tree, &mut event.opened)?;
    let from_opened = opened + usize::from(opened_bytes);
    components(record, from_opened, from_opened_bytes, from_tree, &mut event.from_opened)?;
    let mut name = until_nul(path);
    if flags & MOTE_FLAGS_UNREAD != 0 && call.effect == Effect::Report(Action::Open) {
        // It may be rooted.
        event.flags.insert(Flags::PATH_UNRESOLVED);
    }
    if flags & MOTE_ROOTED != 0 {
        // The descriptor's directory is the root: the name starts there.
        while let [b'/', rest @ ..] = name {
            name = rest;
        }
        if name.is_empty() {
            name = b".";
        }
        event.flags.insert(Flags::PATH_UNRESOLVED);
    }
    put(&mut event.path, name)?;
    let mut relocated = None;
    event.action = match call.effect {
        Effect::Report(action) => action,
        Effect::Both(action, relocation) => {
            event.call_flags = (call.name != "setns" || call_flags != 0).then_some(call_flags);
            // Of whatever the descriptor is, if that is not told.
            let moves = event.call_flags.is_none_or(|flags| flags & MOVING != 0);
            // Of one that was sent when it was entered it is not known.
            let succeeds = event.ret.is_none_or(|ret| ret == 0);
            relocated = (succeeds && moves).then_some(relocation);
            action
        }
        Effect::Relocate(relocation) => {
            event.call_flags = Some(call_flags);
            // Of another root it is enough to know that it is one.
            let unseen = record.u16(offset_of!(mote_call, unseen))? != 0
                && relocation == Relocation::Directory;
            return Ok(Decoded::Relocation(if unseen { Relocation::Unseen } else { relocation }));
        }
    };
    event.by_descriptor = flags & MOTE_UNNAMED != 0
        || event.path.is_empty() && call_flags & takes_descriptors(call) != 0;
    match event.action {
        Action::Open if flags & MOTE_FLAGS_UNREAD == 0 => {
            event.call_flags = Some(call_flags);
            // Of one by a handle that failed, or whose result is not known, nothing is known.
            event.by_descriptor &= event.ret.is_some_and(|ret| ret >= 0);
            // Without them the kernel ignores it (open(2)). O_TMPFILE has O_DIRECTORY in it.
            let has = |flags: i32| call_flags & flags as u32 == flags as u32;
            let creates = has(libc::O_CREAT) || has(libc::O_TMPFILE);
            if creates && call.name != "open_by_handle_at" {
                event.mode = Some(mode);
            }
        }
        Action::Open => {}
        Action::Rename | Action::Link => event.call_flags = Some(call_flags),
        Action::Unlink if call_flags & AT_REMOVEDIR != 0 => event.action = Action::Rmdir,
        Action::Unlink | Action::Rmdir | Action::Symlink | Action::Setxattr => {}
        Action::Mkdir | Action::Chmod => event.mode = Some(mode),
        Action::Mknod => {
            event.mode = Some(mode & !S_IFMT);
            event.given = Some(node(mode, value));
        }
        Action::Chown => {
            let [user, group] = two_ids(value);
            event.given = Some(Given::Owner(user, group));
        }
        Action::Truncate => event.given = Some(Given::Size(value as i64)),
        Action::Utime if flags & MOTE_FLAGS_UNREAD == 0 => {
            event.given = Some(Given::Modified(modified_ns(value as i64, mode)));
        }
        Action::Utime => {}
        Action::Setuid | Action::Setgid if call.name != "setgroups" => {
            let [real, effective] = two_ids(value);
            event.given = Some(Given::Ids([real, effective, known(mode)]));
        }
        Action::Ptrace if call.name != "pidfd_getfd" => {
            event.call_flags = (call.name == "ptrace").then_some(call_flags);
            let is_own_parent = call.name == "ptrace" && call_flags == PTRACE_TRACEME;
            event.given = Some(Given::Process(if is_own_parent { 0 } else { value as u32 }));
        }
        // What is no path stands with the old names.
        Action::ModuleUnload | Action::BpfLoad | Action::MemfdCreate => {
            core::mem::swap(&mut event.path, &mut event.from);
            event.by_descriptor = false;
            if event.flags.contains(Flags::PATH_UNREAD) {
                event.flags.remove(Flags::PATH_UNREAD);
                event.flags.insert(Flags::FROM_UNREAD);
            }
            if event.truncated.contains(Truncated::PATH) {
                event.truncated.remove(Truncated::PATH);
                event.truncated.insert(Truncated::FROM);
            }
            event.call_flags = flags_read(flags, call_flags);
        }
        Action::ModuleLoad if call.name == "finit_module" => event.call_flags = Some(call_flags),
        // From memory.
        Action::ModuleLoad => event.by_descriptor = false,
        Action::Mount => {
            event.call_flags = Some(call_flags);
            event.given = mount(record, call, flags, event)?;
            // The descriptor is of no file.
            event.by_descriptor &= !matches!(call.name, "fsconfig" | "fsmount");
        }
        Action::Umount => event.call_flags = Some(call_flags),
        Action::KexecLoad => {
            event.call_flags = Some(call_flags);
            if call.name == "kexec_file_load" && call_flags & KEXEC_FILE_UNLOAD != 0 {
                event.by_descriptor = false;
            }
        }
        Action::IoUring => event.call_flags = flags_read(flags, call_flags),
        Action::ClockSet => {
            event.call_flags = Some(call_flags);
            event.given = modified_ns(value as i64, mode)
                .filter(|_| flags & MOTE_FLAGS_UNREAD == 0)
                .map(Given::Clock);
        }
        Action::Setuid
        | Action::Setgid
        | Action::Setsid
        | Action::Ptrace
        | Action::Unshare
        | Action::Setns => {}
        Action::Exec
        | Action::Fork
        | Action::Exit
        | Action::Kill
        | Action::Connect
        | Action::Bind
        | Action::Listen
        | Action::Accept
        | Action::Send
        | Action::Loss
        | Action::Heartbeat
        | Action::Capability
        | Action::Pause
        | Action::Resume => {
            return Err(Malformed::Syscall(syscall));
        }
    }
    Ok(relocated.map_or(Decoded::Event, Decoded::Both))
}

/// What a call that mounts was given.
fn mount(
    record: &Record,
    call: &Syscall,
    flags: u32,
    event: &mut Event,
) -> Result<Option<Given>, Malformed> {
    let word = record.bytes(offset_of!(mote_call, mode), MOTE_WORD_BYTES as usize)?;
    let word: Bytes<WORD_BYTES> = until_nul(word).iter().copied().collect();
    let is_cut = flags & MOTE_WORD_CUT != 0;
    let mode = record.u32(offset_of!(mote_call, mode))?;
    let value = record.u64(offset_of!(mote_call, value))?;
    let attributes =
        (flags & MOTE_FLAGS_UNREAD == 0).then_some([value as u32, (value >> 32) as u32, mode]);
    let step = match call.name {
        "mount" | "fsopen" => {
            if is_cut {
                event.truncated.insert(Truncated::MOUNT_TYPE);
            }
            return Ok((!word.is_empty()).then_some(Given::Type(word)));
        }
        "fsconfig" => {
            if is_cut {
                event.truncated.insert(Truncated::MOUNT_OPTION);
            }
            MountStep { descriptor: Some(event.dirfd), option: word, attributes: None }
        }
        "fsmount" => {
            MountStep { descriptor: Some(event.dirfd), attributes, ..MountStep::default() }
        }
        "mount_setattr" | "open_tree_attr" => MountStep { attributes, ..MountStep::default() },
        "move_mount" if event.from.is_empty() && !event.flags.contains(Flags::FROM_UNREAD) => {
            MountStep { descriptor: Some(event.from_dirfd), ..MountStep::default() }
        }
        _ => return Ok(None),
    };
    Ok(Some(Given::Step(step)))
}

/// The system call of this number.
pub(super) fn by_number(syscall: i32) -> Result<&'static Syscall, Malformed> {
    let number = u32::try_from(syscall).ok();
    let call = number.and_then(|number| syscalls::by_number(Arch::HOST, number));
    call.ok_or(Malformed::Syscall(syscall))
}

fn known(id: u32) -> Option<u32> {
    (id != NO_ID).then_some(id)
}

/// As `two_ids` of `bpf/names.h` has them.
fn two_ids(value: u64) -> [Option<u32>; 2] {
    [known(value as u32), known((value >> 32) as u32)]
}

fn flags_read(flags: u32, call_flags: u32) -> Option<u32> {
    (flags & MOTE_FLAGS_UNREAD == 0).then_some(call_flags)
}

/// The flag with which an empty name means the descriptor.
fn takes_descriptors(call: &Syscall) -> u32 {
    match call.name {
        "fchmodat2" | "fchownat" | "utimensat" | "setxattrat" | "removexattrat" | "open_tree"
        | "open_tree_attr" | "mount_setattr" => AT_EMPTY_PATH,
        "fspick" => FSPICK_EMPTY_PATH,
        "move_mount" => MOVE_MOUNT_T_EMPTY_PATH,
        _ => 0,
    }
}

/// What a call of mknod makes.
fn node(mode: u32, device: u64) -> Given {
    let kind = match mode & S_IFMT {
        0 => Some(FileType::File),
        bits => FileType::from_number((bits >> 12) as u8),
    };
    let is_device = matches!(kind, Some(FileType::CharacterDevice | FileType::BlockDevice));
    // The kernel takes the lower half (mknodat(2), linux fs/namei.c).
    Given::Node(kind, is_device.then(|| Device::from_argument(device as u32)))
}

/// Unix time in nanoseconds, unless it is now, as it was, none that the kernel takes, or too far
/// away for 64 bits (before 1677, after 2262).
fn modified_ns(second: i64, ns: u32) -> Option<i64> {
    if UTIME_SPECIAL.contains(&ns) || ns >= 1_000_000_000 {
        return None;
    }
    second.checked_mul(1_000_000_000)?.checked_add(ns.into())
}

/// Components from a file up to the root, each with its NUL → its path.
fn components(
    record: &Record,
    offset: usize,
    bytes: u16,
    tree: u8,
    opened: &mut Opened,
) -> Result<(), Malformed> {
    opened.tree = match u32::from(tree) {
        MOTE_TREE_UNKNOWN if bytes == 0 => return Ok(()),
        MOTE_TREE_HOST => Some(Tree::Host),
        MOTE_TREE_OTHER => Some(Tree::Other),
        MOTE_TREE_DOUBTFUL => Some(Tree::Doubtful),
        _ => return Err(Malformed::Tree(tree)),
    };
    let malformed = Malformed::Components(bytes);
    let Some((last, upwards)) = record.bytes(offset, bytes.into())?.split_last() else {
        return put(&mut opened.path, b"/");
    };
    if *last != 0 {
        return Err(malformed);
    }
    for component in upwards.rsplit(|byte| *byte == 0) {
        if matches!(component, b"" | b"." | b"..") || component.contains(&b'/') {
            return Err(malformed);
        }
        put(&mut opened.path, b"/")?;
        put(&mut opened.path, component)?;
    }
    Ok(())
}
