//! What changes what a process may do, or the system.

use crate::call::{Case, Place, Returned, c, case, nothing, sys};
use crate::support::expect::Row;
use libc::{
    CLOCK_REALTIME, CLONE_FILES, CLONE_FS, CLONE_NEWNS, EBADF, EINVAL, ENOENT, EOPNOTSUPP, EPERM,
    ESRCH, MNT_DETACH, MS_BIND, MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC, PTRACE_ATTACH,
    PTRACE_TRACEME, c_char, timespec, timeval,
};
use serde_json::{Value, json};
use std::fs::{File, create_dir, write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null;

/// What a call came to.
fn or_errno(value: i64) -> i32 {
    i32::try_from(-value.min(0)).unwrap()
}

/// The event of a call that this machine or this kernel may refuse; none if this kernel was built
/// without the call.
fn event(call: Returned, action: &'static str, allowed: &[i32]) -> Option<Row> {
    let errno = or_errno(call.value);
    if errno == libc::ENOSYS {
        println!("not on this kernel: {}", call.name);
        return None;
    }
    assert!(errno == 0 || allowed.contains(&errno), "{} returned -{errno}", call.name);
    Some(call.event(action, errno))
}

fn row(action: &'static str, pid: u32, call: &str) -> Row {
    Row::new(action, pid).with("mote.syscall_name", call).result(0)
}

/// A directory `d` with a file `a`.
fn directory(_: &Place) {
    create_dir("d").unwrap();
    write("d/a", "").unwrap();
}

fn names(names: &[&str]) -> Value {
    json!(names)
}

/// `BPF_PROG_LOAD` of linux `include/uapi/linux/bpf.h`, as far as the name.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// linux `include/uapi/linux/mount.h`.
const FSCONFIG_SET_STRING: i32 = 1;
const FSCONFIG_CMD_CREATE: i32 = 6;

/// `struct mount_attr`: read-only from now on, with no matter which set-uid programs, and private.
fn changed_attributes() -> [u64; 4] {
    [libc::MOUNT_ATTR_RDONLY, libc::MOUNT_ATTR_NOSUID, MS_PRIVATE, 0]
}

fn with_changed(row: Row) -> Row {
    row.with("mote.mount_attributes_set", names(&["MOUNT_ATTR_RDONLY"]))
        .with("mote.mount_attributes_cleared", names(&["MOUNT_ATTR_NOSUID"]))
        .with("mote.mount_flags", names(&["MS_PRIVATE"]))
}

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!("setsid", nothing, |_, m| {
        m.by_a_child(|pid| vec![
            row("setsid", pid, "setsid").result(i64::from(pid)),
            Row::new("setsid", pid).with("mote.syscall_name", "setsid").result(-i64::from(EPERM)),
        ], || {
            sys!(SYS_setsid).check(0);
            sys!(SYS_setsid).check(EPERM);
        });
    }),
    case!("setreuid and setregid", nothing, |_, m| {
        m.by_a_child(|pid| vec![
            row("setgid", pid, "setregid").with("mote.new_ids.effective", 0),
            row("setuid", pid, "setreuid").with("mote.new_ids.real", 0),
            row("setgid", pid, "setgroups"),
        ], || {
            sys!(SYS_setregid, -1, 0).check(0);
            sys!(SYS_setreuid, 0, -1).check(0);
            sys!(SYS_setgroups, 0, null::<u32>()).check(0);
        });
    }),
    case!("ptrace", nothing, |_, m| {
        m.by_a_child(|pid| vec![
            row("ptrace", pid, "ptrace").with("mote.target_pid", 0).with("mote.ptrace_request", "PTRACE_TRACEME"),
        ], || sys!(SYS_ptrace, i64::from(PTRACE_TRACEME), 0, 0, 0).check(0));
        // Of what is no process; and what only looks.
        let call = sys!(SYS_ptrace, i64::from(PTRACE_ATTACH), i32::MAX, 0, 0);
        m.rows.push(call.event("ptrace", ESRCH).with("mote.target_pid", i32::MAX).with("mote.ptrace_request", "PTRACE_ATTACH"));
        sys!(SYS_ptrace, i64::from(libc::PTRACE_PEEKDATA), i32::MAX, 0, 0).check(ESRCH);
    }),
    case!("process_vm_writev", nothing, |_, m| {
        let call = sys!(SYS_process_vm_writev, i32::MAX, null::<libc::iovec>(), 0usize, null::<libc::iovec>(), 0usize, 0usize);
        // With nothing to write, kernels from 5.13 on do not look for the process.
        let errno = or_errno(call.value);
        m.rows.push(call.event("ptrace", errno).with("mote.target_pid", i32::MAX));
    }),
    // Since 5.6.
    case!("pidfd_getfd", nothing, |_, m| {
        m.rows.push(sys!(SYS_pidfd_getfd, -1, 0, 0).event("ptrace", EBADF));
    }),
    case!("modules", directory, |p, m| {
        let a = OwnedFd::from(File::open("d/a").unwrap());
        let call = sys!(SYS_finit_module, a.as_raw_fd(), c"x=1 y=2".as_ptr(), 0);
        let refused = [libc::ENOEXEC, EINVAL, EPERM, libc::EACCES];
        m.rows.extend(event(call, "module_load", &refused).map(|row| row.path(&p.path("d/a")).with("mote.parameters", "x=1 y=2")));
        m.rows.extend(event(sys!(SYS_init_module, null::<c_char>(), 0usize, c"".as_ptr()), "module_load", &refused));
        let call = sys!(SYS_delete_module, c"no_such_module".as_ptr(), libc::O_NONBLOCK);
        m.rows.extend(event(call, "module_unload", &[ENOENT, EPERM]).map(|row| row.with("mote.name", "no_such_module")));
        m.open.push(a);
    }),
    case!("bpf", nothing, |_, m| {
        // r0 = 0; exit
        let insns: [u64; 2] = [0xb7, 0x95];
        let mut load = ProgLoad {
            prog_type: 1,
            insn_cnt: 2,
            insns: insns.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            ..ProgLoad::default()
        };
        load.prog_name[..4].copy_from_slice(b"mine");
        // Before 4.15 there were no names; 3.10.el7 has no socket filters.
        let refused = [EINVAL, libc::E2BIG, EPERM];
        let call = sys!(SYS_bpf, 5, &raw const load, size_of::<ProgLoad>());
        m.rows.extend(event(call, "bpf_load", &refused).map(|row| row.with("mote.name", "mine").with("mote.bpf_program_type", "SOCKET_FILTER")));
        let call = sys!(SYS_bpf, 5, &raw const load, 48usize);
        m.rows.extend(event(call, "bpf_load", &refused).map(|row| row.with("mote.bpf_program_type", "SOCKET_FILTER")));
        // The kernel takes the lower half of the command's number.
        let call = sys!(SYS_bpf, 0x1_0000_0005_i64, &raw const load, 48usize);
        m.rows.extend(event(call, "bpf_load", &refused).map(|row| row.with("mote.bpf_program_type", "SOCKET_FILTER")));
        // Another command.
        sys!(SYS_bpf, 1, &raw const load, 0usize);
    }),
    case!("mount and umount", directory, |p, m| {
        let d = p.path("d");
        let root = std::path::PathBuf::from("/");
        // What its path means in these mounts is not known for certain afterwards.
        let moved = |row: Row| row.with("mote.flags", json!(["other_mounts"]));
        m.by_a_child(|pid| vec![
            row("unshare", pid, "unshare").with("mote.clone_flags", names(&["CLONE_NEWNS"])),
            moved(row("mount", pid, "mount").path(&root).with("mote.mount_source", "none").with("mote.mount_flags", names(&["MS_REC", "MS_PRIVATE"]))),
            moved(row("mount", pid, "mount").path(&root).with("mote.mount_flags", names(&["MS_SLAVE"]))),
            moved(row("mount", pid, "mount").path(&d).with("mote.mount_source", "some").with("mote.mount_type", "tmpfs").with("mote.mount_flags", names(&["MS_NOSUID", "MS_NODEV"]))),
            moved(row("mount", pid, "mount").path(&d).with("mote.mount_source", "/proc").with("mote.mount_flags", names(&["MS_BIND"]))),
            moved(row("umount", pid, "umount2").path(&d).with("mote.mount_flags", names(&["MNT_DETACH"]))),
            moved(row("umount", pid, "umount2").path(&d)),
            moved(row("umount", pid, "umount2").path(&p.path("no")).result(-i64::from(ENOENT))),
        ], || {
            // Made here: see `touch` in processes.rs. The type is read when the call is entered.
            let tmpfs = c("tmpfs");
            sys!(SYS_unshare, CLONE_NEWNS).check(0);
            let flags = MS_REC | MS_PRIVATE;
            sys!(SYS_mount, c"none".as_ptr(), c"/".as_ptr(), null::<c_char>(), flags, 0usize).check(0);
            // Without a source.
            sys!(SYS_mount, null::<c_char>(), c"/".as_ptr(), null::<c_char>(), libc::MS_SLAVE, 0usize).check(0);
            let flags = MS_NOSUID | MS_NODEV;
            sys!(SYS_mount, c"some".as_ptr(), c(&d).as_ptr(), tmpfs.as_ptr(), flags, 0usize).check(0);
            sys!(SYS_mount, c"/proc".as_ptr(), c(&d).as_ptr(), null::<c_char>(), MS_BIND, 0usize).check(0);
            sys!(SYS_umount2, c(&d).as_ptr(), MNT_DETACH).check(0);
            sys!(SYS_umount2, c(&d).as_ptr(), 0).check(0);
            sys!(SYS_umount2, c(p.path("no")).as_ptr(), 0).check(ENOENT);
        });
    }),
    // Since 5.2.
    case!("move_mount", nothing, |p, m| {
        let call = sys!(SYS_move_mount, libc::AT_FDCWD, c"no".as_ptr(), libc::AT_FDCWD, c"d".as_ptr(), 0);
        m.rows.push(call.event("mount", ENOENT).path(&p.path("d")).with("mote.mount_source", "no"));
        // From and to descriptors, of what is no mount: MOVE_MOUNT_F_EMPTY_PATH, _T_EMPTY_PATH.
        let place = OwnedFd::from(File::open(".").unwrap());
        let call = sys!(SYS_move_mount, place.as_raw_fd(), c"".as_ptr(), place.as_raw_fd(), c"".as_ptr(), 0x44);
        let fd = place.as_raw_fd();
        m.rows.push(call.event("mount", EINVAL).path(&p.dir).with("mote.mount_descriptor", fd));
        // Without names, since 6.15; before it is an error.
        let call = sys!(SYS_move_mount, fd, null::<c_char>(), fd, null::<c_char>(), 0x44);
        let errno = or_errno(call.value);
        let row = call.event("mount", errno).path(&p.dir);
        m.rows.push(row.with("mote.mount_descriptor", fd));
        m.open.push(place);
    }),
    // Since 5.2. In memory that the process has: words are read when the call is entered.
    case!("fsopen and what follows", directory, |p, m| {
        let [tmpfs, source, some, size] = ["tmpfs", "source", "some", "size"].map(c);
        let call = sys!(SYS_fsopen, tmpfs.as_ptr(), 0);
        let context = call.descriptor();
        m.rows.push(call.event("mount", 0).with("mote.mount_type", "tmpfs"));
        let fd = context.as_raw_fd();
        let call = sys!(SYS_fsconfig, fd, FSCONFIG_SET_STRING, source.as_ptr(), some.as_ptr(), 0);
        let configures = |call: Returned, command: &str| {
            call.event("mount", 0).with("mote.mount_command", command).with("mote.mount_descriptor", fd)
        };
        let sets = |call, option: &str| configures(call, "FSCONFIG_SET_STRING").with("mote.mount_option", option);
        m.rows.push(sets(call, "source").with("mote.mount_source", "some"));
        // Of another option only what it is.
        let call = sys!(SYS_fsconfig, fd, FSCONFIG_SET_STRING, size.as_ptr(), c"64k".as_ptr(), 0);
        m.rows.push(sets(call, "size"));
        let call = sys!(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, null::<c_char>(), null::<c_char>(), 0);
        m.rows.push(configures(call, "FSCONFIG_CMD_CREATE"));
        // Of a number the kernel takes the lower half.
        let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | 1 << 32;
        let call = sys!(SYS_fsmount, fd, 0, attributes);
        m.open.push(call.descriptor());
        let set = names(&["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV"]);
        m.rows.push(call.event("mount", 0).with("mote.mount_attributes_set", set).with("mote.mount_descriptor", fd));
        // Of what is no mount.
        let call = sys!(SYS_fspick, libc::AT_FDCWD, c"d".as_ptr(), 0);
        m.rows.push(call.event("mount", EINVAL).path(&p.path("d")));
        let call = sys!(SYS_open_tree, libc::AT_FDCWD, c"d".as_ptr(), libc::OPEN_TREE_CLONE);
        m.open.push(call.descriptor());
        m.rows.push(call.event("mount", 0).path(&p.path("d")));
        // Without a copy it is an open that gives nothing.
        m.open.push(sys!(SYS_open_tree, libc::AT_FDCWD, c"d".as_ptr(), 0).descriptor());
        m.open.push(context);
    }),
    // Since 5.12.
    case!("mount_setattr", directory, |p, m| {
        let attributes = changed_attributes();
        let call = sys!(SYS_mount_setattr, libc::AT_FDCWD, c"d".as_ptr(), 0, &raw const attributes, size_of_val(&attributes));
        m.rows.push(with_changed(call.event("mount", EINVAL)).path(&p.path("d")));
        let d = OwnedFd::from(File::open("d").unwrap());
        let call = sys!(SYS_mount_setattr, d.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, &raw const attributes, size_of_val(&attributes));
        m.rows.push(with_changed(call.event("mount", EINVAL)).path(&p.path("d")));
        m.open.push(d);
    }),
    // Since 6.15.
    case!("open_tree_attr", directory, |p, m| {
        let attributes = changed_attributes();
        let call = sys!(SYS_open_tree_attr, libc::AT_FDCWD, c"d".as_ptr(), libc::OPEN_TREE_CLONE, &raw const attributes, size_of_val(&attributes));
        m.open.push(call.descriptor());
        m.rows.push(with_changed(call.event("mount", 0)).path(&p.path("d")));
    }),
    case!("unshare and setns", nothing, |_, m| {
        m.by_a_child(|pid| vec![
            row("unshare", pid, "unshare").with("mote.clone_flags", names(&["CLONE_FS", "CLONE_FILES"])),
            Row::new("unshare", pid).with("mote.syscall_name", "unshare").result(-i64::from(EINVAL)),
            Row::new("setns", pid).with("mote.syscall_name", "setns").result(-i64::from(EBADF)).with("mote.clone_flags", names(&["CLONE_NEWNS"])),
            Row::new("setns", pid).with("mote.syscall_name", "setns").result(-i64::from(EBADF)),
        ], || {
            sys!(SYS_unshare, CLONE_FS | CLONE_FILES).check(0);
            sys!(SYS_unshare, 1).check(EINVAL);
            sys!(SYS_setns, -1, CLONE_NEWNS).check(EBADF);
            sys!(SYS_setns, -1, 0).check(EBADF);
        });
    }),
    case!("memfd_create", nothing, |_, m| {
        let call = sys!(SYS_memfd_create, c"not a path/./x".as_ptr(), 0);
        if call.value == -i64::from(libc::ENOSYS) {
            return;
        }
        m.rows.push(call.event("memfd_create", 0).with("mote.name", "not a path/./x"));
    }),
    case!("kexec", directory, |p, m| {
        let refused = [EINVAL, EPERM, EBADF, libc::ENOEXEC, libc::EADDRNOTAVAIL, libc::EBUSY];
        let call = sys!(SYS_kexec_load, 0usize, 17usize, null::<c_char>(), 0usize);
        m.rows.extend(event(call, "kexec_load", &refused));
        let a = OwnedFd::from(File::open("d/a").unwrap());
        let call = sys!(SYS_kexec_file_load, a.as_raw_fd(), -1, 6usize, c"quiet".as_ptr(), 0usize);
        m.rows.extend(event(call, "kexec_load", &refused).map(|row| row.path(&p.path("d/a")).with("mote.parameters", "quiet")));
        m.open.push(a);
    }),
    case!("clocks", nothing, |_, m| {
        // A nanosecond more than there are.
        let time = timespec { tv_sec: 86_400, tv_nsec: 1_000_000_000 };
        m.rows.push(sys!(SYS_clock_settime, CLOCK_REALTIME, &raw const time).event("clock_set", EINVAL).with("mote.call_flags", 0));
        // A clock that nobody can set.
        let time = timespec { tv_sec: 86_400, tv_nsec: 5 };
        let call = sys!(SYS_clock_settime, libc::CLOCK_MONOTONIC, &raw const time);
        m.rows.push(call.event("clock_set", EINVAL).with("mote.new_time", "1970-01-02T00:00:00.000000005Z").with("mote.call_flags", libc::CLOCK_MONOTONIC));
        let time = timeval { tv_sec: 86_400, tv_usec: 2_000_000 };
        m.rows.push(sys!(SYS_settimeofday, &raw const time, null::<c_char>()).event("clock_set", EINVAL).with("mote.call_flags", 0));
        // What is no step; and one by more nanoseconds than a second has. Of struct timex (linux
        // include/uapi/linux/timex.h) modes and time.tv_usec.
        let mut step = [0u64; 26];
        assert!(sys!(SYS_adjtimex, &raw mut step).value >= 0);
        step[0] = u64::from(libc::ADJ_SETOFFSET | libc::ADJ_NANO);
        step[10] = 1_000_000_000;
        m.rows.push(sys!(SYS_adjtimex, &raw mut step).event("clock_set", EINVAL).with("mote.call_flags", 0));
        let call = sys!(SYS_clock_adjtime, libc::CLOCK_MONOTONIC, &raw mut step);
        m.rows.push(call.event("clock_set", EOPNOTSUPP).with("mote.call_flags", libc::CLOCK_MONOTONIC));
    }),
    // Since 5.1.
    case!("io_uring_setup", nothing, |_, m| {
        let params = [0u32; 30];
        let call = sys!(SYS_io_uring_setup, 1, &raw const params);
        m.rows.extend(event(call, "io_uring", &[EPERM, libc::ENOMEM]));
    }),
];
