//! Names that start at a descriptor, whose directory the sensor cannot ask for any more.

use crate::call::{Case, Place, c, case, nothing, sys};
use crate::support::expect::{Row, mode};
use libc::{AT_FDCWD, AT_REMOVEDIR, ENOENT, O_DIRECTORY, O_RDONLY};
use serde_json::json;
use std::fs::{File, create_dir, create_dir_all, write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Directories of a path that the kernel part follows to the root, and of one that it does
/// not (`STEPS_MAX` in `bpf/descriptor.h`, less some for where the tests are).
const DEEP: usize = 12;
const TOO_DEEP: usize = 25;

/// Directories `d` with a file `a` and a directory `e` with a file `b`.
fn tree(_: &Place) {
    create_dir_all("d/e").unwrap();
    write("d/a", "").unwrap();
    write("d/e/b", "").unwrap();
}

fn tree_and_mount_point(place: &Place) {
    tree(place);
    create_dir("m").unwrap();
}

fn two_directories(_: &Place) {
    for name in ["d", "e"] {
        create_dir(name).unwrap();
        write(format!("{name}/a"), "").unwrap();
    }
}

/// `d` below itself, so often.
fn deep(levels: usize) -> PathBuf {
    vec!["d"; levels].join("/").into()
}

/// Opens a directory as rm(1) does: by the descriptor of the one above.
fn open_below(above: i32, name: &Path) -> i32 {
    let name = c(name);
    let opened = sys!(SYS_openat, above, name.as_ptr(), O_RDONLY | O_DIRECTORY, 0).value;
    i32::try_from(opened).ok().filter(|fd| *fd >= 0).unwrap()
}

fn remove(row: Row, path: &Path) -> Row {
    row.path(path).with("mote.syscall_name", "unlinkat").result(0)
}

fn unlink_at(fd: i32, name: &str, flags: i32) {
    let name = c(name);
    sys!(SYS_unlinkat, fd, name.as_ptr(), flags).check(0);
}

/// `struct file_handle`, linux `include/uapi/linux/fcntl.h`: its bytes, its type, itself.
struct Handle([u32; 2 + MAX_HANDLE_SZ / 4]);

const MAX_HANDLE_SZ: usize = 128;

impl Handle {
    /// Of a file; `None`: this file system has none.
    fn of(name: &str) -> Option<Handle> {
        let mut handle = [0; 2 + MAX_HANDLE_SZ / 4];
        handle[0] = MAX_HANDLE_SZ as u32;
        let mut mount = 0i32;
        let (name, to) = (c(name), &raw mut handle);
        let call = sys!(SYS_name_to_handle_at, AT_FDCWD, name.as_ptr(), to, &raw mut mount, 0);
        if call.value != 0 {
            println!("not on this file system: handles, so none is opened");
        }
        (call.value == 0).then_some(Handle(handle))
    }

    fn pointer(&self) -> *const u32 {
        self.0.as_ptr()
    }
}

/// A path as it begins at the root of its file system.
fn in_file_system(path: &Path) -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let (root, below) = mounts
        .filter_map(|fields| Some((fields[3].to_owned(), path.strip_prefix(fields[4]).ok()?)))
        .min_by_key(|(_, below)| below.as_os_str().len())
        .unwrap();
    Path::new(&root).join(below)
}

pub const CASES: &[Case] = &[
    case!("a tree removed by a process that ends", tree, |p, m| {
        let rows = |pid| {
            vec![
                remove(Row::new("unlink", pid), &p.path("d/e/b")),
                remove(Row::new("rmdir", pid), &p.path("d/e")),
                remove(Row::new("unlink", pid), &p.path("d/a")),
                remove(Row::new("rmdir", pid), &p.path("d")),
            ]
        };
        m.by_a_child(rows, || {
            let d = open_below(AT_FDCWD, Path::new("d"));
            let e = open_below(d, Path::new("e"));
            unlink_at(e, "b", 0);
            sys!(SYS_close, e).check(0);
            unlink_at(d, "e", AT_REMOVEDIR);
            unlink_at(d, "a", 0);
            sys!(SYS_close, d).check(0);
            unlink_at(AT_FDCWD, "d", AT_REMOVEDIR);
        });
    }),
    case!("one number for two directories", two_directories, |p, m| {
        let numbers = ["d", "e"].map(|name| {
            let directory = File::open(name).unwrap();
            let fd = directory.as_raw_fd();
            let call = sys!(SYS_unlinkat, fd, c"a".as_ptr(), 0);
            m.rows.push(call.event("unlink", 0).path(&p.path(name).join("a")));
            fd
        });
        assert_eq!(numbers[0], numbers[1]);
    }),
    case!("the directory of a process that ends", tree, |p, m| {
        let rows = |pid| vec![remove(Row::new("unlink", pid), &p.path("d/e/b"))];
        m.by_a_child(rows, || {
            let e = open_below(AT_FDCWD, Path::new("d/e"));
            sys!(SYS_fchdir, e).check(0);
            unlink_at(AT_FDCWD, "b", 0);
        });
    }),
    Case {
        name: "a mount, and another one inside",
        prepare: |p| {
            tree(p);
            create_dir("m").unwrap();
            let (m, none) = (c("m"), c("none"));
            let mounted = sys!(SYS_mount, none.as_ptr(), m.as_ptr(), c"tmpfs".as_ptr(), 0, 0);
            mounted.check(0);
            create_dir_all("m/inner/b").unwrap();
            let b = c("m/inner/b");
            sys!(SYS_mount, c"d".as_ptr(), b.as_ptr(), 0, libc::MS_BIND, 0).check(0);
        },
        act: |p, m| {
            {
                let inner = File::open("m/inner").unwrap();
                let call = sys!(SYS_mkdirat, inner.as_raw_fd(), c"n".as_ptr(), 0o700);
                let row = call.event("mkdir", 0).path(&p.path("m/inner/n"));
                m.rows.push(row.with("file.mode", mode(0o700)));
                let e = File::open("m/inner/b/e").unwrap();
                let call = sys!(SYS_unlinkat, e.as_raw_fd(), c"b".as_ptr(), 0);
                m.rows.push(call.event("unlink", 0).path(&p.path("m/inner/b/e/b")));
                let d = File::open("d").unwrap();
                let call = sys!(SYS_unlinkat, d.as_raw_fd(), c"a".as_ptr(), 0);
                m.rows.push(call.event("unlink", 0).path(&p.path("d/a")));
            }
            for mounted in ["m/inner/b", "m"] {
                let call = sys!(SYS_umount2, c(mounted).as_ptr(), 0);
                m.rows.push(call.event("umount", 0).path(&p.path(mounted)));
            }
        },
    },
    Case {
        name: "deep, and deeper than is followed",
        prepare: |_| create_dir_all(deep(TOO_DEEP)).unwrap(),
        act: |p, m| {
            for (levels, marks) in [(DEEP, None), (TOO_DEEP, Some("path_unresolved"))] {
                let directory = File::open(deep(levels)).unwrap();
                let call = sys!(SYS_unlinkat, directory.as_raw_fd(), c"absent".as_ptr(), 0);
                let path = p.path(deep(levels)).join("absent");
                let row = call.event("unlink", ENOENT).path(&path);
                m.rows.push(match marks {
                    Some(mark) => row.with("mote.flags", json!([mark])),
                    None => row,
                });
                // Until the sensor has looked.
                m.open.push(directory.into());
            }
        },
    },
    case!("renamed while it is open", tree, |p, m| {
        let e = File::open("d/e").unwrap();
        let call = sys!(SYS_renameat, AT_FDCWD, c"d".as_ptr(), AT_FDCWD, c"n".as_ptr());
        m.rows.push(call.event("rename", 0).from(&p.path("d")).path(&p.path("n")));
        let call = sys!(SYS_unlinkat, e.as_raw_fd(), c"b".as_ptr(), 0);
        m.rows.push(call.event("unlink", 0).path(&p.path("n/e/b")));
    }),
    case!("removed while it is open", nothing, |p, m| {
        let call = sys!(SYS_mkdirat, AT_FDCWD, c"d".as_ptr(), 0o700);
        m.rows.push(call.event("mkdir", 0).path(&p.path("d")).with("file.mode", mode(0o700)));
        let d = File::open("d").unwrap();
        let call = sys!(SYS_unlinkat, AT_FDCWD, c"d".as_ptr(), AT_REMOVEDIR);
        m.rows.push(call.event("rmdir", 0).path(&p.path("d")));
        let call = sys!(SYS_unlinkat, d.as_raw_fd(), c"a".as_ptr(), 0);
        m.rows.push(call.event("unlink", ENOENT).path(&p.path("d/a")));
    }),
    case!("opened by a handle", tree, |p, m| {
        let Some(handle) = Handle::of("d/a") else { return };
        let call = sys!(SYS_open_by_handle_at, -1, handle.pointer(), O_RDONLY);
        m.rows.push(call.event("open", libc::EBADF));
        let here = File::open(".").unwrap();
        for flags in [O_RDONLY, libc::O_PATH] {
            let call = sys!(SYS_open_by_handle_at, here.as_raw_fd(), handle.pointer(), flags);
            m.open.push(call.descriptor());
            m.rows.push(call.event("open", 0).path(&p.path("d/a")));
        }
        // Another thread could put another one in its place.
        let (go, told_to) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || told_to.recv());
        let call = sys!(SYS_open_by_handle_at, here.as_raw_fd(), handle.pointer(), O_RDONLY);
        drop(go);
        other.join().unwrap().unwrap_err();
        m.open.push(call.descriptor());
        let row = call.event("open", 0).path(&p.path("d/a"));
        m.rows.push(row.with("mote.flags", json!(["path_unresolved"])));
    }),
    // As out of a container, by a mount that shows one directory of it.
    case!("opened by a handle outside of the mount", tree_and_mount_point, |p, m| {
        let Some(handle) = Handle::of("d/a") else { return };
        // The next descriptors, of the child too.
        let [_, opened] =
            [(), ()].map(|()| File::open(".").unwrap()).each_ref().map(AsRawFd::as_raw_fd);
        let moved = |row: Row| row.result(0).with("mote.flags", json!(["other_mounts"]));
        let rows = |pid| {
            let mount = |row: Row| moved(row).with("mote.syscall_name", "mount");
            let unshare = Row::new("unshare", pid).with("mote.syscall_name", "unshare").result(0);
            let open = Row::new("open", pid).with("mote.syscall_name", "open_by_handle_at");
            vec![
                unshare.with("mote.clone_flags", json!(["CLONE_NEWNS"])),
                mount(Row::new("mount", pid))
                    .path(Path::new("/"))
                    .with("mote.mount_flags", json!(["MS_REC", "MS_PRIVATE"])),
                mount(Row::new("mount", pid))
                    .path(&p.path("m"))
                    .with("mote.mount_source", "d/e")
                    .with("mote.mount_flags", json!(["MS_BIND"])),
                moved(open)
                    .result(opened.into())
                    .path(&in_file_system(&p.path("d/a")))
                    .with("mote.flags", json!(["path_unresolved", "other_mounts"])),
            ]
        };
        m.by_a_child(rows, || {
            sys!(SYS_unshare, libc::CLONE_NEWNS).check(0);
            let (none, private) =
                (std::ptr::null::<libc::c_char>(), libc::MS_REC | libc::MS_PRIVATE);
            sys!(SYS_mount, none, c"/".as_ptr(), none, private, none).check(0);
            sys!(SYS_mount, c"d/e".as_ptr(), c(p.path("m")).as_ptr(), none, libc::MS_BIND, none)
                .check(0);
            let mount = File::open("m").unwrap();
            let call = sys!(SYS_open_by_handle_at, mount.as_raw_fd(), handle.pointer(), O_RDONLY);
            assert_eq!(call.value, i64::from(opened));
        });
    }),
    case!("the root directory", nothing, |_, m| {
        let root = File::open("/").unwrap();
        let call = sys!(SYS_unlinkat, root.as_raw_fd(), c"absent".as_ptr(), 0);
        m.rows.push(call.event("unlink", ENOENT).path(Path::new("/absent")));
    }),
];
