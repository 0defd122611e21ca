//! Who did it: which thread, which user.

use crate::call::{Case, Made, Place, c, case, sys};
use crate::support::child;
use crate::support::expect::Row;
use libc::{AT_FDCWD, EACCES};

/// Nobody's; a group of another number, so that a mistake for it shows.
const USER: u32 = 65534;
const GROUP: u32 = 65533;
/// For setresuid(2): as it is.
const SAME: i32 = -1;

fn file(_: &Place) {
    std::fs::write("a", "").unwrap();
}

/// The event of a call of a child that sets one of its ids.
fn ids(action: &'static str, call: &'static str, which: &str, id: u32) -> Box<dyn Fn(u32) -> Row> {
    let field = format!("mote.new_ids.{which}");
    let row = move |pid| Row::new(action, pid).with("mote.syscall_name", call).with(&field, id);
    Box::new(move |pid| row(pid).result(0))
}

/// A child that `becomes` somebody, by the call for the group first, whose real ids are `real`
/// then, and unlinks `a`, which has to end like `errno`.
fn unlinks(
    p: &Place,
    m: &mut Made,
    becomes: fn(),
    by: [Box<dyn Fn(u32) -> Row>; 2],
    real: (u32, u32),
    errno: i32,
) {
    let pid = child::fork(|| {
        becomes();
        sys!(SYS_unlinkat, AT_FDCWD, c"a".as_ptr(), 0).check(errno);
        0
    });
    child::ends_with(pid, 0);
    m.children.push(pid);
    let unlink = Row::new("unlink", pid).path(&p.path("a")).result(-i64::from(errno));
    // Each as whoever it was before.
    let [group, user] = by.map(|by| by(pid));
    m.rows.extend([
        Row::new("fork", pid),
        group,
        user.user(0, real.1),
        unlink.with("mote.syscall_name", "unlinkat").user(real.0, real.1),
        Row::new("exit", pid).with("process.exit_code", 0).user(real.0, real.1),
    ]);
}

pub const CASES: &[Case] = &[
    case!("a thread's own work is its process's", file, |p, m| {
        let name = c(p.path("a"));
        let of_thread = std::thread::spawn(move || {
            (sys!(SYS_gettid).value, sys!(SYS_unlinkat, AT_FDCWD, name.as_ptr(), 0))
        });
        let (tid, call) = of_thread.join().unwrap();
        let tid = u32::try_from(tid).unwrap();
        assert_ne!(tid, std::process::id());
        m.rows.push(call.event("unlink", 0).path(&p.path("a")).thread(tid));
    }),
    case!("another user", file, |p, m| {
        let becomes = || {
            sys!(SYS_setgid, GROUP).check(0);
            sys!(SYS_setuid, USER).check(0);
        };
        let by = [
            ids("setgid", "setgid", "effective", GROUP),
            ids("setuid", "setuid", "effective", USER),
        ];
        unlinks(p, m, becomes, by, (USER, GROUP), EACCES);
    }),
    // As a set-user-ID program is: the real user is the one who called it.
    case!("a user with root's rights", file, |p, m| {
        let becomes = || {
            sys!(SYS_setresgid, GROUP, SAME, SAME).check(0);
            sys!(SYS_setresuid, USER, SAME, SAME).check(0);
        };
        let by =
            [ids("setgid", "setresgid", "real", GROUP), ids("setuid", "setresuid", "real", USER)];
        unlinks(p, m, becomes, by, (USER, GROUP), 0);
    }),
    case!("root with a user's rights", file, |p, m| {
        let becomes = || {
            sys!(SYS_setresgid, SAME, GROUP, SAME).check(0);
            sys!(SYS_setresuid, SAME, USER, SAME).check(0);
        };
        let by = [
            ids("setgid", "setresgid", "effective", GROUP),
            ids("setuid", "setresuid", "effective", USER),
        ];
        unlinks(p, m, becomes, by, (0, 0), EACCES);
    }),
];
