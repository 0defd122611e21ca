"""Writes an initramfs: the kernel's `newc` archive, gzipped, the same bytes for the same
files. Written here because device nodes then need no root."""
import gzip
import stat


class Archive:
    """Collects entries; `write` ends it."""

    def __init__(self):
        self._parts = []
        self._inode = 0

    def _add(self, name, mode, data=b"", device=(0, 0)):
        self._inode += 1
        name_bytes = name.encode() + b"\0"
        # linux Documentation/driver-api/early-userspace/buffer-format.rst: ino, mode, uid,
        # gid, nlink, mtime, filesize, dev (2), rdev (2), namesize, check.
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name_bytes), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._parts.append(_padded(header + name_bytes))
        self._parts.append(_padded(data))

    def directory(self, name, permissions=0o755):
        self._add(name, stat.S_IFDIR | permissions)

    def file(self, name, data, permissions=0o644):
        self._add(name, stat.S_IFREG | permissions, data)

    def link(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name, major, minor, permissions=0o600):
        self._add(name, stat.S_IFCHR | permissions, device=(major, minor))

    def write(self, path):
        self._inode = -1
        self._add("TRAILER!!!", 0)
        with open(path, "wb") as file:
            # No time and no name in it. gzip: every kernel has it; level 1: it is read once.
            with gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
                packed.write(b"".join(self._parts))


def _padded(data):
    """Each part begins at a multiple of four bytes."""
    return data + bytes(-len(data) % 4)
