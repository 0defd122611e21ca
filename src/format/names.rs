//! The names of what system calls are given: requests and flags.

/// `PTRACE_*` (linux `include/uapi/linux/ptrace.h`, `arch/*/include/uapi/asm/ptrace.h`), as far as
/// they are reported.
pub fn ptrace_request(request: u32) -> Option<&'static str> {
    Some(match request {
        0 => "PTRACE_TRACEME",
        4 => "PTRACE_POKETEXT",
        5 => "PTRACE_POKEDATA",
        6 => "PTRACE_POKEUSER",
        8 => "PTRACE_KILL",
        13 => "PTRACE_SETREGS",
        15 => "PTRACE_SETFPREGS",
        16 => "PTRACE_ATTACH",
        30 => "PTRACE_ARCH_PRCTL",
        34 => "PTRACE_POKEMTETAGS",
        0x4203 => "PTRACE_SETSIGINFO",
        0x4205 => "PTRACE_SETREGSET",
        0x4206 => "PTRACE_SEIZE",
        0x420b => "PTRACE_SETSIGMASK",
        0x4212 => "PTRACE_SET_SYSCALL_INFO",
        _ => return None,
    })
}

/// Signals by number, from 1 (linux `include/uapi/asm-generic/signal.h`; x86-64 and arm64 have the
/// same).
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The name of a signal; a real-time one has none.
pub fn signal(number: u32) -> Option<&'static str> {
    SIGNALS.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// `CLONE_*` (linux `include/uapi/linux/sched.h`), as unshare(2) and setns(2) take them.
const CLONE: [(u32, &str); 12] = [
    (0x80, "CLONE_NEWTIME"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x4_0000, "CLONE_SYSVSEM"),
    (0x1_0000, "CLONE_THREAD"),
    (0x2_0000, "CLONE_NEWNS"),
    (0x200_0000, "CLONE_NEWCGROUP"),
    (0x400_0000, "CLONE_NEWUTS"),
    (0x800_0000, "CLONE_NEWIPC"),
    (0x1000_0000, "CLONE_NEWUSER"),
    (0x2000_0000, "CLONE_NEWPID"),
    (0x4000_0000, "CLONE_NEWNET"),
];

/// `MS_*` (linux `include/uapi/linux/mount.h`), as mount(2) takes them.
const MOUNT: [(u32, &str); 17] = [
    (1, "MS_RDONLY"),
    (2, "MS_NOSUID"),
    (4, "MS_NODEV"),
    (8, "MS_NOEXEC"),
    (0x10, "MS_SYNCHRONOUS"),
    (0x20, "MS_REMOUNT"),
    (0x40, "MS_MANDLOCK"),
    (0x400, "MS_NOATIME"),
    (0x800, "MS_NODIRATIME"),
    (0x1000, "MS_BIND"),
    (0x2000, "MS_MOVE"),
    (0x4000, "MS_REC"),
    (0x2_0000, "MS_UNBINDABLE"),
    (0x4_0000, "MS_PRIVATE"),
    (0x8_0000, "MS_SLAVE"),
    (0x10_0000, "MS_SHARED"),
    (0x20_0000, "MS_RELATIME"),
];

/// `MOUNT_ATTR_*` (linux `include/uapi/linux/mount.h`), as fsmount(2) and mount_setattr(2) take
/// them.
const MOUNT_ATTR: [(u32, &str); 9] = [
    (1, "MOUNT_ATTR_RDONLY"),
    (2, "MOUNT_ATTR_NOSUID"),
    (4, "MOUNT_ATTR_NODEV"),
    (8, "MOUNT_ATTR_NOEXEC"),
    (0x10, "MOUNT_ATTR_NOATIME"),
    (0x20, "MOUNT_ATTR_STRICTATIME"),
    (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x10_0000, "MOUNT_ATTR_IDMAP"),
    (0x20_0000, "MOUNT_ATTR_NOSYMFOLLOW"),
];

/// What older programs put into the upper half of the flags, which the kernel then ignores
/// (`MS_MGC_VAL`, linux `fs/namespace.c`).
const MS_MGC_MSK: u32 = 0xffff_0000;
const MS_MGC_VAL: u32 = 0xc0ed_0000;

/// `MNT_*`, `UMOUNT_NOFOLLOW` (linux `include/linux/fs.h`), as umount2(2) takes them.
const UMOUNT: [(u32, &str); 4] =
    [(1, "MNT_FORCE"), (2, "MNT_DETACH"), (4, "MNT_EXPIRE"), (8, "UMOUNT_NOFOLLOW")];

fn names(table: &'static [(u32, &'static str)], flags: u32) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |(bit, _)| flags & bit != 0).map(|(_, name)| *name)
}

/// The names of the flags that are set; a bit without a name is in `mote.call_flags` only.
pub fn clone_flags(flags: u32) -> impl Iterator<Item = &'static str> {
    names(&CLONE, flags)
}

/// The same.
pub fn mount_flags(flags: u32) -> impl Iterator<Item = &'static str> {
    let is_magic = flags & MS_MGC_MSK == MS_MGC_VAL;
    names(&MOUNT, if is_magic { flags & !MS_MGC_MSK } else { flags })
}

/// All that says when times of access are kept: cleared as a whole, whichever is set then.
const MOUNT_ATTR__ATIME: u32 = 0x70;

/// The names of the attributes that are set; one without a name is in the record only.
pub fn mount_attributes(attributes: u32) -> impl Iterator<Item = &'static str> {
    let is_whole = attributes & MOUNT_ATTR__ATIME == MOUNT_ATTR__ATIME;
    let others = if is_whole { attributes & !MOUNT_ATTR__ATIME } else { attributes };
    is_whole.then_some("MOUNT_ATTR__ATIME").into_iter().chain(names(&MOUNT_ATTR, others))
}

/// `enum fsconfig_command` (linux `include/uapi/linux/mount.h`), by number.
const FSCONFIG: [&str; 9] = [
    "FSCONFIG_SET_FLAG",
    "FSCONFIG_SET_STRING",
    "FSCONFIG_SET_BINARY",
    "FSCONFIG_SET_PATH",
    "FSCONFIG_SET_PATH_EMPTY",
    "FSCONFIG_SET_FD",
    "FSCONFIG_CMD_CREATE",
    "FSCONFIG_CMD_RECONFIGURE",
    "FSCONFIG_CMD_CREATE_EXCL",
];

/// What fsconfig(2) does, if this version knows it.
pub fn fsconfig_command(number: u32) -> Option<&'static str> {
    FSCONFIG.get(usize::try_from(number).ok()?).copied()
}

/// As of `mount_flags`.
pub fn umount_flags(flags: u32) -> impl Iterator<Item = &'static str> {
    names(&UMOUNT, flags)
}

/// `BPF_PROG_TYPE_*` (linux `include/uapi/linux/bpf.h`), by number, without the prefix.
const BPF_PROG_TYPES: [&str; 33] = [
    "UNSPEC",
    "SOCKET_FILTER",
    "KPROBE",
    "SCHED_CLS",
    "SCHED_ACT",
    "TRACEPOINT",
    "XDP",
    "PERF_EVENT",
    "CGROUP_SKB",
    "CGROUP_SOCK",
    "LWT_IN",
    "LWT_OUT",
    "LWT_XMIT",
    "SOCK_OPS",
    "SK_SKB",
    "CGROUP_DEVICE",
    "SK_MSG",
    "RAW_TRACEPOINT",
    "CGROUP_SOCK_ADDR",
    "LWT_SEG6LOCAL",
    "LIRC_MODE2",
    "SK_REUSEPORT",
    "FLOW_DISSECTOR",
    "CGROUP_SYSCTL",
    "RAW_TRACEPOINT_WRITABLE",
    "CGROUP_SOCKOPT",
    "TRACING",
    "STRUCT_OPS",
    "EXT",
    "LSM",
    "SK_LOOKUP",
    "SYSCALL",
    "NETFILTER",
];

/// What kind of BPF program, if this version knows it.
pub fn bpf_program_type(number: u32) -> Option<&'static str> {
    BPF_PROG_TYPES.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables against the C library's headers.
    #[test]
    fn names_agree_with_libc() {
        for (bits, name) in [
            (libc::CLONE_NEWTIME, "CLONE_NEWTIME"),
            (libc::CLONE_FS, "CLONE_FS"),
            (libc::CLONE_FILES, "CLONE_FILES"),
            (libc::CLONE_SYSVSEM, "CLONE_SYSVSEM"),
            (libc::CLONE_THREAD, "CLONE_THREAD"),
            (libc::CLONE_NEWNS, "CLONE_NEWNS"),
            (libc::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
            (libc::CLONE_NEWUTS, "CLONE_NEWUTS"),
            (libc::CLONE_NEWIPC, "CLONE_NEWIPC"),
            (libc::CLONE_NEWUSER, "CLONE_NEWUSER"),
            (libc::CLONE_NEWPID, "CLONE_NEWPID"),
            (libc::CLONE_NEWNET, "CLONE_NEWNET"),
        ] {
            assert_eq!(clone_flags(bits as u32).collect::<Vec<_>>(), [name]);
        }
        for (bits, name) in [
            (libc::MS_RDONLY, "MS_RDONLY"),
            (libc::MS_NOSUID, "MS_NOSUID"),
            (libc::MS_NODEV, "MS_NODEV"),
            (libc::MS_NOEXEC, "MS_NOEXEC"),
            (libc::MS_SYNCHRONOUS, "MS_SYNCHRONOUS"),
            (libc::MS_REMOUNT, "MS_REMOUNT"),
            (libc::MS_MANDLOCK, "MS_MANDLOCK"),
            (libc::MS_NOATIME, "MS_NOATIME"),
            (libc::MS_NODIRATIME, "MS_NODIRATIME"),
            (libc::MS_BIND, "MS_BIND"),
            (libc::MS_MOVE, "MS_MOVE"),
            (libc::MS_REC, "MS_REC"),
            (libc::MS_UNBINDABLE, "MS_UNBINDABLE"),
            (libc::MS_PRIVATE, "MS_PRIVATE"),
            (libc::MS_SLAVE, "MS_SLAVE"),
            (libc::MS_SHARED, "MS_SHARED"),
            (libc::MS_RELATIME, "MS_RELATIME"),
        ] {
            assert_eq!(mount_flags(bits as u32).collect::<Vec<_>>(), [name]);
        }
        // MS_MGC_VAL, MS_RDONLY
        assert_eq!(mount_flags(0xc0ed_0001).collect::<Vec<_>>(), ["MS_RDONLY"]);
        for (bits, name) in [
            (libc::MOUNT_ATTR_RDONLY, "MOUNT_ATTR_RDONLY"),
            (libc::MOUNT_ATTR_NOSUID, "MOUNT_ATTR_NOSUID"),
            (libc::MOUNT_ATTR_NODEV, "MOUNT_ATTR_NODEV"),
            (libc::MOUNT_ATTR_NOEXEC, "MOUNT_ATTR_NOEXEC"),
            (libc::MOUNT_ATTR_NOATIME, "MOUNT_ATTR_NOATIME"),
            (libc::MOUNT_ATTR_STRICTATIME, "MOUNT_ATTR_STRICTATIME"),
            (libc::MOUNT_ATTR_NODIRATIME, "MOUNT_ATTR_NODIRATIME"),
            (libc::MOUNT_ATTR_IDMAP, "MOUNT_ATTR_IDMAP"),
            (libc::MOUNT_ATTR_NOSYMFOLLOW, "MOUNT_ATTR_NOSYMFOLLOW"),
        ] {
            assert_eq!(mount_attributes(bits as u32).collect::<Vec<_>>(), [name]);
        }
        let relatime = (libc::MOUNT_ATTR__ATIME | libc::MOUNT_ATTR_RDONLY) as u32;
        let named: Vec<_> = mount_attributes(relatime).collect();
        assert_eq!(named, ["MOUNT_ATTR__ATIME", "MOUNT_ATTR_RDONLY"]);
        assert_eq!(
            [1, 7, 9].map(fsconfig_command),
            [Some("FSCONFIG_SET_STRING"), Some("FSCONFIG_CMD_RECONFIGURE"), None,]
        );
        for (bits, name) in [
            (libc::MNT_FORCE, "MNT_FORCE"),
            (libc::MNT_DETACH, "MNT_DETACH"),
            (libc::MNT_EXPIRE, "MNT_EXPIRE"),
            (libc::UMOUNT_NOFOLLOW, "UMOUNT_NOFOLLOW"),
        ] {
            assert_eq!(umount_flags(bits as u32).collect::<Vec<_>>(), [name]);
        }
        for (request, name) in [
            (libc::PTRACE_TRACEME, "PTRACE_TRACEME"),
            (libc::PTRACE_POKETEXT, "PTRACE_POKETEXT"),
            (libc::PTRACE_POKEDATA, "PTRACE_POKEDATA"),
            (libc::PTRACE_POKEUSER, "PTRACE_POKEUSER"),
            (libc::PTRACE_KILL, "PTRACE_KILL"),
            (libc::PTRACE_ATTACH, "PTRACE_ATTACH"),
            (libc::PTRACE_SETSIGINFO, "PTRACE_SETSIGINFO"),
            (libc::PTRACE_SETSIGMASK, "PTRACE_SETSIGMASK"),
            (libc::PTRACE_SETREGSET, "PTRACE_SETREGSET"),
            (libc::PTRACE_SEIZE, "PTRACE_SEIZE"),
        ] {
            assert_eq!(ptrace_request(request), Some(name));
        }
        assert_eq!(ptrace_request(1), None);
        for (number, name) in [
            (libc::SIGHUP, "SIGHUP"),
            (libc::SIGKILL, "SIGKILL"),
            (libc::SIGTERM, "SIGTERM"),
            (libc::SIGSTOP, "SIGSTOP"),
            (libc::SIGSYS, "SIGSYS"),
        ] {
            assert_eq!(signal(number as u32), Some(name));
        }
        assert_eq!([signal(0), signal(34)], [None; 2]);
    }

    #[test]
    fn types_of_programs_have_their_numbers() {
        for (number, name) in [
            (1, "SOCKET_FILTER"),
            (5, "TRACEPOINT"),
            (26, "TRACING"),
            (29, "LSM"),
            (32, "NETFILTER"),
        ] {
            assert_eq!(bpf_program_type(number), Some(name));
        }
        assert_eq!(bpf_program_type(33), None);
    }
}
