"""A kernel image from what distributions publish: vmlinuz, bzImage, Image, .deb, .rpm."""
import gzip
import lzma
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

# In a package: Debian to 13 and the Red Hat family to 7; Debian from 14 and the Red Hat
# family from 8; SUSE (arm64's is `Image`).
IN_PACKAGE = (
    "boot/vmlinuz-*",
    "lib/modules/*/vmlinuz",
    "usr/lib/modules/*/vmlinuz",
    "boot/Image-*",
    "usr/lib/modules/*/Image",
)


class ImageError(Exception):
    """Says what is wrong with an image, and what to do."""


def kernel_of(path, place):
    """The bootable image in `path`, unpacked below `place` where that is necessary."""
    path, place = Path(path), Path(place)
    if not path.is_file():
        raise ImageError(f"{path} is not a file; name a vmlinuz, bzImage, .deb or .rpm")
    kind = kind_of(path)
    if kind == "kernel":
        return path
    place.mkdir(parents=True, exist_ok=True)
    image = place / f"{path.stem}.vmlinuz"
    if not image.exists() or image.stat().st_mtime < path.stat().st_mtime:
        unpacked = image.with_suffix(".part")
        if kind == "zboot":
            unpacked.write_bytes(zboot_payload(path.read_bytes(), path))
        else:
            from_package(path, kind, unpacked)
        unpacked.rename(image)
    return image


def kind_of(path):
    """By the first bytes, not by the name."""
    with open(path, "rb") as file:
        head = file.read(0x206)
    if head.startswith(b"!<arch>\ndebian-binary"):
        return "deb"
    if head.startswith(b"\xed\xab\xee\xdb"):
        return "rpm"
    # arm64's EFI zboot: QEMU before 8.1 does not unpack it.
    if head[:2] == b"MZ" and head[4:8] == b"zimg":
        return "zboot"
    bzimage = head[0x202:0x206] == b"HdrS"
    arm64 = head[0x38:0x3C] == b"ARM\x64"
    if bzimage or arm64 or head.startswith(b"\x1f\x8b"):
        return "kernel"
    raise ImageError(
        f"{path} is no kernel image and no package: it begins with {head[:8]!r}; an ELF vmlinux"
        " does not boot here, give its bzImage or arm64 Image"
    )


def from_package(path, kind, image):
    """Writes the one kernel in a package to `image`."""
    with tempfile.TemporaryDirectory(dir=image.parent) as scratch:
        if kind == "deb":
            _pipe(["dpkg-deb", "--fsys-tarfile", path], ["tar", "-xf", "-", "-C", scratch])
        else:
            _pipe(["rpm2cpio", path], ["cpio", "-idm", "--quiet", "-D", scratch])
        found = [file for pattern in IN_PACKAGE for file in Path(scratch).glob(pattern)]
        found = [file for file in found if file.is_file() and not file.is_symlink()]
        if len(found) != 1:
            names = ", ".join(str(f.relative_to(scratch)) for f in found) or "none"
            raise ImageError(f"{path} should have one kernel image and has: {names}")
        if kind_of(found[0]) == "zboot":
            image.write_bytes(zboot_payload(found[0].read_bytes(), path))
        else:
            shutil.copyfile(found[0], image)


def _pipe(first, second):
    """`first | second`; an error of either is ours."""
    try:
        producer = subprocess.Popen(first, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        consumer = subprocess.run(second, stdin=producer.stdout, capture_output=True)
        said = producer.communicate()[1]
    except FileNotFoundError as error:
        raise ImageError(f"{error.filename} is not installed; apt-get install it") from error
    if producer.returncode or consumer.returncode:
        why = (said + consumer.stderr).decode("utf-8", "replace").strip()
        raise ImageError(f"{first[-1]} cannot be unpacked with {first[0]}: {why}")


def zboot_payload(data, name):
    """The Image inside: its header is in linux drivers/firmware/efi/libstub/zboot-header.S."""
    offset, size = struct.unpack_from("<II", data, 8)
    method = data[24:56].split(b"\0")[0].decode("ascii", "replace")
    unpack = {"gzip": gzip.decompress, "lzma": lzma.decompress, "xzkern": lzma.decompress}
    if method not in unpack:
        raise ImageError(f"{name} is compressed with {method}; unpack it and give the Image")
    return unpack[method](data[offset : offset + size])
