"""Writes the image of a disk with an ext4 file system. mke2fs fills it, which needs no root."""
import os
import shutil
import subprocess
from pathlib import Path

# What a guest writes besides finds room.
SIZE_BYTES = 96 << 20


class Disk:
    """Collects files below `folder`, which is empty; `write` ends it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def directory(self, name, permissions=0o755):
        (self.folder / name).mkdir()
        (self.folder / name).chmod(permissions)

    def file(self, name, data, permissions=0o644):
        (self.folder / name).write_bytes(data)
        (self.folder / name).chmod(permissions)

    def link(self, name, target):
        (self.folder / name).symlink_to(target)

    def character_device(self, name, major, minor, permissions=0o600):
        """The kernel mounts a devtmpfs before it starts PID 1 of a disk (CONFIG_DEVTMPFS_MOUNT)."""

    def write(self, path):
        Path(path).unlink(missing_ok=True)
        with open(path, "wb") as image:
            image.truncate(SIZE_BYTES)
        # Not on everybody's PATH.
        places = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        mke2fs = shutil.which("mke2fs", path=places) or "mke2fs"
        command = [mke2fs, "-q", "-F", "-t", "ext4", "-E", "root_owner=0:0"]
        subprocess.run([*command, "-d", self.folder, path], check=True)
