//! link, symlink, mknod, chown, truncate, utime, setxattr: as for the calls of `files`.

use crate::call::{Case, Place, c, case, nothing, sys};
use crate::support::expect::mode;
use libc::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, EEXIST, EFAULT, EINVAL,
    EISDIR, ENODATA, ENOENT, EPERM, S_IFCHR, S_IFIFO, UTIME_NOW, UTIME_OMIT, c_char, timespec,
    timeval,
};
use serde_json::json;
use std::fs::{File, create_dir, write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::ptr::null;

/// A file `a`.
fn file(_: &Place) {
    write("a", "").unwrap();
}

/// A directory `d` with a file `a`.
fn directory(_: &Place) {
    create_dir("d").unwrap();
    write("d/a", "").unwrap();
}

fn opened(name: &str) -> OwnedFd {
    File::open(name).unwrap().into()
}

const fn at_second(second: i64, ns: i64) -> timespec {
    timespec { tv_sec: second, tv_nsec: ns }
}

/// Accessed at another time than modified: only the latter is told.
#[cfg(target_arch = "x86_64")]
const TIMEVALS: [timeval; 2] =
    [timeval { tv_sec: 5, tv_usec: 6 }, timeval { tv_sec: 86_400, tv_usec: 250_000 }];
const TIMES: [timespec; 2] = [at_second(5, 6), at_second(86_400, 250_000_001)];
#[cfg(target_arch = "x86_64")]
const OF_TIMEVALS: &str = "1970-01-02T00:00:00.250000000Z";
const OF_TIMES: &str = "1970-01-02T00:00:00.250000001Z";

/// `makedev(1, 3)`: what /dev/null is.
const NULL_DEVICE: u32 = 1 << 8 | 3;

const XATTR: &std::ffi::CStr = c"user.mote";

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    #[cfg(target_arch = "x86_64")]
    case!("link", file, |p, m| {
        m.rows.push(sys!(SYS_link, c"a".as_ptr(), c(p.path("b")).as_ptr()).event("link", 0).from(&p.path("a")).path(&p.path("b")));
        m.rows.push(sys!(SYS_link, c"a".as_ptr(), c"b".as_ptr()).event("link", EEXIST).from(&p.path("a")).path(&p.path("b")));
    }),
    case!("linkat between descriptors", directory, |p, m| {
        let d = opened("d");
        let call = sys!(SYS_linkat, d.as_raw_fd(), c"a".as_ptr(), AT_FDCWD, c"b".as_ptr(), AT_SYMLINK_FOLLOW);
        m.rows.push(call.event("link", 0).from(&p.path("d/a")).path(&p.path("b")));
        let call = sys!(SYS_linkat, AT_FDCWD, c"no".as_ptr(), d.as_raw_fd(), c"b".as_ptr(), 0);
        m.rows.push(call.event("link", ENOENT).from(&p.path("no")).path(&p.path("d/b")));
        m.open.push(d);
    }),
    case!("linkat of a descriptor", directory, |p, m| {
        let a = opened("d/a");
        let call = sys!(SYS_linkat, a.as_raw_fd(), c"".as_ptr(), AT_FDCWD, c"b".as_ptr(), AT_EMPTY_PATH);
        m.rows.push(call.event("link", 0).from(&p.path("d/a")).path(&p.path("b")));
        m.open.push(a);
    }),
    // What it leads to stays as it was given.
    #[cfg(target_arch = "x86_64")]
    case!("symlink", nothing, |p, m| {
        m.rows.push(sys!(SYS_symlink, c"../x/./y".as_ptr(), c"l".as_ptr()).event("symlink", 0).with("file.target_path", "../x/./y").path(&p.path("l")));
        m.rows.push(sys!(SYS_symlink, c"/etc".as_ptr(), c"l".as_ptr()).event("symlink", EEXIST).with("file.target_path", "/etc").path(&p.path("l")));
    }),
    case!("symlinkat", directory, |p, m| {
        let d = opened("d");
        let call = sys!(SYS_symlinkat, c"a".as_ptr(), d.as_raw_fd(), c"l".as_ptr());
        m.rows.push(call.event("symlink", 0).with("file.target_path", "a").path(&p.path("d/l")));
        m.open.push(d);
    }),

    #[cfg(target_arch = "x86_64")]
    case!("mknod", nothing, |p, m| {
        m.rows.push(
            sys!(SYS_mknod, c"f".as_ptr(), S_IFIFO | 0o640, 77)
                .event("mknod", 0).path(&p.path("f")).with("file.mode", mode(0o640)).with("file.type", "fifo"),
        );
        // No such type.
        m.rows.push(
            sys!(SYS_mknod, c"g".as_ptr(), 0o50_600, 0)
                .event("mknod", EINVAL).path(&p.path("g")).with("file.mode", mode(0o600)),
        );
    }),
    case!("mknodat of a device", directory, |p, m| {
        let d = opened("d");
        let call = sys!(SYS_mknodat, d.as_raw_fd(), c"null".as_ptr(), S_IFCHR | 0o600, NULL_DEVICE);
        // In a user namespace nobody may.
        let errno = if call.value == 0 { 0 } else { EPERM };
        m.rows.push(
            call.event("mknod", errno).path(&p.path("d/null")).with("file.mode", mode(0o600))
                .with("file.type", "character_device").with("mote.device", "1, 3"),
        );
        let call = sys!(SYS_mknodat, AT_FDCWD, c"new".as_ptr(), 0o600, 0);
        m.rows.push(call.event("mknod", 0).path(&p.path("new")).with("file.mode", mode(0o600)).with("file.type", "file"));
        m.open.push(d);
    }),

    #[cfg(target_arch = "x86_64")]
    case!("chown", file, |p, m| {
        m.rows.push(sys!(SYS_chown, c"a".as_ptr(), 7, 8).event("chown", 0).path(&p.path("a")).with("file.uid", "7").with("file.gid", "8"));
        m.rows.push(sys!(SYS_lchown, c"a".as_ptr(), -1, 0).event("chown", 0).path(&p.path("a")).with("file.gid", "0"));
        m.rows.push(sys!(SYS_chown, c"no".as_ptr(), 0, -1).event("chown", ENOENT).path(&p.path("no")).with("file.uid", "0"));
    }),
    case!("fchown", file, |p, m| {
        let a = opened("a");
        m.rows.push(sys!(SYS_fchown, a.as_raw_fd(), 7, 4_294_967_294u32).event("chown", 0).path(&p.path("a")).with("file.uid", "7").with("file.gid", "4294967294"));
        m.open.push(a);
    }),
    case!("fchownat", directory, |p, m| {
        let (d, a) = (opened("d"), opened("d/a"));
        m.rows.push(sys!(SYS_fchownat, d.as_raw_fd(), c"a".as_ptr(), 0, 0, AT_SYMLINK_NOFOLLOW).event("chown", 0).path(&p.path("d/a")).with("file.uid", "0").with("file.gid", "0"));
        m.rows.push(sys!(SYS_fchownat, a.as_raw_fd(), c"".as_ptr(), 1, 2, AT_EMPTY_PATH).event("chown", 0).path(&p.path("d/a")).with("file.uid", "1").with("file.gid", "2"));
        m.rows.push(sys!(SYS_fchownat, AT_FDCWD, c"no".as_ptr(), -1, -1, 0).event("chown", ENOENT).path(&p.path("no")));
        m.open.extend([d, a]);
    }),

    case!("truncate", directory, |p, m| {
        m.rows.push(sys!(SYS_truncate, c"d/a".as_ptr(), 3i64 << 20).event("truncate", 0).path(&p.path("d/a")).with("file.size", 3 << 20));
        m.rows.push(sys!(SYS_truncate, c"d".as_ptr(), 0i64).event("truncate", EISDIR).path(&p.path("d")).with("file.size", 0));
        m.rows.push(sys!(SYS_truncate, c"d/a".as_ptr(), -1i64).event("truncate", EINVAL).path(&p.path("d/a")).with("file.size", -1));
    }),
    case!("ftruncate", file, |p, m| {
        let a = opened("a");
        // It is open for reading only.
        m.rows.push(sys!(SYS_ftruncate, a.as_raw_fd(), 5i64).event("truncate", EINVAL).path(&p.path("a")).with("file.size", 5));
        m.open.push(a);
    }),

    #[cfg(target_arch = "x86_64")]
    case!("utime", file, |p, m| {
        let times = [5i64, 86_400];
        m.rows.push(sys!(SYS_utime, c"a".as_ptr(), times.as_ptr()).event("utime", 0).path(&p.path("a")).with("file.mtime", "1970-01-02T00:00:00.000000000Z"));
        m.rows.push(sys!(SYS_utime, c"a".as_ptr(), null::<i64>()).event("utime", 0).path(&p.path("a")));
        m.rows.push(sys!(SYS_utimes, c"a".as_ptr(), TIMEVALS.as_ptr()).event("utime", 0).path(&p.path("a")).with("file.mtime", OF_TIMEVALS));
        m.rows.push(sys!(SYS_futimesat, AT_FDCWD, c"no".as_ptr(), TIMEVALS.as_ptr()).event("utime", ENOENT).path(&p.path("no")).with("file.mtime", OF_TIMEVALS));
        let a = opened("a");
        m.rows.push(sys!(SYS_futimesat, a.as_raw_fd(), null::<c_char>(), TIMEVALS.as_ptr()).event("utime", 0).path(&p.path("a")).with("file.mtime", OF_TIMEVALS));
        m.open.push(a);
    }),
    case!("utimensat", directory, |p, m| {
        let (d, a) = (opened("d"), opened("d/a"));
        m.rows.push(sys!(SYS_utimensat, d.as_raw_fd(), c"a".as_ptr(), TIMES.as_ptr(), 0).event("utime", 0).path(&p.path("d/a")).with("file.mtime", OF_TIMES));
        m.rows.push(sys!(SYS_utimensat, a.as_raw_fd(), null::<c_char>(), TIMES.as_ptr(), 0).event("utime", 0).path(&p.path("d/a")).with("file.mtime", OF_TIMES));
        // Before 1970, now, as it was, and now again.
        let before = [at_second(0, 0), at_second(-1, 500_000_000)];
        m.rows.push(sys!(SYS_utimensat, AT_FDCWD, c"d/a".as_ptr(), before.as_ptr(), 0).event("utime", 0).path(&p.path("d/a")).with("file.mtime", "1969-12-31T23:59:59.500000000Z"));
        for special in [UTIME_NOW, UTIME_OMIT] {
            let times = [at_second(7, UTIME_OMIT), at_second(7, special)];
            m.rows.push(sys!(SYS_utimensat, AT_FDCWD, c"d/a".as_ptr(), times.as_ptr(), 0).event("utime", 0).path(&p.path("d/a")));
        }
        m.rows.push(sys!(SYS_utimensat, AT_FDCWD, c"d/a".as_ptr(), null::<timespec>(), 0).event("utime", 0).path(&p.path("d/a")));
        m.rows.push(
            sys!(SYS_utimensat, AT_FDCWD, c"d/a".as_ptr(), 8, 0).event("utime", EFAULT)
                .path(&p.path("d/a")).with("mote.flags", json!(["call_flags_unread"])),
        );
        m.open.extend([d, a]);
    }),

    case!("setxattr", directory, |p, m| {
        let named = |call: crate::call::Returned, errno, path: &Path| {
            call.event("setxattr", errno).path(path).with("mote.attribute", "user.mote")
        };
        let a = p.path("d/a");
        // Where the file system has none, nothing of it can succeed.
        let call = sys!(SYS_setxattr, c"d/a".as_ptr(), XATTR.as_ptr(), c"x".as_ptr(), 1, 0);
        let has = call.value == 0;
        let or = |errno| if has { errno } else { libc::EOPNOTSUPP };
        m.rows.push(named(call, or(0), &a));
        m.rows.push(named(sys!(SYS_lsetxattr, c(&a).as_ptr(), XATTR.as_ptr(), c"x".as_ptr(), 1, 0), or(0), &a));
        let fd = opened("d/a");
        m.rows.push(named(sys!(SYS_fsetxattr, fd.as_raw_fd(), XATTR.as_ptr(), c"x".as_ptr(), 1, 0), or(0), &a));
        m.rows.push(named(sys!(SYS_removexattr, c"d/a".as_ptr(), XATTR.as_ptr()), or(0), &a));
        m.rows.push(named(sys!(SYS_lremovexattr, c"d/a".as_ptr(), XATTR.as_ptr()), or(ENODATA), &a));
        m.rows.push(named(sys!(SYS_fremovexattr, fd.as_raw_fd(), XATTR.as_ptr()), or(ENODATA), &a));
        m.rows.push(named(sys!(SYS_setxattr, c"no".as_ptr(), XATTR.as_ptr(), c"x".as_ptr(), 1, 0), ENOENT, &p.path("no")));
        m.open.push(fd);
    }),
    // Since 6.13.
    case!("removexattrat", directory, |p, m| {
        let (d, a) = (opened("d"), opened("d/a"));
        let by_name = sys!(SYS_removexattrat, d.as_raw_fd(), c"a".as_ptr(), 0, XATTR.as_ptr());
        let errno = if by_name.value == -i64::from(ENODATA) { ENODATA } else { libc::EOPNOTSUPP };
        let path = p.path("d/a");
        m.rows.push(by_name.event("setxattr", errno).path(&path).with("mote.attribute", "user.mote"));
        let by_fd = sys!(SYS_removexattrat, a.as_raw_fd(), c"".as_ptr(), AT_EMPTY_PATH, XATTR.as_ptr());
        m.rows.push(by_fd.event("setxattr", errno).path(&path).with("mote.attribute", "user.mote"));
        let args: [u64; 2] = [c"x".as_ptr() as u64, 1];
        let set = sys!(SYS_setxattrat, d.as_raw_fd(), c"no".as_ptr(), 0, XATTR.as_ptr(), args.as_ptr(), size_of_val(&args));
        m.rows.push(set.event("setxattr", ENOENT).path(&p.path("d/no")).with("mote.attribute", "user.mote"));
        m.open.extend([d, a]);
    }),
];
