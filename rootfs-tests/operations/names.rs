//! Names that break a careless reader: long ones, and every byte a name may have.

use crate::call::{Case, Made, Place, c, case, nothing, sys};
use crate::support::child;
use crate::support::expect::{Row, mode};
use libc::{AT_FDCWD, c_long};
use serde_json::json;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of a name that the kernel part passes on (`MOTE_NAME_BYTES`, without its NUL),
/// and of each of two, or of an executed path (`MOTE_PAIR_BYTES`).
const NAME: usize = 1023;
const PAIR: usize = 510;
/// Of an executed path (`MOTE_EXEC_PATH_BYTES`).
const EXEC_PATH: usize = 511;

/// Bytes of executed paths.
const EXECUTED: [usize; 3] = [EXEC_PATH, EXEC_PATH + 1, 1000];

/// Makes and removes a directory of this name: two events.
fn make_and_remove(place: &Place, made: &mut Made, name: &[u8]) {
    let name = Path::new(OsStr::from_bytes(name));
    let path = place.path(name);
    made.rows.push(
        sys!(SYS_mkdirat, AT_FDCWD, c(name).as_ptr(), 0o700)
            .event("mkdir", 0)
            .path(&path)
            .with("file.mode", mode(0o700)),
    );
    made.rows.push(
        sys!(SYS_unlinkat, AT_FDCWD, c(name).as_ptr(), libc::AT_REMOVEDIR)
            .event("rmdir", 0)
            .path(&path),
    );
}

/// The name of a file below `dir`, of `length` bytes in all, in directories as deep as that
/// takes.
fn deep(dir: &Path, length: usize) -> PathBuf {
    const LONGEST: usize = 255;
    let mut path = dir.as_os_str().as_bytes().to_vec();
    while length - path.len() > 1 + LONGEST {
        path.push(b'/');
        path.extend([b'd'; 200]);
    }
    path.push(b'/');
    path.resize(length, b'p');
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

/// A child that executes `path` and ends with 0: three events.
fn executes(made: &mut Made, path: &Path) {
    let pid = child::fork(|| child::exec(path, &[b"prog"]));
    child::ends_with(pid, 0);
    let kept = cut(path, EXEC_PATH.min(path.as_os_str().len()));
    let exec = Row::new("exec", pid)
        .executable(&kept)
        .with("process.args", json!(["prog"]))
        .with("process.args_count", 1)
        .with("mote.syscall_name", "execve")
        .result(0);
    let exit = Row::new("exit", pid).executable(&kept).with("process.exit_code", 0);
    let marked = |row: Row| row.with("mote.flags", json!(["executable_unresolved"]));
    let rows = if kept == path {
        [exec, exit]
    } else {
        // The exec's own path is the executable.
        let cut = json!(["file.path", "process.executable"]);
        [marked(exec).with("mote.truncated", cut), marked(exit)]
    };
    made.rows.push(Row::new("fork", pid));
    made.rows.extend(rows);
    made.children.push(pid);
}

/// A name of `length` bytes that leads nowhere.
fn long(start: &Path, length: usize) -> PathBuf {
    let mut bytes = start.as_os_str().as_bytes().to_vec();
    while bytes.len() < length {
        bytes.push(if bytes.len().is_multiple_of(100) { b'/' } else { b'n' });
    }
    // The kernel resolves no further than the first part that is absent.
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn cut(path: &Path, length: usize) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&path.as_os_str().as_bytes()[..length]))
}

macro_rules! name_case {
    ($name:literal, $bytes:expr) => {
        case!($name, nothing, |p, m| make_and_remove(p, m, $bytes))
    };
}

pub const CASES: &[Case] = &[
    name_case!("newline", b"a\nb"),
    name_case!("tab and escape", b"a\tb\x1b[31m"),
    name_case!("quotes", b"'a' \"b\" \\c"),
    name_case!("blanks", b" a  b "),
    name_case!("UTF-8", "größer 火".as_bytes()),
    name_case!("not UTF-8", b"a\xff\xfe\xc3b"),
    name_case!("looks like a record", b"m1:AAAA <13>"),
    name_case!("two hundred and fifty-five bytes", &[b'x'; 255]),
    Case {
        name: "every byte",
        prepare: nothing,
        act: |p, m| {
            for byte in (1..=255u8).filter(|byte| *byte != b'/') {
                make_and_remove(p, m, &[b'x', byte]);
            }
        },
    },
    Case {
        name: "as long as fits",
        prepare: nothing,
        act: |p, m| {
            let path = long(&p.path("absent/"), NAME);
            m.rows.push(
                sys!(SYS_unlinkat, AT_FDCWD, c(&path).as_ptr(), 0)
                    .event("unlink", libc::ENOENT)
                    .path(&path),
            );
        },
    },
    Case {
        name: "longer than fits",
        prepare: nothing,
        act: |p, m| {
            for length in [NAME + 1, 4000] {
                let path = long(&p.path("absent/"), length);
                m.rows.push(
                    sys!(SYS_unlinkat, AT_FDCWD, c(&path).as_ptr(), 0)
                        .event("unlink", libc::ENOENT)
                        .path(&cut(&path, NAME))
                        .with("mote.truncated", json!(["file.path"])),
                );
            }
        },
    },
    Case {
        name: "longer than the kernel takes",
        prepare: nothing,
        act: |p, m| {
            let path = long(&p.path("absent/"), libc::PATH_MAX as usize + 100);
            m.rows.push(
                sys!(SYS_unlinkat, AT_FDCWD, c(&path).as_ptr(), 0)
                    .event("unlink", libc::ENAMETOOLONG)
                    .path(&cut(&path, NAME))
                    .with("mote.truncated", json!(["file.path"])),
            );
        },
    },
    Case {
        name: "two names, each as long as fits and longer",
        prepare: nothing,
        act: |p, m| {
            let fits = long(&p.path("absent/"), PAIR);
            let longer = long(&p.path("absent/"), PAIR + 1);
            let cut = cut(&longer, PAIR);
            let rename = |from: &Path, to: &Path| {
                sys!(
                    SYS_renameat2,
                    AT_FDCWD,
                    c(from).as_ptr(),
                    AT_FDCWD,
                    c(to).as_ptr(),
                    0 as c_long
                )
                .event("rename", libc::ENOENT)
            };
            m.rows.push(rename(&fits, &fits).from(&fits).path(&fits));
            m.rows.push(
                rename(&longer, &fits)
                    .from(&cut)
                    .path(&fits)
                    .with("mote.truncated", json!(["file.Ext.original.path"])),
            );
            m.rows.push(
                rename(&fits, &longer)
                    .from(&fits)
                    .path(&cut)
                    .with("mote.truncated", json!(["file.path"])),
            );
        },
    },
    Case {
        name: "an executed path, as long as fits and longer",
        prepare: |p| {
            for path in EXECUTED.map(|length| deep(&p.dir, length)) {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::copy("/bin/true", path).unwrap();
            }
        },
        act: |p, m| EXECUTED.iter().for_each(|length| executes(m, &deep(&p.dir, *length))),
    },
    Case {
        name: "with dots",
        prepare: |_| std::fs::create_dir_all("d/e").unwrap(),
        act: |p, m| {
            // Marked, not resolved: what `..` leads to depends on links that may change.
            m.rows.push(
                sys!(SYS_mkdirat, AT_FDCWD, c"d/../n".as_ptr(), 0o700)
                    .event("mkdir", 0)
                    .path(&p.path("d/../n"))
                    .with("file.mode", mode(0o700))
                    .with("mote.flags", json!(["path_unresolved"])),
            );
        },
    },
];
