"""Where the machine's own apt sources say that Debian is."""
import tempfile
import unittest
from pathlib import Path

from harness.sources import Source, archive, deb822, machine, one_line

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # why
deb [arch=amd64 signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/sec bookworm-security main
deb-src http://source.example/debian bookworm main
deb https://vendor.example/apt tool-bookworm main
"""

DEB822 = """\
Types: deb deb-src
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main non-free
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb-src
URIs: http://source.example/debian
Suites: sid
Components: main

Types: deb
URIs: http://embedded.example/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xyz
 -----END PGP PUBLIC KEY BLOCK-----
"""


class Sources(unittest.TestCase):
    def test_one_line(self):
        self.assertEqual(one_line(ONE_LINE), [
            Source("http://mirror.example/debian", "bookworm", ("main", "contrib")),
            Source("http://mirror.example/sec", "bookworm-security", ("main",),
                   "/usr/share/keyrings/debian.gpg"),
            Source("https://vendor.example/apt", "tool-bookworm", ("main",)),
        ])  # fmt: skip

    def test_deb822(self):
        found = deb822(DEB822)
        key = "/usr/share/keyrings/debian.gpg"
        components = ("main", "non-free")
        self.assertEqual(found[:2], [
            Source("http://mirror.example/debian", "bookworm", components, key),
            Source("http://mirror.example/debian", "bookworm-updates", components, key),
        ])  # fmt: skip
        self.assertEqual(found[2].uri, "http://embedded.example/security")
        self.assertEqual(len(found), 3)
        # As a stanza has to have it again.
        self.assertEqual(found[2].signed_by.splitlines()[1:3], [
            " -----BEGIN PGP PUBLIC KEY BLOCK-----", " .",
        ])  # fmt: skip

    def test_archives(self):
        found = one_line(ONE_LINE)
        self.assertEqual(archive(found, "sid").uri, "http://mirror.example/debian")
        self.assertEqual(archive(found, "experimental").suite, "experimental")
        self.assertEqual(archive(found, "bullseye-security").uri, "http://mirror.example/sec")
        self.assertEqual(archive(found, "bookworm-backports").components, ("main",))

    def test_no_archive(self):
        vendor = one_line("deb https://vendor.example/apt tool-bookworm main")
        self.assertIsNone(archive(vendor, "sid"))
        self.assertIsNone(archive(one_line(ONE_LINE.splitlines()[1]), "bullseye-security"))
        self.assertIsNone(archive([], "sid"))

    def test_folder(self):
        with tempfile.TemporaryDirectory() as scratch:
            etc = Path(scratch)
            self.assertEqual(machine(etc), [])
            (etc / "sources.list.d").mkdir()
            (etc / "sources.list").write_text(ONE_LINE)
            (etc / "sources.list.d/debian.sources").write_text(DEB822)
            (etc / "sources.list.d/debian.sources.save").write_text(DEB822)
            self.assertEqual(len(machine(etc)), 6)
