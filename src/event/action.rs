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
        /// A user id was changed.
        Setuid = 4, "setuid";
        /// A group id, or the list of groups, was changed.
        Setgid = 5, "setgid";
        /// A session began.
        Setsid = 6, "setsid";
        /// A process was attached to, or changed from outside.
        Ptrace = 7, "ptrace";
        /// A kernel module was loaded.
        ModuleLoad = 8, "module_load";
        /// A kernel module was removed.
        ModuleUnload = 9, "module_unload";
        /// A BPF program was loaded.
        BpfLoad = 10, "bpf_load";
        /// A file system was mounted, or a mount moved or changed.
        Mount = 11, "mount";
        /// A mount was taken away.
        Umount = 12, "umount";
        /// A process left its namespaces for new ones.
        Unshare = 13, "unshare";
        /// A process went into other namespaces.
        Setns = 14, "setns";
        /// A file in memory was made, which has no path.
        MemfdCreate = 15, "memfd_create";
        /// Another kernel was loaded, to be started.
        KexecLoad = 16, "kexec_load";
        /// The clock was set.
        ClockSet = 17, "clock_set";
        /// An io_uring was made: what is done through it are no system calls, and is told apart
        /// (`Flags::IO_URING`).
        IoUring = 18, "io_uring";
        /// A signal was sent to the sensor.
        Kill = 19, "kill";
        /// A file was opened to be written or created, or by its handle, whatever for.
        Open = 32, "open";
        /// A name was changed.
        Rename = 33, "rename";
        /// A name was removed.
        Unlink = 34, "unlink";
        /// A directory was removed.
        Rmdir = 35, "rmdir";
        /// A file got one more name.
        Link = 36, "link";
        /// A symbolic link was made.
        Symlink = 37, "symlink";
        /// A directory was created.
        Mkdir = 38, "mkdir";
        /// A device, a pipe, a socket or a file was made by mknod.
        Mknod = 39, "mknod";
        /// Permission bits were changed.
        Chmod = 40, "chmod";
        /// The owner or the group was changed.
        Chown = 41, "chown";
        /// A file was cut or filled to a size.
        Truncate = 42, "truncate";
        /// The times of a file were set.
        Utime = 43, "utime";
        /// An extended attribute was set or removed.
        Setxattr = 44, "setxattr";
        /// A socket was connected, or the attempt failed.
        Connect = 64, "connect";
        /// A socket got an address of its own.
        Bind = 65, "bind";
        /// A socket waits for connections.
        Listen = 66, "listen";
        /// A connection was accepted.
        Accept = 67, "accept";
        /// Something was sent to an address, for the first time in a while.
        Send = 68, "send";
        /// Events are missing from here on: how many, and where they were lost.
        Loss = 96, "loss";
        /// The sensor lives, and what it has counted.
        Heartbeat = 97, "heartbeat";
        /// eBPF was detached for the time of a command.
        Pause = 98, "pause";
        /// That time is over.
        Resume = 99, "resume";
        /// What the sensor sees from here on: at its start, and when that changes.
        Capability = 100, "capability";
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

    /// Whether it acts on sockets.
    pub fn is_on_socket(self) -> bool {
        matches!(self as u8, 64..=95)
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
    /// It works in another directory each time one looks: until [`MOVES_UNSEEN_NS`] later that is
    /// not told.
    ///
    /// [`MOVES_UNSEEN_NS`]: crate::limits::MOVES_UNSEEN_NS
    Unseen,
    /// It has another root directory.
    Root,
    /// It has namespaces of its own: `call_flags` are the `CLONE_*` of unshare(2), `None`
    /// whatever setns(2) was given.
    Namespaces,
}

/// One end of a connection.
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

numbered! {
    /// What a socket speaks. The numbers, which are part of the record format, are those of the
    /// protocol (linux `include/uapi/linux/in.h`).
    Transport {
        /// ICMP, as ping(8) uses it.
        Icmp = 1, "icmp";
        /// TCP, over several paths too (MPTCP).
        Tcp = 6, "tcp";
        /// UDP.
        Udp = 17, "udp";
        /// DCCP.
        Dccp = 33, "dccp";
        /// ICMP of IPv6.
        Icmpv6 = 58, "ipv6-icmp";
        /// SCTP.
        Sctp = 132, "sctp";
        /// UDP-Lite.
        UdpLite = 136, "udplite";
    }
}

impl Transport {
    /// From a socket's protocol, which is 0 where it is not known.
    pub fn from_protocol(protocol: u16) -> Option<Transport> {
        match i32::from(protocol) {
            libc::IPPROTO_MPTCP => Some(Transport::Tcp),
            _ => Transport::from_number(u8::try_from(protocol).ok()?),
        }
    }
}
