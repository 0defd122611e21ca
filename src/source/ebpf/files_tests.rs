//! Directories in kernel memory made by hand.

use super::*;
use crate::source::ebpf::peek::made::Made;

impl Made {
    fn dentry(&mut self, offsets: Offsets, parent: Option<u64>, name: &[u8]) -> u64 {
        let (dentry, text) = (self.object(), self.object());
        let at = dentry + u64::from(offsets.dentry_parent);
        self.put(at, parent.unwrap_or(dentry));
        self.put(at + 8, (name.len() as u64) << 32 | 0x5eed);
        self.put(at + 16, text);
        self.put_bytes(text, name);
        dentry
    }

    /// A mount of `root`; without a place above it, the first of all.
    fn mount(&mut self, offsets: Offsets, root: u64, above: Option<(u64, u64)>) -> u64 {
        let mount = self.object() + u64::from(offsets.mount);
        let (parent, mountpoint) = above.unwrap_or((mount, root));
        self.put(mount - 16, parent - u64::from(offsets.mount));
        self.put(mount - 8, mountpoint);
        self.put(mount, root);
        mount
    }

    fn file(&mut self, offsets: Offsets, mount: u64, dentry: u64) -> u64 {
        let file = self.object();
        self.put(file + u64::from(offsets.file_path), mount);
        self.put(file + u64::from(offsets.file_path) + 8, dentry);
        file
    }
}

/// A task with `/proc/sys/kernel` at 3 and `/proc/7/fd` at 4: its memory, its address, and
/// the first mount.
fn task(offsets: Offsets) -> (Made, u64, u64) {
    let mut made = Made::default();
    let root = made.dentry(offsets, None, b"/");
    let first = made.mount(offsets, root, None);
    // As after switch_root: a second one on the first one's root.
    let second_root = made.dentry(offsets, None, b"/");
    let second = made.mount(offsets, second_root, Some((first, root)));
    let mountpoint = made.dentry(offsets, Some(second_root), b"proc");
    let proc_root = made.dentry(offsets, None, b"/");
    let proc = made.mount(offsets, proc_root, Some((second, mountpoint)));
    let (task, files, fdt, array) = (made.object(), made.object(), made.object(), made.object());
    made.put(task + u64::from(offsets.task_files), files);
    made.put(files + u64::from(offsets.files_fdt), fdt);
    made.put(fdt, 64);
    made.put(fdt + 8, array);
    for (fd, names) in [(3, [&b"sys"[..], b"kernel"]), (4, [b"7", b"fd"])] {
        let above = made.dentry(offsets, Some(proc_root), names[0]);
        let dentry = made.dentry(offsets, Some(above), names[1]);
        let file = made.file(offsets, proc, dentry);
        made.put(array + 8 * fd, file);
    }
    (made, task, first)
}

const SIGNAL: u32 = 1000;
const KNOWN: [Known<'static>; 2] =
    [Known { fd: 3, path: b"/proc/sys/kernel" }, Known { fd: 4, path: b"/proc/7/fd" }];

/// 3.10 and 6.12.
const LAYOUTS: [Offsets; 2] = [
    Offsets { task_files: 984, files_fdt: 8, file_path: 16, dentry_parent: 24, mount: 32 },
    Offsets { task_files: 976, files_fdt: 32, file_path: 64, dentry_parent: 24, mount: 32 },
];

#[test]
fn every_layout_is_found_by_the_paths_of_two_descriptors() {
    for offsets in LAYOUTS {
        let (mut made, task, first) = task(offsets);
        assert_eq!(find(&mut made, task, SIGNAL, &KNOWN), Some(offsets));
        let (mount, dentry) = offsets.open(&mut made, task, 4).unwrap();
        let path = offsets.path(&mut made, mount, dentry);
        assert_eq!(path, Some((b"/proc/7/fd".to_vec(), first)));
    }
}

#[test]
fn what_does_not_agree_is_not_known() {
    let (mut made, task, _) = task(LAYOUTS[0]);
    let other = [Known { fd: 3, path: b"/proc/sys/kernel" }, Known { fd: 4, path: b"/proc/8/fd" }];
    assert_eq!(find(&mut made, task, SIGNAL, &other), None);
    assert_eq!(find(&mut made, task, 8, &KNOWN), None);
    let closed = [Known { fd: 5, path: b"/proc/sys/kernel" }];
    assert_eq!(find(&mut made, task, SIGNAL, &closed), None);
}

#[test]
fn a_descriptor_beyond_the_table_is_not_followed() {
    let offsets = LAYOUTS[0];
    let (mut made, task, _) = task(offsets);
    assert!(offsets.file(&mut made, task, 3).is_some());
    assert_eq!(offsets.file(&mut made, task, 64), None);
    assert_eq!(offsets.file(&mut made, task, -1), None);
}

#[test]
fn a_root_that_is_not_the_mounts_is_no_path() {
    let offsets = LAYOUTS[0];
    let (mut made, task, _) = task(offsets);
    let (mount, _) = offsets.open(&mut made, task, 3).unwrap();
    let alone = made.dentry(offsets, None, b"memfd:x");
    assert_eq!(offsets.path(&mut made, mount, alone), None);
}
