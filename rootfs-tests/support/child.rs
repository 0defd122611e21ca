//! Children of a test, without the C library's ideas of what a child needs.

use super::sys::{c, sys};
use libc::c_char;
use std::ffi::CString;
use std::path::Path;

/// Forks. The child does `act` and ends with what it returns.
#[allow(unsafe_code)]
pub fn fork(act: impl FnOnce() -> i32) -> u32 {
    // SAFETY: this process has one thread, so the child is a whole process.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let code = act();
        // SAFETY: ends the child without running what the parent has to run.
        unsafe { libc::_exit(code) };
    }
    pid as u32
}

/// Waits for the end of a child; its wait status.
#[allow(unsafe_code)]
pub fn wait(pid: u32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid as i32, &raw mut status, 0) }, pid as i32);
    status
}

/// Waits for the end of a child that has to exit with `code`.
pub fn ends_with(pid: u32, code: i32) {
    let status = wait(pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == code, "{status:#x}");
}

/// Null-terminated pointers to `args`, which have to outlive them.
pub fn pointers(args: &[CString]) -> Vec<*const c_char> {
    args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect()
}

pub fn strings(args: &[&[u8]]) -> Vec<CString> {
    args.iter().map(|arg| CString::new(*arg).unwrap()).collect()
}

/// Executes `name` with `args` and no environment; returns only if that fails: 127.
pub fn exec(name: &Path, args: &[&[u8]]) -> i32 {
    let (name, args) = (c(name), strings(args));
    let args = pointers(&args);
    sys!(SYS_execve, name.as_ptr(), args.as_ptr(), args[args.len() - 1..].as_ptr());
    127
}

/// The break of a lease is told by SIGIO, which ends a process by default.
#[allow(unsafe_code)]
pub fn ignore_sigio() {
    // SAFETY: takes integers.
    unsafe {
        libc::signal(libc::SIGIO, libc::SIG_IGN);
    }
}

/// Ends the calling child by a signal, without a core file.
#[allow(unsafe_code)]
pub fn dies_of(signal: i32) {
    // SAFETY: the limit outlives the call, and the rest takes integers.
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
