//! open, rename, unlink, rmdir, mkdir, chmod: each system call, by absolute name, by
//! relative name, from a descriptor, and in vain.

use crate::call::{Case, Place, c, case, nothing, sys};
use crate::support::expect::mode;
use libc::{
    AT_FDCWD, AT_REMOVEDIR, EBADF, EEXIST, EFAULT, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, O_CREAT,
    O_EXCL, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, RENAME_EXCHANGE, RENAME_NOREPLACE,
    c_char,
};
use serde_json::json;
use std::fs::{File, create_dir, write};
use std::os::fd::{AsRawFd, OwnedFd};

/// A file `a`.
fn file(_: &Place) {
    write("a", "").unwrap();
}

/// Files `a` and `b`.
fn two_files(place: &Place) {
    file(place);
    write("b", "").unwrap();
}

/// An empty directory `d`.
fn directory(_: &Place) {
    create_dir("d").unwrap();
}

/// Directories `d` and `e`, a file `d/a`.
fn two_directories(place: &Place) {
    directory(place);
    create_dir("e").unwrap();
    write("d/a", "").unwrap();
}

fn open_directory(name: &str) -> OwnedFd {
    File::open(name).unwrap().into()
}

/// `struct open_how`, linux `include/uapi/linux/openat2.h`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    #[cfg(target_arch = "x86_64")]
    case!("open creates, absolute", nothing, |p, m| {
        let call = sys!(SYS_open, c(p.path("new")).as_ptr(), O_CREAT | O_WRONLY, 0o640);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("new")).with("file.mode", mode(0o640)));
    }),
    #[cfg(target_arch = "x86_64")]
    case!("open for writing, relative", file, |p, m| {
        let call = sys!(SYS_open, c"a".as_ptr(), O_RDWR, 0);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("a")));
    }),
    #[cfg(target_arch = "x86_64")]
    case!("open that truncates", file, |p, m| {
        let call = sys!(SYS_open, c"a".as_ptr(), O_RDONLY | O_TRUNC, 0);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("a")));
    }),
    #[cfg(target_arch = "x86_64")]
    case!("open in vain", directory, |p, m| {
        m.rows.push(sys!(SYS_open, c"d".as_ptr(), O_WRONLY, 0).event("open", EISDIR).path(&p.path("d")));
        m.rows.push(
            sys!(SYS_open, c"no/such".as_ptr(), O_CREAT | O_WRONLY, 0o600)
                .event("open", ENOENT).path(&p.path("no/such")).with("file.mode", mode(0o600)),
        );
    }),
    case!("open for reading is not reported", file, |_, m| {
        let call = sys!(SYS_openat, AT_FDCWD, c"a".as_ptr(), O_RDONLY, 0);
        m.open.push(call.descriptor());
        sys!(SYS_openat, AT_FDCWD, c"absent".as_ptr(), O_RDONLY, 0).check(ENOENT);
    }),
    case!("openat2 for reading is not reported", file, |_, m| {
        let how = OpenHow { flags: O_RDONLY as u64, mode: 0, resolve: 0 };
        let call = sys!(SYS_openat2, AT_FDCWD, c"a".as_ptr(), &raw const how, size_of::<OpenHow>());
        m.open.push(call.descriptor());
    }),
    case!("openat, relative to the working directory", nothing, |p, m| {
        let call = sys!(SYS_openat, AT_FDCWD, c"new".as_ptr(), O_CREAT | O_WRONLY, 0o600);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("new")).with("file.mode", mode(0o600)));
    }),
    case!("openat, relative to a descriptor", directory, |p, m| {
        let d = open_directory("d");
        let call = sys!(SYS_openat, d.as_raw_fd(), c"new".as_ptr(), O_CREAT | O_RDWR, 0o600);
        m.open.extend([call.descriptor(), d]);
        m.rows.push(call.event("open", 0).path(&p.path("d/new")).with("file.mode", mode(0o600)));
    }),
    case!("openat, absolute beside a descriptor", two_directories, |p, m| {
        let e = open_directory("e");
        let call = sys!(SYS_openat, e.as_raw_fd(), c(p.path("d/a")).as_ptr(), O_WRONLY, 0);
        m.open.extend([call.descriptor(), e]);
        m.rows.push(call.event("open", 0).path(&p.path("d/a")));
    }),
    case!("openat that truncates", file, |p, m| {
        let call = sys!(SYS_openat, AT_FDCWD, c"a".as_ptr(), O_RDONLY | O_TRUNC, 0);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("a")));
    }),
    case!("openat in vain", file, |p, m| {
        m.rows.push(
            sys!(SYS_openat, AT_FDCWD, c"a".as_ptr(), O_CREAT | O_EXCL | O_WRONLY, 0o600)
                .event("open", EEXIST).path(&p.path("a")).with("file.mode", mode(0o600)),
        );
        m.rows.push(
            sys!(SYS_openat, AT_FDCWD, c"a/b".as_ptr(), O_WRONLY, 0)
                .event("open", ENOTDIR).path(&p.path("a/b")),
        );
    }),
    case!("openat of a file without a name", directory, |p, m| {
        let call = sys!(SYS_openat, AT_FDCWD, c"d".as_ptr(), O_TMPFILE | O_WRONLY, 0o600);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("d")).with("file.mode", mode(0o600)));
    }),
    case!("openat2", directory, |p, m| {
        let how = OpenHow { flags: (O_CREAT | O_WRONLY) as u64, mode: 0o604, resolve: 0 };
        let size = size_of::<OpenHow>();
        let d = open_directory("d");
        let call = sys!(SYS_openat2, d.as_raw_fd(), c"new".as_ptr(), &raw const how, size);
        m.open.extend([call.descriptor(), d]);
        m.rows.push(call.event("open", 0).path(&p.path("d/new")).with("file.mode", mode(0o604)));
        m.rows.push(
            sys!(SYS_openat2, AT_FDCWD, c"no/such".as_ptr(), &raw const how, size)
                .event("open", ENOENT).path(&p.path("no/such")).with("file.mode", mode(0o604)),
        );
    }),
    #[cfg(target_arch = "x86_64")]
    case!("creat", nothing, |p, m| {
        let call = sys!(SYS_creat, c"new".as_ptr(), 0o600);
        m.open.push(call.descriptor());
        m.rows.push(call.event("open", 0).path(&p.path("new")).with("file.mode", mode(0o600)));
    }),

    #[cfg(target_arch = "x86_64")]
    case!("rename, absolute to relative", file, |p, m| {
        let call = sys!(SYS_rename, c(p.path("a")).as_ptr(), c"b".as_ptr());
        m.rows.push(call.event("rename", 0).from(&p.path("a")).path(&p.path("b")));
    }),
    #[cfg(target_arch = "x86_64")]
    case!("rename in vain", nothing, |p, m| {
        let call = sys!(SYS_rename, c"absent".as_ptr(), c"b".as_ptr());
        m.rows.push(call.event("rename", ENOENT).from(&p.path("absent")).path(&p.path("b")));
    }),
    case!("renameat between descriptors", two_directories, |p, m| {
        let (d, e) = (open_directory("d"), open_directory("e"));
        let call = sys!(SYS_renameat, d.as_raw_fd(), c"a".as_ptr(), e.as_raw_fd(), c"b".as_ptr());
        m.open.extend([d, e]);
        m.rows.push(call.event("rename", 0).from(&p.path("d/a")).path(&p.path("e/b")));
    }),
    case!("renameat, absolute to relative", file, |p, m| {
        let call = sys!(SYS_renameat, AT_FDCWD, c(p.path("a")).as_ptr(), AT_FDCWD, c"b".as_ptr());
        m.rows.push(call.event("rename", 0).from(&p.path("a")).path(&p.path("b")));
    }),
    case!("renameat in vain", nothing, |p, m| {
        let call = sys!(SYS_renameat, AT_FDCWD, c"absent".as_ptr(), AT_FDCWD, c(p.path("b")).as_ptr());
        m.rows.push(call.event("rename", ENOENT).from(&p.path("absent")).path(&p.path("b")));
    }),
    case!("renameat2 without replacing", two_files, |p, m| {
        let call = sys!(SYS_renameat2, AT_FDCWD, c"a".as_ptr(), AT_FDCWD, c"c".as_ptr(), RENAME_NOREPLACE);
        m.rows.push(call.event("rename", 0).from(&p.path("a")).path(&p.path("c")));
        let call = sys!(SYS_renameat2, AT_FDCWD, c"c".as_ptr(), AT_FDCWD, c"b".as_ptr(), RENAME_NOREPLACE);
        m.rows.push(call.event("rename", EEXIST).from(&p.path("c")).path(&p.path("b")));
    }),
    case!("renameat2 that exchanges", two_files, |p, m| {
        let call = sys!(SYS_renameat2, AT_FDCWD, c"a".as_ptr(), AT_FDCWD, c"b".as_ptr(), RENAME_EXCHANGE);
        m.rows.push(call.event("rename", 0).from(&p.path("a")).path(&p.path("b")));
    }),

    #[cfg(target_arch = "x86_64")]
    case!("unlink", two_files, |p, m| {
        m.rows.push(sys!(SYS_unlink, c"a".as_ptr()).event("unlink", 0).path(&p.path("a")));
        m.rows.push(sys!(SYS_unlink, c(p.path("b")).as_ptr()).event("unlink", 0).path(&p.path("b")));
        m.rows.push(sys!(SYS_unlink, c"a".as_ptr()).event("unlink", ENOENT).path(&p.path("a")));
    }),
    case!("unlinkat", two_directories, |p, m| {
        let d = open_directory("d");
        m.rows.push(sys!(SYS_unlinkat, d.as_raw_fd(), c"a".as_ptr(), 0).event("unlink", 0).path(&p.path("d/a")));
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, c"d".as_ptr(), 0).event("unlink", EISDIR).path(&p.path("d")));
        m.open.push(d);
    }),
    case!("unlinkat, absolute and absent", file, |p, m| {
        let a = c(p.path("a"));
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, a.as_ptr(), 0).event("unlink", 0).path(&p.path("a")));
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, a.as_ptr(), 0).event("unlink", ENOENT).path(&p.path("a")));
    }),
    case!("unlinkat of a directory", two_directories, |p, m| {
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, c"e".as_ptr(), AT_REMOVEDIR).event("rmdir", 0).path(&p.path("e")));
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, c"d".as_ptr(), AT_REMOVEDIR).event("rmdir", ENOTEMPTY).path(&p.path("d")));
    }),
    #[cfg(target_arch = "x86_64")]
    case!("rmdir", two_directories, |p, m| {
        m.rows.push(sys!(SYS_rmdir, c"e".as_ptr()).event("rmdir", 0).path(&p.path("e")));
        m.rows.push(sys!(SYS_rmdir, c(p.path("d")).as_ptr()).event("rmdir", ENOTEMPTY).path(&p.path("d")));
    }),

    #[cfg(target_arch = "x86_64")]
    case!("mkdir", nothing, |p, m| {
        m.rows.push(sys!(SYS_mkdir, c"n".as_ptr(), 0o711).event("mkdir", 0).path(&p.path("n")).with("file.mode", mode(0o711)));
        m.rows.push(sys!(SYS_mkdir, c(p.path("n")).as_ptr(), 0o700).event("mkdir", EEXIST).path(&p.path("n")).with("file.mode", mode(0o700)));
    }),
    case!("mkdirat", directory, |p, m| {
        let d = open_directory("d");
        m.rows.push(sys!(SYS_mkdirat, d.as_raw_fd(), c"n".as_ptr(), 0o1777).event("mkdir", 0).path(&p.path("d/n")).with("file.mode", mode(0o1777)));
        m.rows.push(sys!(SYS_mkdirat, AT_FDCWD, c"no/such".as_ptr(), 0o700).event("mkdir", ENOENT).path(&p.path("no/such")).with("file.mode", mode(0o700)));
        m.open.push(d);
    }),

    #[cfg(target_arch = "x86_64")]
    case!("chmod", file, |p, m| {
        m.rows.push(sys!(SYS_chmod, c"a".as_ptr(), 0o4755).event("chmod", 0).path(&p.path("a")).with("file.mode", mode(0o4755)));
        m.rows.push(sys!(SYS_chmod, c"absent".as_ptr(), 0o600).event("chmod", ENOENT).path(&p.path("absent")).with("file.mode", mode(0o600)));
    }),
    case!("fchmod", file, |p, m| {
        let a = OwnedFd::from(File::open("a").unwrap());
        m.rows.push(sys!(SYS_fchmod, a.as_raw_fd(), 0o640).event("chmod", 0).path(&p.path("a")).with("file.mode", mode(0o640)));
        m.open.push(a);
    }),
    case!("fchmodat", two_directories, |p, m| {
        let d = open_directory("d");
        m.rows.push(sys!(SYS_fchmodat, d.as_raw_fd(), c"a".as_ptr(), 0o600).event("chmod", 0).path(&p.path("d/a")).with("file.mode", mode(0o600)));
        m.rows.push(sys!(SYS_fchmodat, AT_FDCWD, c"a".as_ptr(), 0o600).event("chmod", ENOENT).path(&p.path("a")).with("file.mode", mode(0o600)));
        m.open.push(d);
    }),
    // Since 6.6: older kernels have neither the call nor its tracepoint.
    case!("fchmodat2", two_directories, |p, m| {
        let d = open_directory("d");
        let call = sys!(SYS_fchmodat2, d.as_raw_fd(), c"a".as_ptr(), 0o600, 0);
        if call.value == -i64::from(libc::ENOSYS) {
            return;
        }
        m.rows.push(call.event("chmod", 0).path(&p.path("d/a")).with("file.mode", mode(0o600)));
        m.open.push(d);
    }),

    case!("a name that cannot be read", nothing, |_, m| {
        let unread = json!(["path_unread"]);
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, std::ptr::null::<c_char>(), 0).event("unlink", EFAULT).with("mote.flags", unread.clone()));
        m.rows.push(sys!(SYS_mkdirat, AT_FDCWD, std::ptr::dangling::<c_char>(), 0o700).event("mkdir", EFAULT).with("file.mode", mode(0o700)).with("mote.flags", unread));
    }),
    case!("a descriptor that is not open", nothing, |_, m| {
        let unknown = json!(["path_relative"]);
        let name = std::path::Path::new("a");
        m.rows.push(sys!(SYS_unlinkat, 4000, c"a".as_ptr(), 0).event("unlink", EBADF).path(name).with("mote.flags", unknown));
    }),
    case!("changing directory is not reported", two_directories, |p, m| {
        sys!(SYS_chdir, c"d".as_ptr()).check(0);
        m.rows.push(sys!(SYS_unlinkat, AT_FDCWD, c"a".as_ptr(), 0).event("unlink", 0).path(&p.path("d/a")));
        sys!(SYS_chdir, c"no/such".as_ptr()).check(ENOENT);
        m.rows.push(sys!(SYS_mkdirat, AT_FDCWD, c"n".as_ptr(), 0o700).event("mkdir", 0).path(&p.path("d/n")).with("file.mode", mode(0o700)));
    }),
    case!("fchdir is not reported", two_directories, |p, m| {
        let e = open_directory("e");
        sys!(SYS_fchdir, e.as_raw_fd()).check(0);
        m.rows.push(sys!(SYS_mkdirat, AT_FDCWD, c"n".as_ptr(), 0o700).event("mkdir", 0).path(&p.path("e/n")).with("file.mode", mode(0o700)));
        m.open.push(e);
    }),
];
