//! Programs without a file.

use super::numbered::numbered;

numbered! {
    /// What a process executes, if it is no file that has a name. The numbers are part of the
    /// record format.
    ExecutableKind {
        /// A file in memory that never had a name (memfd_create(2)).
        Memfd = 1, "memfd";
        /// A file whose name was removed.
        Deleted = 2, "deleted";
    }
}
