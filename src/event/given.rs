//! What a call was given beside names, flags and permission bits.

use super::numbered::numbered;
use super::{Bytes, Endpoint};
use crate::limits::WORD_BYTES;

numbered! {
    /// What mknod makes. The numbers, which are part of the record format, are those of its
    /// mode's `S_IFMT`, shifted (linux `include/uapi/linux/stat.h`).
    FileType {
        /// A named pipe.
        Fifo = 1, "fifo";
        /// A character device.
        CharacterDevice = 2, "character_device";
        /// A block device.
        BlockDevice = 6, "block_device";
        /// A file.
        File = 8, "file";
        /// A unix socket's name.
        Socket = 12, "socket";
    }
}

/// What a call was given beside names, flags and permission bits, by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Mknod: what is made, if it is something that can be, and of a device its numbers.
    Node(Option<FileType>, Option<Device>),
    /// Chown: the user and the group; `None`: it stays.
    Owner(Option<u32>, Option<u32>),
    /// Truncate: the size in bytes. The kernel refuses a negative one.
    Size(i64),
    /// Setuid, setgid: the real, the effective and the saved id; `None`: it stays, or follows from
    /// what it was.
    Ids([Option<u32>; 3]),
    /// Ptrace: the other process, as its caller names it. Kill: the sensor.
    Process(u32),
    /// Mount: the type of file system.
    Type(Bytes<WORD_BYTES>),
    /// Mount by calls that are steps of it.
    Step(MountStep),
    /// Clock_set: Unix time in nanoseconds.
    Clock(i64),
    /// Utime: when the file is said to have been modified, in Unix nanoseconds; `None`: now, it
    /// stays, or it is out of range.
    Modified(Option<i64>),
    /// Connect, send: the address that the caller asked for, if it went to another one.
    Asked(Endpoint),
    /// Listen: how many connections may wait.
    Backlog(u32),
    /// Send: how many messages the call was given.
    Messages(u32),
}

/// What one of the calls that mount in steps is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountStep {
    /// What an earlier step returned and this one is about: of fsconfig and fsmount the file
    /// system, of move_mount the mount.
    pub descriptor: Option<i32>,
    /// Fsconfig: which option of the file system is set.
    pub option: Bytes<WORD_BYTES>,
    /// The attributes that are set (`MOUNT_ATTR_*`), those that are cleared, and how mounts are
    /// propagated from now on (`MS_*`, 0: as before).
    pub attributes: Option<[u32; 3]>,
}

/// The numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Device {
    /// From a system call's argument (`new_decode_dev`, linux `include/linux/kdev_t.h`).
    pub fn from_argument(number: u32) -> Device {
        Device { major: number >> 8 & 0xfff, minor: number & 0xff | number >> 12 & 0xfff00 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_the_numbers_that_makedev_was_given() {
        for (major, minor) in [(8, 1), (1, 3), (259, 65_537), (4095, 1_048_575)] {
            let number = libc::makedev(major, minor) as u32;
            assert_eq!(Device::from_argument(number), Device { major, minor });
        }
    }
}
