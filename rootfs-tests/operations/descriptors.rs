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
        // struct file_handle, linux include/uapi/linux/fcntl.h: its bytes, its type, itself.
        let mut handle = [0u32; 2 + 32];
        handle[0] = 128;
        let mut mount = 0i32;
        let (at, to) = (&raw mut handle, &raw mut mount);
        let asked = sys!(SYS_name_to_handle_at, AT_FDCWD, c"d/a".as_ptr(), at, to, 0);
        let here = File::open(".").unwrap();
        if asked.value == 0 {
            let call = sys!(SYS_open_by_handle_at, here.as_raw_fd(), at, O_RDONLY);
            m.open.push(call.descriptor());
            m.rows.push(call.event("open", 0).path(&p.path("d/a")));
            // It only asks what the handle is.
            let call = sys!(SYS_open_by_handle_at, here.as_raw_fd(), at, libc::O_PATH);
            m.open.push(call.descriptor());
        } else {
            println!("not on this file system: handles, so none is opened");
        }
        m.rows.push(sys!(SYS_open_by_handle_at, -1, at, O_RDONLY).event("open", libc::EBADF));
    }),
    case!("the root directory", nothing, |_, m| {
        let root = File::open("/").unwrap();
        let call = sys!(SYS_unlinkat, root.as_raw_fd(), c"absent".as_ptr(), 0);
        m.rows.push(call.event("unlink", ENOENT).path(Path::new("/absent")));
    }),
];
