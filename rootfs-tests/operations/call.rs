//! What a case is made of.

use crate::support::child;
use crate::support::expect::Row;
pub(crate) use crate::support::sys::sys;
pub use crate::support::sys::{Returned, c};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// One case: what has to be there before the sensor starts, then what is done and what
/// is expected of it. Its number in the table names its directory.
pub struct Case {
    pub name: &'static str,
    pub prepare: fn(&Place),
    pub act: fn(&Place, &mut Made),
}

/// The directory of a case, which is the working directory while it acts.
pub struct Place {
    pub dir: PathBuf,
}

macro_rules! case {
    ($name:literal, $prepare:expr, $act:expr) => {
        $crate::call::Case { name: $name, prepare: $prepare, act: $act }
    };
}
pub(crate) use case;

/// For a case that needs nothing to be there.
pub fn nothing(_: &Place) {}

/// What a case did.
#[derive(Default)]
pub struct Made {
    pub rows: Vec<Row>,
    pub children: Vec<u32>,
    pub open: Vec<OwnedFd>,
}

impl Made {
    /// Lets a child do this, which is gone at once, and its descriptors with it. `rows`: its
    /// events between its fork and its end.
    pub fn by_a_child(&mut self, rows: impl FnOnce(u32) -> Vec<Row>, act: impl FnOnce()) {
        let pid = child::fork(|| {
            act();
            0
        });
        child::ends_with(pid, 0);
        self.children.push(pid);
        self.rows.push(Row::new("fork", pid));
        self.rows.extend(rows(pid));
        self.rows.push(Row::new("exit", pid).with("process.exit_code", 0));
    }
}

impl Place {
    pub fn new(parent: &Path, case: &Case) -> Place {
        let place = Place { dir: parent.join(case.name) };
        std::fs::create_dir(&place.dir).unwrap();
        place.enter();
        (case.prepare)(&place);
        place
    }

    pub fn enter(&self) {
        std::env::set_current_dir(&self.dir).unwrap();
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }
}

/// An event of this process.
pub fn own(action: &'static str) -> Row {
    Row::new(action, std::process::id())
}

impl Returned {
    /// The event of this call, which has to have ended like this: 0 for success, or an
    /// error number.
    pub fn event(self, action: &'static str, errno: i32) -> Row {
        self.check(errno);
        own(action).result(self.value).with("mote.syscall_name", self.name)
    }
}
