"""Kernels out of packages."""
import gzip
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import images

BZIMAGE = b"MZ".ljust(0x202, b"\0") + b"HdrS" + b"kernel"
ARM64 = b"MZ".ljust(0x38, b"\0") + b"ARM\x64" + bytes(0x200)


class Images(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.place = self.folder / "unpacked"

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def package(self, *names):
        """A .deb with a kernel at each of these places."""
        self.write("tree/DEBIAN/control", b"Package: linux-image-test\nVersion: 1\n"
                   b"Architecture: amd64\nMaintainer: mote\nDescription: test\n")  # fmt: skip
        for name in names:
            self.write(f"tree/{name}", BZIMAGE)
        package = self.folder / "test.deb"
        command = ["dpkg-deb", "--root-owner-group", "-b", self.folder / "tree", package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return package

    def test_kernels_as_they_are(self):
        for data in (BZIMAGE, ARM64, gzip.compress(ARM64)):
            path = self.write("vmlinuz", data)
            self.assertEqual(images.kernel_of(path, self.place), path)

    @unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is not installed")
    def test_deb(self):
        for name in ("boot/vmlinuz-5.10.0", "usr/lib/modules/7.2.12+deb14/vmlinuz"):
            with self.subTest(name):
                shutil.rmtree(self.folder / "tree", ignore_errors=True)
                shutil.rmtree(self.place, ignore_errors=True)
                image = images.kernel_of(self.package(name), self.place)
                self.assertEqual(image.read_bytes(), BZIMAGE)

    @unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is not installed")
    def test_deb_without_a_kernel_or_with_two(self):
        for names, word in (((), "none"), (("boot/vmlinuz-1", "boot/vmlinuz-2"), "vmlinuz-2")):
            with self.subTest(word), self.assertRaisesRegex(images.ImageError, word):
                images.kernel_of(self.package(*names), self.place)

    def test_broken_packages(self):
        deb = self.write("broken.deb", b"!<arch>\ndebian-binary   nonsense")
        with self.assertRaisesRegex(images.ImageError, "broken.deb"):
            images.kernel_of(deb, self.place)
        self.assertEqual(list(self.place.glob("*.vmlinuz")), [])

    def test_no_kernel(self):
        for data in (b"", b"\x7fELF" + bytes(600), b"text" * 200):
            with self.assertRaisesRegex(images.ImageError, "no kernel image"):
                images.kernel_of(self.write("other", data), self.place)
        with self.assertRaisesRegex(images.ImageError, "not a file"):
            images.kernel_of(self.folder / "absent", self.place)

    def zboot(self, method, payload):
        head = b"MZ\0\0zimg" + struct.pack("<II", 64, len(payload)) + bytes(8)
        return self.write("vmlinuz.efi", (head + method).ljust(64, b"\0") + payload + bytes(600))

    def test_zboot(self):
        image = images.kernel_of(self.zboot(b"gzip", gzip.compress(ARM64)), self.place)
        self.assertEqual(image.read_bytes(), ARM64)
        shutil.rmtree(self.place)
        with self.assertRaisesRegex(images.ImageError, "zstd"):
            images.kernel_of(self.zboot(b"zstd", b"?"), self.place)
