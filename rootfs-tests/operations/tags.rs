//! Addresses with a tag in their top byte, which arm64 lets a program pass
//! (linux Documentation/arch/arm64/tagged-address-abi.rst): they hide nothing.

use crate::call::{Case, Place, c, case, sys};
use crate::support::child::{self, pointers, strings};
use crate::support::expect::{Row, mode};
use libc::{AF_UNIX, AT_FDCWD, ECONNREFUSED, ENOENT, O_CREAT, O_WRONLY, SOCK_STREAM};
use std::path::Path;

/// linux `include/uapi/linux/prctl.h`
const PR_SET_TAGGED_ADDR_CTRL: i32 = 55;
const PR_TAGGED_ADDR_ENABLE: u64 = 1;

/// Tags of both signs: the second makes of an address what a number would call the kernel's.
const TAGS: [u64; 2] = [0x2a, 0xb4];

fn tagged<T>(address: *const T, tag: u64) -> u64 {
    address as u64 | tag << 56
}

/// A child with tagged addresses; its number. A kernel that takes none fails the first call.
fn of_tags(act: impl FnOnce(u64) -> i32, tag: u64) -> u32 {
    child::fork(|| {
        sys!(SYS_prctl, PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 0).check(0);
        act(tag)
    })
}

/// One that nobody listens on any more.
fn socket_of_nobody(_: &Place) {
    drop(std::os::unix::net::UnixListener::bind("s").unwrap());
}

fn program(_: &Place) {
    std::fs::copy("/bin/true", "prog").unwrap();
}

pub const CASES: &[Case] = &[
    case!("names with a tag", |_| std::fs::create_dir("e").unwrap(), |p, m| {
        for tag in TAGS {
            let pid = of_tags(
                |tag| {
                    let (old, new) = (c"d", c"e");
                    let how: [u64; 3] = [(O_CREAT | O_WRONLY) as u64, 0o600, 0];
                    let (from, to) = (tagged(old.as_ptr(), tag), tagged(new.as_ptr(), tag));
                    sys!(SYS_mkdirat, AT_FDCWD, from, 0o700).check(0);
                    sys!(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to).check(0);
                    let no = c"no/such";
                    let (name, how) = (tagged(no.as_ptr(), tag), tagged(how.as_ptr(), tag));
                    sys!(SYS_openat2, AT_FDCWD, name, how, 24).check(ENOENT);
                    0
                },
                tag,
            );
            child::ends_with(pid, 0);
            m.children.push(pid);
            let call = |action, name, path: &Path, errno: i32| {
                let row = Row::new(action, pid).path(path).result(-i64::from(errno));
                row.with("mote.syscall_name", name)
            };
            m.rows.extend([
                Row::new("fork", pid),
                call("mkdir", "mkdirat", &p.path("d"), 0).with("file.mode", mode(0o700)),
                call("rename", "renameat", &p.path("e"), 0).from(&p.path("d")),
                call("open", "openat2", &p.path("no/such"), ENOENT).with("file.mode", mode(0o600)),
                Row::new("exit", pid).with("process.exit_code", 0),
            ]);
        }
    }),
    case!("an address of a socket with a tag", socket_of_nobody, |p, m| {
        for tag in TAGS {
            let pid = of_tags(
                |tag| {
                    // Made here: see `touch` in processes.rs.
                    let name = c(p.path("s"));
                    let address =
                        [&(AF_UNIX as u16).to_ne_bytes()[..], name.as_bytes_with_nul()].concat();
                    let socket = sys!(SYS_socket, AF_UNIX, SOCK_STREAM, 0).value;
                    let address = (tagged(address.as_ptr(), tag), address.len());
                    sys!(SYS_connect, socket, address.0, address.1).check(ECONNREFUSED);
                    0
                },
                tag,
            );
            child::ends_with(pid, 0);
            m.children.push(pid);
            let name = p.path("s").into_os_string().into_string().unwrap();
            let connect = Row::new("connect", pid).result(-i64::from(ECONNREFUSED));
            m.rows.extend([
                Row::new("fork", pid),
                connect
                    .with("destination.address", name)
                    .with("network.type", "unix")
                    .with("mote.syscall_name", "connect"),
                Row::new("exit", pid).with("process.exit_code", 0),
            ]);
        }
    }),
    case!("exec with tags", program, |p, m| {
        for tag in TAGS {
            let args = strings(&[b"prog", b"with a tag"]);
            let path = p.path("prog");
            let name = c(&path);
            let pid = of_tags(
                |tag| {
                    let mut args: Vec<u64> =
                        pointers(&args[..]).iter().map(|arg| tagged(*arg, tag)).collect();
                    // The null at the end has none.
                    let end = args.len() - 1;
                    args[end] = 0;
                    let (name, list) = (tagged(name.as_ptr(), tag), tagged(args.as_ptr(), tag));
                    sys!(SYS_execve, name, list, args[end..].as_ptr());
                    127
                },
                tag,
            );
            child::ends_with(pid, 0);
            m.children.push(pid);
            let exec = Row::new("exec", pid).executable(&path).result(0);
            m.rows.extend([
                Row::new("fork", pid),
                exec.with("process.args", serde_json::json!(["prog", "with a tag"]))
                    .with("process.args_count", 2)
                    .with("mote.syscall_name", "execve"),
                Row::new("exit", pid).with("process.exit_code", 0).executable(&path),
            ]);
        }
    }),
];
