"""The emulated machine: one QEMU command line for each architecture."""
import os
from dataclasses import dataclass

# A fixed CPU model: a result must not depend on the host's processor. Under KVM the host's
# is the only one sure to work.
ARCHITECTURES = {
    "amd64": {
        "qemu": "qemu-system-x86_64",
        "machine": "pc",
        # Without cmpxchg16b: now and then TCG of QEMU 7.2 spoils EFLAGS with the one that has no
        # lock prefix, of which Debian's 6.12.95 makes its allocator. It ended 3 of 20 boots.
        "cpu": "qemu64,-cx16",
        "console": "ttyS0",
        # A busy host runs TCG too unevenly for the kernel's look at the timer: it panics.
        "parameters": "no_timer_check",
        "host": "x86_64",
        "package": "qemu-system-x86",
    },
    "arm64": {
        "qemu": "qemu-system-aarch64",
        "machine": "virt",
        "cpu": "cortex-a57",
        "console": "ttyAMA0",
        "parameters": "",
        "host": "aarch64",
        "package": "qemu-system-arm",
    },
}

# loglevel=4 shows errors and worse: a serial line is slow, and it is all a failure needs.
# With -no-reboot, panic=-1 ends QEMU at once; oops=panic, because a kernel that oopsed
# under the sensor has failed. printk.devkmsg: the guest's lines are not rate-limited.
KERNEL_PARAMETERS = "loglevel=4 printk.time=1 printk.devkmsg=on panic=-1 oops=panic"
# A tmpfs would give the initramfs half the memory at most.
IN_MEMORY = "rdinit=/init rootfstype=ramfs"
# NVMe and ext4 are no modules in Debian's kernels.
ON_DISK = "init=/init root=/dev/nvme0n1 rootfstype=ext4 rw"


@dataclass
class Machine:
    """What is booted, and on what."""

    kernel: str
    initramfs: str = ""
    arch: str = "amd64"
    accel: str = "tcg"
    memory_mib: int = 256
    cpus: int = 1
    # More that could be added. 0: none.
    max_cpus: int = 0
    # Further parameters of the kernel.
    append: str = ""
    # An image of the root file system, which takes no memory, in place of the initramfs. What is
    # written to it is gone afterwards.
    disk: str = ""

    def command(self, limit_seconds, command=""):
        """QEMU's arguments; the console is its standard output."""
        arch = ARCHITECTURES[self.arch]
        root = ON_DISK if self.disk else IN_MEMORY
        parameters = f"console={arch['console']} {KERNEL_PARAMETERS} {root}"
        parameters += f" mote.limit_seconds={limit_seconds}"
        for further in (arch["parameters"], self.append):
            if further:
                parameters += f" {further}"
        if command:
            # The kernel ends its own parameters here; the guest's init takes the rest.
            parameters += f" -- {command}"
        cpu = "host" if self.accel == "kvm" else arch["cpu"]
        return [
            arch["qemu"], "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", arch["machine"], "-accel", self.accel, "-cpu", cpu,
            "-m", str(self.memory_mib), "-smp", f"{self.cpus},maxcpus={max(self.cpus, self.max_cpus)}",
            "-serial", "stdio",
            "-kernel", self.kernel, *self._root(), "-append", parameters,
        ]  # fmt: skip

    def _root(self):
        """QEMU's arguments for the root file system."""
        if not self.disk:
            return ["-initrd", self.initramfs]
        drive = f"file={self.disk},format=raw,if=none,id=root,snapshot=on"
        return ["-drive", drive, "-device", "nvme,drive=root,serial=root"]

    def kvm_is_possible(self):
        """Whether the host offers KVM for this architecture; not whether it works."""
        same = ARCHITECTURES[self.arch]["host"] == os.uname().machine
        return same and os.access("/dev/kvm", os.R_OK | os.W_OK)
