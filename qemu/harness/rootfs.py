"""What a guest's root file system has, in memory or on a disk."""
from pathlib import Path

GUEST = Path("rootfs-tests/guest")
SCRIPTS = ("init", "checks", "small", "cpus", "hours")
# Sourced by those.
PARTS = ("say", "sensor")


def fill(made, binaries, tests):
    """Puts it into `made`: `binaries` in /bin by name, `tests` in /tests."""
    for name in ("bin", "dev", "etc", "guest", "proc", "run", "sys", "tests", "tmp"):
        made.directory(name)
    # The kernel opens it for PID 1 before anything is mounted.
    made.character_device("dev/console", 5, 1)
    # Of no distribution: a test puts another one in its place.
    made.file("etc/os-release", b"")
    for name in SCRIPTS:
        place = "init" if name == "init" else f"guest/{name}"
        made.file(place, (GUEST / name).read_bytes(), 0o755)
    for name in PARTS:
        made.file(f"guest/{name}", (GUEST / name).read_bytes())
    made.link("bin/sh", "busybox")
    for folder, programs in (("bin", binaries), ("tests", tests)):
        for name, path in sorted(programs.items()):
            made.file(f"{folder}/{name}", Path(path).read_bytes(), 0o755)
    return made
