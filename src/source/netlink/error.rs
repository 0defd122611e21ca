//! Why the process connector tells nothing.

use std::fmt;
use std::io;

/// Why the provider does not run.
#[derive(Debug)]
pub enum StartError {
    /// The kernel answers no one who has process ids of his own
    /// (`cn_proc_mcast_ctl`: `init_pid_ns`).
    PidNamespace,
    /// Nor one in a user namespace (`init_user_ns`).
    UserNamespace,
    /// The connector is in the first network namespace only (`cn_init`: `init_net`).
    NetNamespace,
    /// `CAP_NET_ADMIN` is missing.
    Permission,
    /// The kernel has no connector.
    NoConnector,
    /// It has one, without process events.
    NoProcessEvents,
    /// It takes the request and sends nothing.
    Silent,
    /// A system call that should not fail did: what it was for.
    Call(&'static str, io::Error),
}

impl StartError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            StartError::Permission => Some(libc::EPERM),
            StartError::Call(_, error) => error.raw_os_error(),
            _ => None,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StartError::PidNamespace => "this is a container with process ids of its own",
            StartError::UserNamespace => "this is a container with user ids of its own",
            StartError::NetNamespace => "this is a container with a network of its own",
            StartError::Permission => {
                "listening to the kernel's process connector is not permitted"
            }
            StartError::NoConnector => "this kernel has no connector",
            StartError::NoProcessEvents => "this kernel's connector has no process events",
            StartError::Silent => "the kernel's process connector does not answer",
            StartError::Call(what, error) => return write!(f, "could not {what}: {error}"),
        })
    }
}

impl std::error::Error for StartError {}
