"""The architectures that are built for: where what is made for one of them is, and what cargo
is told."""
import os
import tomllib
from pathlib import Path

from . import ROOT

# They need rsyslogd, which is not static, or what is in the repository.
NOT_IN_A_GUEST = ("syslog_chain", "siem", "chain", "docs", "init")

TRIPLES = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
HOST = "arm64" if os.uname().machine == "aarch64" else "amd64"


def binary(arch):
    """The static mote, as the Makefile names it."""
    return Path("dist/mote" if arch == HOST else f"dist/mote-{arch}")


def folder(arch):
    """What cross/fetch makes, for an architecture that is not the machine's."""
    return Path("target/cross") / arch


def sysroot(arch):
    """Where packages of that architecture are unpacked."""
    return folder(arch) / "sysroot"


def configuration(arch):
    """cargo's file for what was found on this machine."""
    return folder(arch) / "cargo.toml"


def cargo_options(arch):
    """How cargo builds for it."""
    files = [f"cross/{TRIPLES[arch]}.toml"]
    if arch != HOST:
        files.append(str(configuration(arch)))
    return [option for file in files for option in ("--config", file)]


def busybox(arch):
    """A static one. Debian has it in /usr/bin from 13 on."""
    start = Path("/") if arch == HOST else sysroot(arch)
    places = [start / "bin/busybox", start / "usr/bin/busybox"]
    return next((place for place in places if place.is_file()), places[0])


def live_tests():
    """The names of the tests below rootfs-tests/ that run in a guest, from Cargo.toml."""
    tests = tomllib.loads((ROOT / "Cargo.toml").read_text())["test"]
    names = [test["name"] for test in tests if test["path"].startswith("rootfs-tests/")]
    return [name for name in names if name not in NOT_IN_A_GUEST]
