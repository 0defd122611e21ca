//! Programs that are started with less than they need.

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::mount::{mount, mount_bind, mount_change, unmount};
use rustix::thread::{CapabilitySet, UnshareFlags, remove_capability_from_bounding_set};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Makes `command` run without these capabilities, after `before` was done with them.
#[allow(unsafe_code)]
pub fn without(
    command: &mut Command,
    capabilities: &'static [CapabilitySet],
    before: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: this process has one thread, so its forked child may do what it likes.
    unsafe {
        command.pre_exec(move || {
            before()?;
            // root gets at exec what its bounding set has. Those that came with 5.8 are not known
            // before, and not needed.
            for capability in capabilities {
                match remove_capability_from_bounding_set(*capability) {
                    Err(Errno::INVAL)
                        if [CapabilitySet::BPF, CapabilitySet::PERFMON].contains(capability) => {}
                    result => result?,
                }
            }
            Ok(())
        });
    }
}

/// Skips the test in a chroot: what is mounted there cannot be kept from the host, because
/// propagation is changed at mount points only (mount(2), EINVAL).
pub fn require_mounts() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    if !mounts.lines().any(|line| line.split(' ').nth(1) == Some("/")) {
        super::skip("the root is no mount point (a chroot?)");
    }
}

/// A mount namespace of its own, from which nothing gets out.
#[allow(unsafe_code)]
pub fn private_mounts() -> io::Result<()> {
    // SAFETY: no descriptor table is unshared.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)? };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}

/// Where tracefs is mounted, and as what: 3.10 has it in debugfs only.
pub fn tracefs_place() -> (&'static str, &'static str) {
    let mut places =
        [("/sys/kernel/tracing", "tracefs"), ("/sys/kernel/debug", "debugfs")].into_iter();
    places.find(|(place, _)| Path::new(place).exists()).expect("a place for tracefs")
}

fn mount_tracefs() -> io::Result<()> {
    let (place, kind) = tracefs_place();
    private_mounts()?;
    match mount(kind, place, kind, MountFlags::empty(), None) {
        // It is there.
        Err(Errno::BUSY) => Ok(()),
        result => Ok(result?),
    }
}

/// With tracefs mounted where nobody else sees it.
pub fn with_tracefs(command: &mut Command) {
    without(command, &[], mount_tracefs);
}

/// With tracefs in place, so that BPF is all that is missing.
pub fn without_bpf(command: &mut Command) {
    let bpf = &[CapabilitySet::BPF, CapabilitySet::SYS_ADMIN, CapabilitySet::PERFMON];
    without(command, bpf, mount_tracefs);
}

/// May load programs, may not mount: and there is no tracefs.
pub fn without_tracefs(command: &mut Command) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounted: Vec<CString> = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| ["tracefs", "debugfs"].contains(&fields[2]))
        .map(|fields| CString::new(fields[1]).unwrap())
        .collect();
    without(command, &[CapabilitySet::SYS_ADMIN], move || {
        private_mounts()?;
        // The innermost first.
        mounted
            .iter()
            .rev()
            .try_for_each(|place| unmount(place.as_c_str(), UnmountFlags::DETACH))?;
        Ok(())
    });
}

/// And with further namespaces of its own.
#[allow(unsafe_code)]
pub fn without_list_of_cpus(command: &mut Command, own: UnshareFlags) {
    without(command, &[], move || {
        private_mounts()?;
        // SAFETY: no descriptor table is unshared.
        unsafe { rustix::thread::unshare_unsafe(own)? };
        Ok(mount("none", "/sys/devices/system/cpu", "tmpfs", MountFlags::empty(), None)?)
    });
}

/// On a host whose root directory is `root` in this directory: the sensor looks at it as process 1
/// has it.
pub fn with_host_root(command: &mut Command, process_1: &Path) {
    let process_1 = process_1.to_owned();
    without(command, &[], move || {
        private_mounts()?;
        Ok(mount_bind(&process_1, "/proc/1")?)
    });
}

/// On a system that says of itself what `file` says. The sensor looks at the host's root first,
/// as process 1 has it: that is hidden.
pub fn with_os_release(command: &mut Command, file: &Path) {
    let file = file.to_owned();
    without(command, &[], move || {
        private_mounts()?;
        mount("none", "/proc/1", "tmpfs", MountFlags::empty(), None)?;
        Ok(mount_bind(&file, "/etc/os-release")?)
    });
}
