//! Names of numbers that differ between architectures or are sets of bits.

use crate::syscalls::Arch;

/// `O_*` that differ between x86-64 and arm64 (linux `arch/arm64/include/uapi/asm/fcntl.h`).
const DIRECTORY: [u32; 2] = [0o200000, 0o40000];
const NOFOLLOW: [u32; 2] = [0o400000, 0o100000];
const DIRECT: [u32; 2] = [0o40000, 0o200000];
const LARGEFILE: [u32; 2] = [0o100000, 0o400000];
/// `__O_TMPFILE`; `O_TMPFILE` has `O_DIRECTORY` too.
const TMPFILE: u32 = 0o20000000;

const O_ACCMODE: u32 = 3;

/// The names in an open's flags (linux `include/uapi/asm-generic/fcntl.h`).
pub fn open_flags(arch: Arch, flags: u32) -> Vec<&'static str> {
    let index = match arch {
        Arch::X86_64 => 0,
        Arch::Aarch64 => 1,
    };
    let mut names = vec![match flags & O_ACCMODE {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        // 3: read and write are checked, neither is granted (open(2)).
        _ => "O_ACCMODE",
    }];
    let tmpfile = flags & TMPFILE != 0;
    let sync = flags & 0o4010000;
    for (set, name) in [
        (flags & 0o100 != 0, "O_CREAT"),
        (flags & 0o200 != 0, "O_EXCL"),
        (flags & 0o400 != 0, "O_NOCTTY"),
        (flags & 0o1000 != 0, "O_TRUNC"),
        (flags & 0o2000 != 0, "O_APPEND"),
        (flags & 0o4000 != 0, "O_NONBLOCK"),
        (sync == 0o10000, "O_DSYNC"),
        (sync == 0o4010000, "O_SYNC"),
        (flags & 0o20000 != 0, "O_ASYNC"),
        (flags & DIRECT[index] != 0, "O_DIRECT"),
        (flags & LARGEFILE[index] != 0, "O_LARGEFILE"),
        (!tmpfile && flags & DIRECTORY[index] != 0, "O_DIRECTORY"),
        (flags & NOFOLLOW[index] != 0, "O_NOFOLLOW"),
        (flags & 0o1000000 != 0, "O_NOATIME"),
        (flags & 0o2000000 != 0, "O_CLOEXEC"),
        (flags & 0o10000000 != 0, "O_PATH"),
        (tmpfile, "O_TMPFILE"),
    ] {
        if set {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bits_are_other_flags_on_another_architecture() {
        let names = open_flags(Arch::X86_64, 0o200000 | 0o2000000 | 0o101);
        assert_eq!(names, ["O_WRONLY", "O_CREAT", "O_DIRECTORY", "O_CLOEXEC"]);
        assert_eq!(open_flags(Arch::Aarch64, 0o200000), ["O_RDONLY", "O_DIRECT"]);
        let names = open_flags(Arch::X86_64, libc::O_TMPFILE as u32 | 2);
        assert_eq!(names, ["O_RDWR", "O_TMPFILE"]);
        assert_eq!(open_flags(Arch::X86_64, libc::O_SYNC as u32), ["O_RDONLY", "O_SYNC"]);
        assert_eq!(open_flags(Arch::X86_64, libc::O_DSYNC as u32), ["O_RDONLY", "O_DSYNC"]);
    }
}
