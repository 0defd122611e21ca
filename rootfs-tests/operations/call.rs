//! What a case is made of.

use crate::support::expect::Row;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
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

/// What a case did.
#[derive(Default)]
pub struct Made {
    pub rows: Vec<Row>,
    pub children: Vec<u32>,
    pub open: Vec<OwnedFd>,
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

/// A name as a system call takes it.
pub fn c(name: impl AsRef<Path>) -> CString {
    CString::new(name.as_ref().as_os_str().as_bytes()).unwrap()
}

/// An event of this process.
pub fn own(action: &'static str) -> Row {
    Row::new(action, std::process::id())
}

/// What a system call returned, under its name.
pub struct Returned {
    pub name: &'static str,
    pub value: i64,
}

impl Returned {
    /// The event of this call, which has to have ended like this: 0 for success, or an
    /// error number.
    pub fn event(self, action: &'static str, errno: i32) -> Row {
        self.check(errno);
        own(action).result(self.value).with("mote.syscall_name", self.name)
    }

    /// For a call that is not reported.
    pub fn check(&self, errno: i32) {
        let right = if errno == 0 { self.value >= 0 } else { self.value == -i64::from(errno) };
        assert!(right, "{} returned {}, not {}", self.name, self.value, -errno);
    }
}

/// Makes a system call past the C library, which would choose another form of it.
macro_rules! sys {
    ($number:ident $(, $arg:expr)* $(,)?) => {{
        // SAFETY: every pointer among the arguments is valid for the call, or is meant
        // to be refused by the kernel.
        #[allow(unsafe_code)]
        let value = unsafe { libc::syscall(libc::$number $(, $arg)*) };
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        $crate::call::Returned {
            name: stringify!($number).strip_prefix("SYS_").unwrap(),
            value: if value == -1 { -i64::from(errno) } else { value },
        }
    }};
}
pub(crate) use sys;
