//! System calls made past the C library, which would choose another form of them.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A name as a system call takes it.
pub fn c(name: impl AsRef<Path>) -> CString {
    CString::new(name.as_ref().as_os_str().as_bytes()).unwrap()
}

/// What a system call returned, under its name.
pub struct Returned {
    pub name: &'static str,
    pub value: i64,
}

impl Returned {
    /// It has to have ended like this: 0 for success, or an error number.
    pub fn check(&self, errno: i32) {
        let right = if errno == 0 { self.value >= 0 } else { self.value == -i64::from(errno) };
        assert!(right, "{} returned {}, not {}", self.name, self.value, -errno);
    }

    /// The descriptor that it opened.
    #[allow(unsafe_code)]
    pub fn descriptor(&self) -> OwnedFd {
        self.check(0);
        // SAFETY: the kernel just opened it, and nobody else has it.
        unsafe { OwnedFd::from_raw_fd(self.value as i32) }
    }
}

/// The numbers of system calls.
pub mod numbers {
    pub use libc::*;

    /// Which the libc crate does not have for arm64. From 424 on a number is the same on every
    /// architecture (linux `scripts/syscall.tbl`).
    #[allow(non_upper_case_globals)]
    pub const SYS_fchmodat2: c_long = 452;
    #[allow(non_upper_case_globals)]
    pub const SYS_setxattrat: c_long = 463;
    #[allow(non_upper_case_globals)]
    pub const SYS_removexattrat: c_long = 466;
    #[allow(non_upper_case_globals)]
    pub const SYS_open_tree_attr: c_long = 467;
}

/// Makes a system call past the C library, which would choose another form of it.
macro_rules! sys {
    ($number:ident $(, $arg:expr)* $(,)?) => {{
        // SAFETY: every pointer among the arguments is valid for the call, or is meant
        // to be refused by the kernel.
        #[allow(unsafe_code)]
        let value = unsafe { libc::syscall($crate::support::sys::numbers::$number $(, $arg)*) };
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        $crate::support::sys::Returned {
            name: stringify!($number).strip_prefix("SYS_").unwrap(),
            value: if value == -1 { -i64::from(errno) } else { value },
        }
    }};
}
pub(crate) use sys;
