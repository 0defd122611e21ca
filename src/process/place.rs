//! Where a process is: what its relative and its absolute names start at.

use super::proc::{FileId, Proc};
use super::strings::StringId;
use crate::event::{Bytes, Event, Flags};
use crate::limits::PATH_BYTES;

/// Whose file system a process sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// The host's.
    Host,
    /// Mounts of its own below the host's root directory, which takes privileges to get: a
    /// service with a private `/tmp`.
    OtherMounts,
    /// Another root directory, which takes privileges to get: a container, a chroot.
    OtherRoot,
    /// That of a user namespace, which any user can make, and mount anything anywhere in it.
    UserNamespace,
}

impl View {
    /// Says in an event that has names that they are not the host's.
    pub fn mark(self, event: &mut Event) {
        event.flags.insert(match self {
            View::Host => Flags(0),
            View::OtherMounts => Flags::OTHER_MOUNTS,
            View::OtherRoot => Flags::OTHER_ROOT,
            View::UserNamespace => Flags::OTHER_ROOT.union(Flags::USER_NAMESPACE),
        });
    }
}

/// Who else can change a process's directory (`struct fs_struct`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Own,
    /// Its threads may each have another one since one of them called unshare or setns.
    /// Until it executes: then there is one thread.
    Threads,
    /// Another process, by `CLONE_FS`.
    Processes,
}

/// Who spelled a directory's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The kernel: it crosses no symbolic link.
    Kernel,
    /// The process: it leads there, perhaps across symbolic links.
    Process,
    /// The process, and it may lead elsewhere: `..` behind what may be a link.
    Doubtful,
}

/// A look at /proc, in `CLOCK_MONOTONIC`. Zeros where something comes from events alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Before it. Events that are older are in what was seen.
    pub began_ns: u64,
    /// After it. What was seen is certain for events that are younger.
    pub ended_ns: u64,
}

impl Look {
    /// What cannot be relied on, whenever an event was.
    pub const NEVER: Look = Look { began_ns: 0, ended_ns: u64::MAX };
}

/// What a name starts at.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The working directory. `None`: not known.
    pub directory: Option<StringId>,
    /// How far `directory` can be trusted.
    pub spelling: Spelling,
    /// The look at /proc that this comes from.
    pub look: Look,
    /// `CLOCK_MONOTONIC` of the last change, and the thread that made it: a call of another
    /// thread that began before started elsewhere, whenever it ended.
    pub changed_ns: u64,
    pub changed_by: u32,
    /// Until when, in `CLOCK_MONOTONIC`, the directory changes without being told.
    pub unseen_until_ns: u64,
    /// Whose names they are.
    pub view: View,
    /// The table's count of lost relocations when this was right.
    pub epoch: u32,
}

impl Place {
    /// Whether it is time to look again where a process is that moved unseen.
    pub fn is_overtaken(&self, time_ns: u64) -> bool {
        self.unseen_until_ns != 0 && time_ns >= self.unseen_until_ns
    }

    /// One of which nothing is known.
    pub fn unknown(epoch: u32) -> Place {
        Place {
            directory: None,
            spelling: Spelling::Doubtful,
            look: Look::NEVER,
            changed_ns: 0,
            changed_by: 0,
            unseen_until_ns: 0,
            view: View::UserNamespace,
            epoch,
        }
    }
}

/// The namespaces of the host: those of process 1, since the sensor may have a mount
/// namespace of its own (a systemd unit's); its own where process 1 cannot be asked.
#[derive(Debug)]
pub struct HostNamespaces {
    mounts: Option<Namespace>,
    users: Option<Namespace>,
    root: Option<FileId>,
}

/// `mnt:[4026531841]`.
type Namespace = Bytes<32>;

impl HostNamespaces {
    /// Reads them.
    pub fn read(proc: &Proc, link: &mut [u8; PATH_BYTES]) -> HostNamespaces {
        let mut of_host = |name| {
            [1, std::process::id()].into_iter().find_map(|pid| namespace(proc, pid, name, link))
        };
        let (mounts, users) = (of_host("mnt"), of_host("user"));
        let root = [1, std::process::id()].into_iter().find_map(|pid| proc.root(pid));
        HostNamespaces { mounts, users, root }
    }

    #[cfg(test)]
    pub fn of_another_host() -> HostNamespaces {
        HostNamespaces { mounts: None, users: Some(Namespace::new()), root: None }
    }

    /// Whose file system a process sees. `None`: it is gone, or we may not know.
    pub fn view(&self, proc: &Proc, pid: u32, link: &mut [u8; PATH_BYTES]) -> Option<View> {
        // A kernel without a kind of namespaces has no such file.
        if let Some(users) = &self.users
            && namespace(proc, pid, "user", link)? != *users
        {
            return Some(View::UserNamespace);
        }
        if proc.link(pid, format_args!("root"), link)? != b"/" {
            return Some(View::OtherRoot);
        }
        let Some(mounts) = &self.mounts else { return Some(View::Host) };
        Some(if namespace(proc, pid, "mnt", link)? == *mounts {
            View::Host
        } else if self.root.is_some() && proc.root(pid) == self.root {
            View::OtherMounts
        } else {
            View::OtherRoot
        })
    }
}

fn namespace(proc: &Proc, pid: u32, name: &str, link: &mut [u8; PATH_BYTES]) -> Option<Namespace> {
    Bytes::from_slice(proc.any_link(pid, format_args!("ns/{name}"), link)?).ok()
}
