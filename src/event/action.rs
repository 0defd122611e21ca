//! What an event is about.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::numbered::numbered;

numbered! {
    /// What happened. The numbers are part of the record format and never change.
    Action {
        /// A program was executed (execve, execveat), or the attempt failed.
        Exec = 1, "exec";
        /// A process was created (fork, vfork, clone, clone3); threads are left out.
        Fork = 2, "fork";
        /// A process ended.
        Exit = 3, "exit";
        /// A file was opened to be written or created.
        Open = 32, "open";
        /// A name was changed.
        Rename = 33, "rename";
        /// A name was removed.
        Unlink = 34, "unlink";
        /// A directory was removed.
        Rmdir = 35, "rmdir";
        /// A directory was created.
        Mkdir = 38, "mkdir";
        /// Permission bits were changed.
        Chmod = 40, "chmod";
        /// A socket was connected, or the attempt failed.
        Connect = 64, "connect";
        /// Events are missing from here on: how many, and where they were lost.
        Loss = 96, "loss";
        /// The sensor lives, and what it has counted.
        Heartbeat = 97, "heartbeat";
        /// eBPF was detached for the time of a command.
        Pause = 98, "pause";
        /// That time is over.
        Resume = 99, "resume";
    }
}

numbered! {
    /// Which ring an action travels on, and what is kept longest when room runs out. The
    /// numbers are part of the record format.
    Class {
        /// Process, privilege and system events, and the sensor's own records.
        Priority = 0, "priority";
        /// File and network events.
        Bulk = 1, "bulk";
    }
}

impl Action {
    /// Which ring and which batch it belongs to.
    pub fn class(self) -> Class {
        match self as u8 {
            32..=95 => Class::Bulk,
            _ => Class::Priority,
        }
    }

    /// Whether it is about the sensor itself, not about a process.
    pub fn is_own(self) -> bool {
        self as u8 >= Action::Loss as u8
    }

    /// Whether it acts on files.
    pub fn is_on_file(self) -> bool {
        matches!(self as u8, 32..=63)
    }
}

/// A change of what a process's names mean. It is applied to what follows, not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// It works in the directory `path`, or, if that is empty, in its descriptor `dirfd`.
    Directory,
    /// It has another root directory.
    Root,
    /// It has namespaces of its own: `call_flags` are the `CLONE_*` of unshare(2), `None`
    /// whatever setns(2) was given.
    Namespaces,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// IPv4 address and port.
    V4(Ipv4Addr, u16),
    /// IPv6 address and port.
    V6(Ipv6Addr, u16),
    /// A unix socket: its name is the event's `path`, an abstract one begins with NUL.
    Unix,
    /// Another address family, by its number (`AF_*`, linux `include/linux/socket.h`).
    Other(u16),
}

/// The transport below a connection, where the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transport {
    /// Not told.
    Unknown = 0,
    /// TCP.
    Tcp = 6,
}
