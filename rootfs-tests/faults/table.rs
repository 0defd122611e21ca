//! What fails, and how. Not brk: where it fails the kernel returns the old end, and no error, which strace
//! cannot do.

/// A system call, and errors that it can end with; the first is the likeliest.
pub struct Fault {
    pub call: &'static str,
    pub errors: &'static [&'static str],
}

const fn fault(call: &'static str, errors: &'static [&'static str]) -> Fault {
    Fault { call, errors }
}

/// While a sensor starts.
pub const AT_THE_START: &[Fault] = &[
    fault("openat", &["EMFILE", "ENOMEM", "EACCES", "ENOENT", "EINTR"]),
    fault("read", &["EIO", "EINTR", "ENOMEM"]),
    fault("close", &["EIO", "EINTR"]),
    fault("statx", &["EACCES", "ENOENT"]),
    fault("readlinkat", &["EACCES", "ENOENT", "ENOMEM"]),
    fault("getdents64", &["EIO", "ENOENT"]),
    fault("mkdir", &["ENOSPC", "EROFS", "EACCES"]),
    fault("unlink", &["EACCES", "EROFS"]),
    fault("fcntl", &["EMFILE", "EAGAIN", "ENOLCK"]),
    fault("ioctl", &["EINVAL", "EBUSY", "ENOMEM"]),
    fault("mmap", &["ENOMEM", "EPERM"]),
    fault("mprotect", &["ENOMEM"]),
    fault("bpf", &["ENOMEM", "EPERM", "EMFILE", "EINVAL", "EAGAIN", "E2BIG"]),
    fault("perf_event_open", &["EMFILE", "ENOMEM", "EACCES", "ENODEV", "EINVAL"]),
    fault("epoll_create1", &["EMFILE", "ENOMEM"]),
    fault("epoll_ctl", &["ENOSPC", "ENOMEM", "EPERM"]),
    fault("socket", &["EMFILE", "EACCES", "EAFNOSUPPORT"]),
    fault("socketpair", &["EMFILE"]),
    fault("bind", &["EADDRINUSE", "EACCES", "ENOMEM"]),
    fault("listen", &["EADDRINUSE"]),
    fault("pipe2", &["EMFILE", "ENFILE"]),
    fault("clone", &["EAGAIN", "ENOMEM"]),
    fault("wait4", &["EINTR", "ECHILD"]),
    fault("rt_sigaction", &["EINVAL"]),
    fault("prctl", &["EPERM", "EINVAL"]),
    fault("capset", &["EPERM"]),
    fault("capget", &["EPERM"]),
    fault("prlimit64", &["EPERM"]),
    fault("uname", &["EFAULT"]),
    fault("sysinfo", &["EFAULT"]),
    fault("getrandom", &["ENOSYS"]),
    fault("io_uring_setup", &["ENOMEM", "EPERM", "ENOSYS"]),
    fault("io_uring_enter", &["EBUSY", "EAGAIN"]),
    fault("fsopen", &["EPERM", "ENOSYS"]),
    fault("fsmount", &["EPERM", "EMFILE"]),
    fault("clock_nanosleep", &["EINTR"]),
];

/// While it runs.
pub const IN_THE_LOOP: &[Fault] = &[
    fault("epoll_wait", &["EINTR"]),
    fault("read", &["EIO", "EINTR"]),
    fault("openat", &["EMFILE", "ENOMEM", "EINTR"]),
    fault("readlinkat", &["ENOMEM", "EACCES"]),
    fault("getdents64", &["EIO"]),
    fault("statx", &["EACCES"]),
    fault("bpf", &["ENOMEM", "EPERM", "EAGAIN"]),
    fault("write", &["EINTR", "EAGAIN", "ENOSPC", "EIO"]),
    fault("close", &["EIO"]),
    fault("mmap", &["ENOMEM"]),
    fault("uname", &["EFAULT"]),
];
