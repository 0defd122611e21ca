//! What a reader of an event has to know of its fields.

/// A set of bits with a name each, as it travels in a record.
macro_rules! bit_set {
    ($(#[$doc:meta])* $set:ident($bits:ty) { $($(#[$bit_doc:meta])* $bit:ident = $shift:literal, $name:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $set(pub $bits);

        impl $set {
            $($(#[$bit_doc])* pub const $bit: $set = $set(1 << $shift);)*

            /// Whether every bit of `other` is set.
            pub fn contains(self, other: $set) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets.
            pub const fn union(self, other: $set) -> $set {
                $set(self.0 | other.0)
            }

            /// Whether any bit of `other` is set.
            pub fn intersects(self, other: $set) -> bool {
                self.0 & other.0 != 0
            }

            /// Clears the bits of `other`.
            pub fn remove(&mut self, other: $set) {
                self.0 &= !other.0;
            }

            /// Whether no bit is set.
            pub fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Sets the bits of `other`.
            pub fn insert(&mut self, other: $set) {
                self.0 |= other.0;
            }

            /// The names of the bits that are set; bits that this version does not know
            /// have none.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                [$(($set::$bit, $name)),*]
                    .into_iter()
                    .filter(move |(bit, _)| self.contains(*bit))
                    .map(|(_, name)| name)
            }
        }
    };
}

pub(super) use bit_set;

bit_set! {
    /// What a reader has to know to trust an event as far as it goes and no further.
    Flags(u32) {
        /// A relative name whose directory could not be known: `path` is not absolute.
        PATH_RELATIVE = 0, "path_relative";
        /// The same for the old name of a rename.
        FROM_RELATIVE = 1, "from_relative";
        /// A name could not be read from the caller's memory: `path` is empty.
        PATH_UNREAD = 2, "path_unread";
        /// The same for the old name of a rename.
        FROM_UNREAD = 3, "from_unread";
        /// Some arguments could not be read from the caller's memory.
        ARGS_UNREAD = 4, "args_unread";
        /// A name was read when the system call returned, not when it was entered.
        READ_LATE = 5, "read_late";
        /// The result is not known: the event was sent before the call returned.
        RESULT_UNKNOWN = 6, "result_unknown";
        /// The path may name another file than it says: it has `..` behind what may be a
        /// symbolic link, or where it starts was found out after the event, or not at all, or
        /// lies in mounts that may not be the host's.
        PATH_UNRESOLVED = 7, "path_unresolved";
        /// The address could not be read from the caller's memory.
        ADDRESS_UNREAD = 8, "address_unread";
        /// `executable` is what could be found out after the event, or comes from a path
        /// that was in doubt itself.
        EXECUTABLE_UNRESOLVED = 9, "executable_unresolved";
        /// The process has another root directory than the host: names are as it sees them.
        OTHER_ROOT = 10, "other_root";
        /// The process is in a user namespace of its own, in which any user can mount
        /// anything anywhere.
        USER_NAMESPACE = 11, "user_namespace";
        /// A signal interrupted the call. The kernel may have started it again: then another
        /// event has its result.
        INTERRUPTED = 12, "interrupted";
        /// The process has a mount namespace of its own below the host's root directory:
        /// other files may be mounted where its names point.
        OTHER_MOUNTS = 13, "other_mounts";
        /// What the call points at beside names could not be read from the caller's memory: its
        /// flags, a time, the type, options or attributes of a mount.
        CALL_FLAGS_UNREAD = 14, "call_flags_unread";
        /// Asked for through io_uring: `syscall` is the one that does the same. The result is not
        /// waited for.
        IO_URING = 15, "io_uring";
        /// A 32-bit system call: `syscall` is the 64-bit one that does the same. The result is not
        /// waited for.
        COMPAT_SYSCALL = 16, "compat_syscall";
    }
}

bit_set! {
    /// Which fields were cut at their capacity.
    Truncated(u16) {
        /// `path`.
        PATH = 0, "file.path";
        /// `from`.
        FROM = 1, "file.Ext.original.path";
        /// `args`: cut inside an argument, or arguments left out.
        ARGS = 2, "process.args";
        /// `executable`.
        EXECUTABLE = 3, "process.executable";
        /// A unix socket's address.
        ADDRESS = 4, "destination.address";
        /// The type of a file system that is mounted.
        MOUNT_TYPE = 5, "mote.mount_type";
        /// What the parent executed.
        PARENT_EXECUTABLE = 6, "process.parent.executable";
        /// The directory that a process works in.
        WORKING_DIRECTORY = 7, "process.working_directory";
        /// An option of a file system that is mounted.
        MOUNT_OPTION = 8, "mote.mount_option";
    }
}
