//! Attempts to have a name taken for that of another place.

use crate::support::expect::{again_if_skipped, at};
use crate::support::runner::{Test, skip};
use crate::support::sys::{c, sys};
use crate::support::{Sensor, child, decode, require_live, scratch, wait_for};
use crate::{by, exclude, marked, only};
use serde_json::{Value, json};
use std::fs::{self, Permissions, create_dir, read_to_string, set_permissions, write};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

pub const TESTS: &[Test] = &[
    ("mounts_of_a_user_move_no_exclusion", mounts_of_a_user_move_no_exclusion),
    ("another_root_is_marked", another_root_is_marked),
    ("a_shared_directory_is_marked", a_shared_directory_is_marked),
    ("a_thread_elsewhere_hides_nothing", a_thread_elsewhere_hides_nothing),
    ("a_directory_changed_meanwhile_hides_nothing", a_directory_changed_meanwhile_hides_nothing),
    ("a_descriptor_changed_meanwhile_hides_nothing", a_descriptor_changed_meanwhile_hides_nothing),
    (
        "a_descriptor_changed_there_and_back_is_marked",
        a_descriptor_changed_there_and_back_is_marked,
    ),
    ("a_descriptor_of_a_users_mounts_hides_nothing", a_descriptor_of_a_users_mounts_hides_nothing),
    ("a_descriptor_from_outside_a_chroot_is_marked", a_descriptor_from_outside_a_chroot_is_marked),
    ("a_rooted_name_hides_nothing", a_rooted_name_hides_nothing),
];

/// A sensor that excludes `build`, beside which is `secret`: anybody may write to both.
fn start_with_excluded_build(dir: &Path) -> (Sensor, PathBuf) {
    set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    for name in ["build", "secret"] {
        create_dir(dir.join(name)).unwrap();
        set_permissions(dir.join(name), Permissions::from_mode(0o777)).unwrap();
    }
    let excluded = dir.join("build");
    let config = exclude(json!({"$type": "excludedPath", "isDirectory": true, "path": excluded}));
    (Sensor::start_configured(dir, &config), excluded)
}

/// What was recorded of what happened there.
fn events_of(dir: &Path) -> Vec<Value> {
    let events = decode(&Sensor::records(dir));
    again_if_skipped(&events);
    events
}

/// In a user namespace any user can mount any directory at an excluded path.
fn mounts_of_a_user_move_no_exclusion() {
    require_live();
    let (_guard, dir) = scratch();
    let (sensor, excluded) = start_with_excluded_build(&dir);
    let (secret, build) = (c(dir.join("secret")), c(&excluded));
    const NO_NAMESPACE: i32 = 9;
    let made = child::fork(|| {
        if sys!(SYS_unshare, libc::CLONE_NEWUSER | libc::CLONE_NEWNS).value < 0 {
            return NO_NAMESPACE;
        }
        let bind = sys!(SYS_mount, secret.as_ptr(), build.as_ptr(), 0, libc::MS_BIND, 0);
        bind.check(0);
        write(excluded.join("a"), "").unwrap();
        0
    });
    let status = libc::WEXITSTATUS(child::wait(made));
    sensor.leave();
    if status == NO_NAMESPACE {
        skip("this kernel lets nobody make a user namespace");
    }
    assert!(dir.join("secret/a").exists());
    let events = events_of(&dir);
    let open = only(&events, made, "open");
    assert_eq!(at(open, "file.path"), excluded.join("a").to_str().unwrap());
    assert!(marked(open, "other_root") && marked(open, "user_namespace"), "{open}");
}

fn another_root_is_marked() {
    require_live();
    let (_guard, dir) = scratch();
    let jail = dir.join("jail");
    create_dir(&jail).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        write(jail.join("outside"), "").unwrap();
        sys!(SYS_chroot, c(&jail).as_ptr()).check(0);
        write("/inside", "").unwrap();
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let events = events_of(&dir);
    let opens = by(&events, made, "open");
    let seen: Vec<(&str, bool)> = opens
        .iter()
        .map(|open| (at(open, "file.path").as_str().unwrap(), marked(open, "other_root")))
        .collect();
    assert_eq!(seen, [(jail.join("outside").to_str().unwrap(), false), ("/inside", true)]);
}

/// `CLONE_FS`: a child that moves its parent to another directory.
fn a_shared_directory_is_marked() {
    require_live();
    let (_guard, dir) = scratch();
    for name in ["a", "b"] {
        create_dir(dir.join(name)).unwrap();
    }
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        std::env::set_current_dir(dir.join("a")).unwrap();
        write("alone", "").unwrap();
        let flags = libc::CLONE_FS | libc::SIGCHLD;
        let child = sys!(SYS_clone, i64::from(flags), 0, 0, 0, 0).value;
        if child == 0 {
            sys!(SYS_chdir, c(dir.join("b")).as_ptr()).check(0);
            return 0;
        }
        child::ends_with(child as u32, 0);
        write("moved", "").unwrap();
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    assert!(dir.join("b/moved").exists());
    let events = events_of(&dir);
    let opens = by(&events, made, "open");
    let doubts: Vec<bool> = opens.iter().map(|open| marked(open, "path_unresolved")).collect();
    assert_eq!(doubts, [false, true], "{opens:?}");
}

/// The event that hides behind the default exclusion of `/dev/null`, if that is fooled.
fn assert_shown(events: &[Value], pid: u32) {
    let opens = by(events, pid, "open");
    let shown = opens.iter().any(|open| {
        at(open, "file.path").as_str().is_some_and(|path| path.ends_with("null"))
            && (marked(open, "path_unresolved") || marked(open, "path_relative"))
    });
    assert!(shown, "{opens:?}");
}

fn make_null() {
    fs::OpenOptions::new().create(true).append(true).open("null").unwrap();
}

/// `unshare(CLONE_FS)`: one process works in two directories.
fn a_thread_elsewhere_hides_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        std::env::set_current_dir(&dir).unwrap();
        thread::spawn(|| {
            sys!(SYS_unshare, libc::CLONE_FS).check(0);
            sys!(SYS_chdir, c"/dev".as_ptr()).check(0);
        })
        .join()
        .unwrap();
        make_null();
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    assert!(dir.join("null").exists());
    assert_shown(&events_of(&dir), made);
}

/// A name is resolved when the call begins. A lease keeps it from returning until another
/// thread has gone to a directory in which the name would be an excluded file.
fn a_directory_changed_meanwhile_hides_nothing() {
    meanwhile(
        |dir| std::env::set_current_dir(dir).unwrap(),
        make_null,
        || sys!(SYS_chdir, c"/dev".as_ptr()).check(0),
    );
}

/// The same with a descriptor in whose place that directory is put.
fn a_descriptor_changed_meanwhile_hides_nothing() {
    meanwhile(open_there, open_null_there, || open_there(Path::new("/dev")));
}

/// And back: the call may have used what was there in between.
fn a_descriptor_changed_there_and_back_is_marked() {
    meanwhile(open_there, open_null_there, || {
        let before = sys!(SYS_dup, THERE).value;
        open_there(Path::new("/dev"));
        sys!(SYS_dup3, before, THERE, 0).check(0);
    });
}

/// A descriptor that threads put directories in the place of.
const THERE: i32 = 100;

fn open_there(dir: &Path) {
    let opened = fs::File::open(dir).unwrap();
    sys!(SYS_dup3, opened.as_raw_fd(), THERE, 0).check(0);
}

fn open_null_there() {
    let flags = libc::O_CREAT | libc::O_APPEND | libc::O_WRONLY;
    sys!(SYS_openat, THERE, c"null".as_ptr(), flags, 0o600).check(0);
}

/// A thread opens `dir`'s `null` for writing; `change` happens while it waits for a lease.
fn meanwhile(begin: fn(&Path), open_null: fn(), change: fn()) {
    require_live();
    let (_guard, dir) = scratch();
    write(dir.join("null"), "").unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let leased = fs::File::open(dir.join("null")).unwrap();
    child::ignore_sigio();
    sys!(SYS_fcntl, leased.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK).check(0);
    let (mut told, tell) = std::io::pipe().unwrap();
    let made = child::fork(|| {
        begin(&dir);
        let opener = thread::spawn(open_null);
        wait_for("the open to block", || {
            let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
            let blocked = tasks.filter(|task| {
                let call = read_to_string(task.path().join("syscall")).unwrap_or_default();
                call.starts_with(&format!("{} ", libc::SYS_openat))
            });
            (blocked.count() > 0).then_some(())
        });
        // Long enough to be in the lease, not just on the way to it.
        thread::sleep(std::time::Duration::from_millis(50));
        change();
        (&tell).write_all(b"x").unwrap();
        opener.join().unwrap();
        0
    });
    told.read_exact(&mut [0]).unwrap();
    sys!(SYS_fcntl, leased.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK).check(0);
    child::ends_with(made, 0);
    sensor.leave();
    assert_shown(&events_of(&dir), made);
}

/// A user's own mounts, reached by a process that is outside of them.
fn a_descriptor_of_a_users_mounts_hides_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    let (sensor, excluded) = start_with_excluded_build(&dir);
    let (secret, build) = (c(dir.join("secret")), c(&excluded));
    let ((mut told, tell), (wait, end)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let mounter = child::fork(|| {
        let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
        let made = sys!(SYS_unshare, flags).value >= 0;
        if made {
            sys!(SYS_mount, secret.as_ptr(), build.as_ptr(), 0, libc::MS_BIND, 0).check(0);
        }
        (&tell).write_all(&[u8::from(made)]).unwrap();
        (&wait).read_exact(&mut [0]).unwrap();
        0
    });
    let mut made = [0];
    told.read_exact(&mut made).unwrap();
    let there = format!("/proc/{mounter}/root{}", excluded.display());
    if made == [1] {
        let opened = fs::File::open(there).unwrap();
        let flags = libc::O_CREAT | libc::O_WRONLY;
        sys!(SYS_openat, opened.as_raw_fd(), c"a".as_ptr(), flags, 0o600).check(0);
    }
    sensor.leave();
    (&end).write_all(b"x").unwrap();
    child::ends_with(mounter, 0);
    if made == [0] {
        skip("this kernel lets nobody make a user namespace");
    }
    assert!(dir.join("secret/a").exists());
    let events = events_of(&dir);
    let opens = by(&events, std::process::id(), "open");
    let name = excluded.join("a");
    let open = opens.iter().find(|open| at(open, "file.path") == name.to_str().unwrap());
    assert!(open.is_some_and(|open| marked(open, "path_unresolved")), "{opens:?}");
}

/// Its names are the host's, and the marks still say what the process sees.
fn a_descriptor_from_outside_a_chroot_is_marked() {
    require_live();
    let (_guard, dir) = scratch();
    let jail = dir.join("jail");
    create_dir(&jail).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let made = child::fork(|| {
        let outside = fs::File::open(&dir).unwrap();
        sys!(SYS_chroot, c(&jail).as_ptr()).check(0);
        let flags = libc::O_CREAT | libc::O_WRONLY;
        sys!(SYS_openat, outside.as_raw_fd(), c"f".as_ptr(), flags, 0o600).check(0);
        0
    });
    child::ends_with(made, 0);
    sensor.leave();
    let events = events_of(&dir);
    let open = only(&events, made, "open");
    assert_eq!(at(open, "file.path"), dir.join("f").to_str().unwrap());
    assert!(marked(open, "other_root") && !marked(open, "path_unresolved"), "{open}");
}

/// `RESOLVE_IN_ROOT`: an absolute name that starts at a descriptor.
fn a_rooted_name_hides_nothing() {
    require_live();
    let (_guard, dir) = scratch();
    create_dir(dir.join("dev")).unwrap();
    let sensor = Sensor::start_to_file(&dir);
    let root = fs::File::open(&dir).unwrap();
    let made = child::fork(|| {
        // struct open_how, linux include/uapi/linux/openat2.h: flags, mode, resolve.
        let how: [u64; 3] = [(libc::O_CREAT | libc::O_WRONLY) as u64, 0o600, 0x10];
        let name = c"/dev/null".as_ptr();
        let opened =
            sys!(SYS_openat2, root.as_raw_fd(), name, how.as_ptr(), size_of_val(&how)).value;
        if opened == -i64::from(libc::ENOSYS) { 9 } else { i32::from(opened < 0) }
    });
    let status = libc::WEXITSTATUS(child::wait(made));
    sensor.leave();
    if status == 9 {
        skip("this kernel has no openat2");
    }
    assert!(dir.join("dev/null").exists());
    assert_shown(&events_of(&dir), made);
}
