"""What is got to build for another architecture."""
import io
import os
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from contextlib import chdir, redirect_stderr
from pathlib import Path
from unittest import mock

from harness import ROOT, apt, target

from .program import load


fetch = load("cross/fetch")


class Client:
    """An apt that has every package and notes what it is asked for."""

    def __init__(self, arch):
        self.arch = arch
        self.asked = []

    def update(self):
        self.asked.append("update")

    def unpack(self, package, folder):
        self.asked.append(package)


class Cross(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def test_every_architecture_has_its_file_for_cargo(self):
        for arch, triple in target.TRIPLES.items():
            settings = tomllib.loads((ROOT / f"cross/{triple}.toml").read_text())
            self.assertEqual(settings["build"]["target"], triple, arch)
            flags = settings["target"][triple]["rustflags"]
            self.assertIn("target-feature=+crt-static", flags, arch)

    def test_what_is_found_on_the_machine_is_told_only_for_another_one(self):
        with mock.patch.object(target, "HOST", "amd64"):
            self.assertEqual(target.binary("amd64"), Path("dist/mote"))
            self.assertEqual(target.binary("arm64"), Path("dist/mote-arm64"))
            self.assertEqual(len(target.cargo_options("amd64")), 2)
            self.assertEqual(target.cargo_options("arm64")[2:],
                             ["--config", "target/cross/arm64/cargo.toml"])  # fmt: skip
        with mock.patch.object(target, "HOST", "arm64"):
            self.assertEqual(target.binary("arm64"), Path("dist/mote"))
            self.assertEqual(len(target.cargo_options("arm64")), 2)

    def test_makefile_and_harness_name_the_same_binary(self):
        for arch in target.TRIPLES:
            command = ["make", "-s", "-n", "-C", str(ROOT), "build", f"ARCH={arch}"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            self.assertEqual(said.split()[-1], str(target.binary(arch)))

    def test_busybox_of_every_debian(self):
        self.enterContext(chdir(self.folder))
        with mock.patch.object(target, "HOST", "amd64"):
            self.assertEqual(target.busybox("arm64"), Path("target/cross/arm64/sysroot/bin/busybox"))
            newer = Path("target/cross/arm64/sysroot/usr/bin/busybox")
            newer.parent.mkdir(parents=True)
            newer.touch()
            self.assertEqual(target.busybox("arm64"), newer)

    def test_configuration_with_any_path(self):
        for folder in ("/plain", '/with a space and "quotes"'):
            settings = tomllib.loads(fetch.configuration(Path(folder), None))
            [option, search] = settings["target"]["aarch64-unknown-linux-gnu"]["rustflags"]
            self.assertEqual((option, search), ("-L", f"native={folder}/usr/lib/aarch64-linux-gnu"))
            self.assertNotIn("build", settings)
        settings = tomllib.loads(fetch.configuration(Path("/plain"), Path("/a/rustc")))
        self.assertEqual(settings["build"], {"rustc": "/a/rustc"})

    def test_packages_are_unpacked_once(self):
        own, other = Client("amd64"), Client("arm64")
        for _ in range(2):
            with redirect_stderr(io.StringIO()):
                fetch.unpack(self.folder / "root", [(own, "a"), (own, "b"), (other, "b")])
        self.assertEqual((own.asked, other.asked), (["update", "a", "b"], ["update", "b"]))
        with redirect_stderr(io.StringIO()):
            fetch.unpack(self.folder / "root", [(own, "c")])
        self.assertEqual(own.asked[-1], "c")

    def test_file_that_is_the_same_is_not_touched(self):
        file = self.folder / "below/cargo.toml"
        fetch.write(file, "a")
        os.utime(file, (1, 1))
        fetch.write(file, "a")
        self.assertEqual(file.stat().st_mtime, 1)
        fetch.write(file, "b", 0o755)
        self.assertEqual((file.read_text(), file.stat().st_mode & 0o777), ("b", 0o755))

    def test_version_of_the_compiler(self):
        def compiler(words):
            file = self.folder / "rustc"
            fetch.write(file, f"#!/bin/sh\n{words}\n", 0o755)
            return file

        self.enterContext(chdir(ROOT))
        fetch.check_version(compiler("echo 'rustc 1.999.0 (Debian)'"))
        for words, error in (("echo 'rustc 1.2.0'", "older"), ("echo lost >&2; exit 1", "lost")):
            with self.assertRaisesRegex(apt.AptError, error):
                fetch.check_version(compiler(words))

    def test_dependency(self):
        client = apt.Apt.__new__(apt.Apt)
        depends = "libc6 (>= 2.34), libllvm22, libstd-rust-web-1.96 (= 1.96.0+dfsg1-1)"
        with mock.patch.object(client, "show", lambda package: {"Depends": depends}, create=True):
            self.assertEqual(client.dependency("p", r"libllvm\d+"), "libllvm22")
            found = client.dependency("p", r"libstd-rust-web-[\d.]+")
            self.assertEqual(found, "libstd-rust-web-1.96")
            with self.assertRaisesRegex(apt.AptError, "libllvm22"):
                client.dependency("p", "llvm22")

    @unittest.skipUnless(shutil.which("apt-get"), "apt is not installed")
    def test_machine_without_debian(self):
        with mock.patch.object(fetch.sources, "machine", lambda: []):
            with self.assertRaisesRegex(apt.AptError, "no source of Debian's"):
                fetch.client_for("arm64", ("bookworm",))


if __name__ == "__main__":
    unittest.main()
