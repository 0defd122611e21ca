//! Names of what the kernel numbers, as auditctl has them.
//!
//! Numbers: linux `include/uapi/linux/audit.h`. Names: audit `lib/*tab.h`.

use syscalls::{aarch64, x86, x86_64};

use crate::syscalls::Arch;

/// Fields of rules.
pub mod field {
    /// `AUDIT_MSGTYPE`
    pub const TYPE: u32 = 12;
    /// `AUDIT_ARCH`
    pub const ARCH: u32 = 11;
    /// `AUDIT_FSTYPE`
    pub const FSTYPE: u32 = 26;
    /// `AUDIT_INODE`
    pub const INODE: u32 = 102;
    /// `AUDIT_EXIT`
    pub const EXIT: u32 = 103;
    /// `AUDIT_WATCH`
    pub const PATH: u32 = 105;
    /// `AUDIT_PERM`
    pub const PERM: u32 = 106;
    /// `AUDIT_DIR`
    pub const DIR: u32 = 107;
    /// `AUDIT_FIELD_COMPARE`
    pub const COMPARE: u32 = 111;
    /// `AUDIT_EXE`
    pub const EXE: u32 = 112;
    /// `AUDIT_ARG0`; the others follow.
    pub const ARG0: u32 = 200;
    /// `AUDIT_ARG3`
    pub const ARG3: u32 = 203;
    /// `AUDIT_FILTERKEY`
    pub const KEY: u32 = 210;

    const NAMES: [(u32, &str); 45] = [
        (0, "pid"),
        (1, "uid"),
        (2, "euid"),
        (3, "suid"),
        (4, "fsuid"),
        (5, "gid"),
        (6, "egid"),
        (7, "sgid"),
        (8, "fsgid"),
        (9, "auid"),
        (10, "pers"),
        (ARCH, "arch"),
        (TYPE, "msgtype"),
        (13, "subj_user"),
        (14, "subj_role"),
        (15, "subj_type"),
        (16, "subj_sen"),
        (17, "subj_clr"),
        (18, "ppid"),
        (19, "obj_user"),
        (20, "obj_role"),
        (21, "obj_type"),
        (22, "obj_lev_low"),
        (23, "obj_lev_high"),
        (25, "sessionid"),
        (FSTYPE, "fstype"),
        (100, "devmajor"),
        (101, "devminor"),
        (INODE, "inode"),
        (EXIT, "exit"),
        (104, "success"),
        (PATH, "path"),
        (PERM, "perm"),
        (DIR, "dir"),
        (108, "filetype"),
        (109, "obj_uid"),
        (110, "obj_gid"),
        (COMPARE, "field_compare"),
        (EXE, "exe"),
        (113, "saddr_fam"),
        (ARG0, "a0"),
        (201, "a1"),
        (202, "a2"),
        (ARG3, "a3"),
        (KEY, "key"),
    ];

    /// The name of a field.
    pub fn name(kind: u32) -> Option<&'static str> {
        super::find(&NAMES, kind)
    }

    /// Whether its value is the length of a text (linux `kernel/auditfilter.c`,
    /// `audit_data_to_entry`).
    pub fn has_text(kind: u32) -> bool {
        matches!(kind, 13..=17 | 19..=23 | PATH | DIR | EXE | KEY)
    }
}

/// Lists of rules.
pub mod filter {
    /// `AUDIT_FILTER_USER`
    pub const USER: u32 = 0;
    /// `AUDIT_FILTER_TASK`
    pub const TASK: u32 = 1;
    /// `AUDIT_FILTER_EXCLUDE`
    pub const EXCLUDE: u32 = 5;
    /// `AUDIT_FILTER_FS`
    pub const FILESYSTEM: u32 = 6;
    /// `AUDIT_FILTER_URING_EXIT`
    pub const IO_URING: u32 = 7;

    /// The name of a list.
    pub fn name(list: u32) -> Option<&'static str> {
        const NAMES: [(u32, &str); 6] = [
            (TASK, "task"),
            (4, "exit"),
            (USER, "user"),
            (EXCLUDE, "exclude"),
            (FILESYSTEM, "filesystem"),
            (IO_URING, "io_uring"),
        ];
        super::find(&NAMES, list)
    }
}

fn find(names: &[(u32, &'static str)], number: u32) -> Option<&'static str> {
    names.iter().find(|(own, _)| *own == number).map(|(_, name)| *name)
}

/// What becomes of what fits a rule.
pub fn action(action: u32) -> Option<&'static str> {
    find(&[(0, "never"), (1, "possible"), (2, "always")], action)
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator(&'static str);

impl Operator {
    /// `AUDIT_OPERATORS`.
    pub fn of(flags: u32) -> Option<Operator> {
        const OPERATORS: [(u32, &str); 8] = [
            (0x4000_0000, "="),
            (0x3000_0000, "!="),
            (0x2000_0000, ">"),
            (0x6000_0000, ">="),
            (0x1000_0000, "<"),
            (0x5000_0000, "<="),
            (0x0800_0000, "&"),
            (0x4800_0000, "&="),
        ];
        find(&OPERATORS, flags & 0x7800_0000).map(Operator)
    }

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        self.0
    }
}

/// The two fields that `AUDIT_FIELD_COMPARE` compares.
pub fn compared(value: u32) -> Option<(&'static str, &'static str)> {
    const PAIRS: [(&str, &str); 25] = [
        ("uid", "obj_uid"),
        ("gid", "obj_gid"),
        ("euid", "obj_uid"),
        ("egid", "obj_gid"),
        ("auid", "obj_uid"),
        ("suid", "obj_uid"),
        ("sgid", "obj_gid"),
        ("fsuid", "obj_uid"),
        ("fsgid", "obj_gid"),
        ("uid", "auid"),
        ("uid", "euid"),
        ("uid", "fsuid"),
        ("uid", "suid"),
        ("auid", "fsuid"),
        ("auid", "suid"),
        ("auid", "euid"),
        ("euid", "suid"),
        ("euid", "fsuid"),
        ("suid", "fsuid"),
        ("gid", "egid"),
        ("gid", "fsgid"),
        ("gid", "sgid"),
        ("egid", "fsgid"),
        ("egid", "sgid"),
        ("sgid", "fsgid"),
    ];
    PAIRS.get(value.checked_sub(1)? as usize).copied()
}

/// The name of a file system by its number (linux `include/uapi/linux/magic.h`).
pub fn file_system(magic: u32) -> Option<&'static str> {
    const NAMES: [(u32, &str); 4] = [
        (0x7472_6163, "tracefs"),
        (0x6462_6720, "debugfs"),
        (0x0027_e0eb, "cgroup"),
        (0x6367_7270, "cgroup2"),
    ];
    find(&NAMES, magic)
}

/// An architecture whose system calls have names here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `AUDIT_ARCH_I386`
    I386,
    /// `AUDIT_ARCH_X86_64`
    X86_64,
    /// `AUDIT_ARCH_AARCH64`
    Aarch64,
    /// `AUDIT_ARCH_ARM`, whose calls have none here.
    Arm,
}

impl Machine {
    /// The one that this program was built for: auditctl's rules are for it unless they say.
    pub const HOST: Machine = match Arch::HOST {
        Arch::X86_64 => Machine::X86_64,
        Arch::Aarch64 => Machine::Aarch64,
    };

    /// By the value of `AUDIT_ARCH`: the ELF machine, with two bits.
    pub fn of(arch: u32) -> Option<Machine> {
        match arch {
            0x4000_0003 => Some(Machine::I386),
            0xc000_003e => Some(Machine::X86_64),
            0xc000_00b7 => Some(Machine::Aarch64),
            0x4000_0028 => Some(Machine::Arm),
            _ => None,
        }
    }

    /// As `-F arch=` has it.
    pub fn bits(self) -> &'static str {
        match self {
            Machine::X86_64 | Machine::Aarch64 => "b64",
            Machine::I386 | Machine::Arm => "b32",
        }
    }

    /// The name of a system call. Where auditctl's table (audit `lib/*_table.h`) is not the
    /// kernel's, auditctl's: that is what rules are written with.
    pub fn call(self, number: u32) -> Option<&'static str> {
        match (self, number) {
            (Machine::X86_64, 17) | (Machine::Aarch64, 67) => Some("pread"),
            (Machine::X86_64, 18) | (Machine::Aarch64, 68) => Some("pwrite"),
            (Machine::Aarch64, 61) => Some("getdents"),
            (Machine::Aarch64, 79) => Some("newfstatat"),
            (Machine::Aarch64, 80) => Some("newfstat"),
            // Of 32-bit processes.
            (Machine::Aarch64, 403..=423) => None,
            (Machine::I386, 17) => Some("break"),
            (Machine::I386, 283) => Some("sys_kexec_load"),
            (Machine::I386, 423) => Some("sched_rr_get_interval64"),
            (Machine::X86_64, _) => x86_64::Sysno::new(number as usize).map(|call| call.name()),
            (Machine::I386, _) => x86::Sysno::new(number as usize).map(|call| call.name()),
            (Machine::Aarch64, _) => aarch64::Sysno::new(number as usize).map(|call| call.name()),
            (Machine::Arm, _) => None,
        }
    }
}

/// Operations of io_uring (linux `include/uapi/linux/io_uring.h`, `enum io_uring_op`) that
/// auditctl has names for.
pub fn ring_operation(number: u32) -> Option<&'static str> {
    const NAMES: [(u32, &str); 30] = [
        (9, "sendmsg"),
        (10, "recvmsg"),
        (13, "accept"),
        (16, "connect"),
        (17, "fallocate"),
        (18, "openat"),
        (19, "close"),
        (28, "openat2"),
        (34, "shutdown"),
        (35, "renameat"),
        (36, "unlinkat"),
        (37, "mkdirat"),
        (38, "symlinkat"),
        (39, "linkat"),
        (40, "msg_ring"),
        (41, "fsetxattr"),
        (42, "setxattr"),
        (43, "fgetxattr"),
        (44, "getxattr"),
        (46, "uring_cmd"),
        (48, "sendmsg_zc"),
        (50, "waitid"),
        (51, "futex_wait"),
        (52, "futex_wake"),
        (53, "futex_waitv"),
        (54, "fixed_fd_install"),
        (55, "ftruncate"),
        (56, "bind"),
        (57, "listen"),
        (64, "uring_cmd128"),
    ];
    find(&NAMES, number)
}
