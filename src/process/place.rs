//! Where a process is: what its relative and its absolute names start at.

use super::proc::Proc;
use super::strings::StringId;
use crate::event::{Bytes, Event, Flags};
use crate::limits::PATH_BYTES;

/// Whose file system a process sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// The host's.
    Host,
    /// Another root directory or mount namespace, which takes privileges to get.
    OtherRoot,
    /// That of a user namespace, which any user can make, and mount anything anywhere in it.
    UserNamespace,
}

impl View {
    /// Says in an event that has names that they are not the host's.
    pub fn mark(self, event: &mut Event) {
        if self >= View::OtherRoot {
            event.flags.insert(Flags::OTHER_ROOT);
        }
        if self == View::UserNamespace {
            event.flags.insert(Flags::USER_NAMESPACE);
        }
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

/// What a name starts at.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The working directory. `None`: not known.
    pub directory: Option<StringId>,
    /// How far `directory` can be trusted.
    pub spelling: Spelling,
    /// `CLOCK_MONOTONIC` of the look at /proc that this comes from; 0: from events alone.
    /// Earlier events may have happened elsewhere.
    pub since_ns: u64,
    /// Whose names they are.
    pub view: View,
    /// The table's count of lost relocations when this was right.
    pub epoch: u32,
}

/// The namespaces of the host: those of process 1, since the sensor may have a mount
/// namespace of its own (a systemd unit's); its own where process 1 cannot be asked.
#[derive(Debug)]
pub struct HostNamespaces {
    mounts: Option<Namespace>,
    users: Option<Namespace>,
}

/// `mnt:[4026531841]`.
type Namespace = Bytes<32>;

impl HostNamespaces {
    /// Reads them.
    pub fn read(proc: &Proc, link: &mut [u8; PATH_BYTES]) -> HostNamespaces {
        let mut of_host = |name| {
            [1, std::process::id()].into_iter().find_map(|pid| namespace(proc, pid, name, link))
        };
        HostNamespaces { mounts: of_host("mnt"), users: of_host("user") }
    }

    /// Whose file system a process sees. `None`: it is gone, or we may not know.
    pub fn view(&self, proc: &Proc, pid: u32, link: &mut [u8; PATH_BYTES]) -> Option<View> {
        // A kernel without a kind of namespaces has no such file.
        if let Some(users) = &self.users
            && namespace(proc, pid, "user", link)? != *users
        {
            return Some(View::UserNamespace);
        }
        let mounts_are_host = match &self.mounts {
            Some(mounts) => namespace(proc, pid, "mnt", link)? == *mounts,
            None => true,
        };
        let root_is_host = proc.link(pid, format_args!("root"), link)? == b"/";
        Some(if root_is_host && mounts_are_host { View::Host } else { View::OtherRoot })
    }
}

fn namespace(proc: &Proc, pid: u32, name: &str, link: &mut [u8; PATH_BYTES]) -> Option<Namespace> {
    Bytes::from_slice(proc.any_link(pid, format_args!("ns/{name}"), link)?).ok()
}
