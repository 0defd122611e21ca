//! The names of open(2)'s flags.

use crate::syscalls::Arch;

/// `O_CREAT`, the same on both architectures.
pub const O_CREAT: u32 = 0o100;
/// `O_EXCL`, the same on both architectures.
pub const O_EXCL: u32 = 0o200;
/// `O_TRUNC`, the same on both architectures.
pub const O_TRUNC: u32 = 0o1000;
/// `__O_TMPFILE`, which `O_TMPFILE` is along with `O_DIRECTORY`.
pub const TMPFILE_BIT: u32 = 0o20000000;
/// `O_ACCMODE`: reading, writing, both, or, with both bits, only ioctls.
pub const O_ACCMODE: u32 = 0o3;

/// Whether an open makes a file, as far as its flags tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creates {
    /// It did, if it succeeded: with `O_EXCL` there was none before, with `O_TMPFILE` there is none
    /// of that name.
    Proven,
    /// It did, unless there was one.
    Perhaps,
    /// It did not.
    Not,
}

impl Creates {
    /// By the flags of an open.
    pub fn of(flags: u32) -> Creates {
        if flags & TMPFILE_BIT != 0 || flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
            Creates::Proven
        } else if flags & O_CREAT != 0 {
            Creates::Perhaps
        } else {
            Creates::Not
        }
    }
}

/// linux `include/uapi/asm-generic/fcntl.h`. `O_SYNC` is two bits, of which `O_DSYNC` is
/// one, and `O_TMPFILE` has `O_DIRECTORY`: here each bit has one name.
const COMMON: [(u32, &str); 13] = [
    (O_CREAT, "O_CREAT"),
    (O_EXCL, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (O_TRUNC, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10000, "O_DSYNC"),
    (0o20000, "O_ASYNC"),
    (0o1000000, "O_NOATIME"),
    (0o2000000, "O_CLOEXEC"),
    (0o4000000, "O_SYNC"),
    (0o10000000, "O_PATH"),
    (TMPFILE_BIT, "O_TMPFILE"),
];

/// The generic numbers of asm-generic/fcntl.h, which x86-64 uses.
const X86_64: [(u32, &str); 4] = [
    (0o40000, "O_DIRECT"),
    (0o100000, "O_LARGEFILE"),
    (0o200000, "O_DIRECTORY"),
    (0o400000, "O_NOFOLLOW"),
];

/// linux `arch/arm64/include/uapi/asm/fcntl.h`.
const AARCH64: [(u32, &str); 4] = [
    (0o40000, "O_DIRECTORY"),
    (0o100000, "O_NOFOLLOW"),
    (0o200000, "O_DIRECT"),
    (0o400000, "O_LARGEFILE"),
];

/// The names of the flags that are set. Of an architecture that is not known, those that
/// all have; a bit without a name is in `mote.call_flags` only.
pub fn open_flags(arch: Option<Arch>, flags: u32) -> impl Iterator<Item = &'static str> {
    let access = match flags & O_ACCMODE {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        _ => "O_ACCMODE",
    };
    let own: &'static [(u32, &'static str)] = match arch {
        Some(Arch::X86_64) => &X86_64,
        Some(Arch::Aarch64) => &AARCH64,
        None => &[],
    };
    let set = COMMON.iter().chain(own).filter(move |(bit, _)| flags & bit != 0);
    core::iter::once(access).chain(set.map(|(_, name)| *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arch: Option<Arch>, flags: u32) -> Vec<&'static str> {
        open_flags(arch, flags).collect()
    }

    #[test]
    fn flags_have_the_names_of_their_architecture() {
        let flags = 0o1101 | 0o200000;
        assert_eq!(
            names(Some(Arch::X86_64), flags),
            ["O_WRONLY", "O_CREAT", "O_TRUNC", "O_DIRECTORY"]
        );
        assert_eq!(
            names(Some(Arch::Aarch64), flags),
            ["O_WRONLY", "O_CREAT", "O_TRUNC", "O_DIRECT"]
        );
        assert_eq!(names(None, flags), ["O_WRONLY", "O_CREAT", "O_TRUNC"]);
        assert_eq!(names(None, 0), ["O_RDONLY"]);
        assert_eq!(names(None, 3), ["O_ACCMODE"]);
    }

    /// The tables against the C library's headers, for the architecture of the build.
    #[test]
    fn flags_agree_with_libc() {
        for (bits, name) in [
            (libc::O_CREAT, "O_CREAT"),
            (libc::O_EXCL, "O_EXCL"),
            (libc::O_NOCTTY, "O_NOCTTY"),
            (libc::O_TRUNC, "O_TRUNC"),
            (libc::O_APPEND, "O_APPEND"),
            (libc::O_NONBLOCK, "O_NONBLOCK"),
            (libc::O_DSYNC, "O_DSYNC"),
            (libc::O_ASYNC, "O_ASYNC"),
            (libc::O_NOATIME, "O_NOATIME"),
            (libc::O_CLOEXEC, "O_CLOEXEC"),
            (libc::O_SYNC & !libc::O_DSYNC, "O_SYNC"),
            (libc::O_PATH, "O_PATH"),
            (libc::O_TMPFILE & !libc::O_DIRECTORY, "O_TMPFILE"),
            (libc::O_DIRECT, "O_DIRECT"),
            (libc::O_DIRECTORY, "O_DIRECTORY"),
            (libc::O_NOFOLLOW, "O_NOFOLLOW"),
        ] {
            assert_eq!(names(Some(Arch::HOST), bits as u32), ["O_RDONLY", name]);
        }
    }
}
