"""Boots one machine, reads its console, and says how it went."""
import selectors
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import verdict

# From QEMU's start to the guest's init. Under TCG on an idle core 2 to 4 s (5.10 to 7.3);
# a busy machine may be many times slower.
BOOT_SECONDS = {"kvm": 30, "tcg": 90}
# Between the verdict and QEMU's end. A kernel takes a second or two to switch off.
POWER_OFF_SECONDS = 20


@dataclass
class Result:
    """One boot."""

    problems: list
    facts: list
    boot_seconds: float = None
    total_seconds: float = 0.0
    serial: Path = None
    accel: str = ""

    @property
    def passed(self):
        return not self.problems

    def fact(self, key, default=None):
        return next((value for name, value in self.facts if name == key), default)

    def all_facts(self, key):
        return [value for name, value in self.facts if name == key]


def run(
    machine,
    serial,
    limit_seconds,
    command="",
    progress=lambda key, value: None,
    boot_seconds=None,
):
    """Boots `machine` with `command` for at most `limit_seconds` in the guest, after at
    most `boot_seconds` for the boot itself."""
    arguments = machine.command(limit_seconds, command)
    # Longer than the guest's own limit: its verdict names the step that hung.
    whole_limit = limit_seconds + (boot_seconds or BOOT_SECONDS[machine.accel])
    serial = Path(serial)
    serial.parent.mkdir(parents=True, exist_ok=True)
    booted = None
    start = time.monotonic()
    for stale in serial.parent.glob(f"{serial.name}.*.log"):
        stale.unlink()
    with open(serial, "wb") as log, open(f"{serial}.qemu", "wb+") as said:
        console = verdict.Console(log)
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        try:
            deadline = start + whole_limit
            ending = None
            for data in chunks(process.stdout, lambda: deadline):
                if data is None:
                    ending = verdict.STAYED_ON if console.verdicts else verdict.TIMED_OUT
                    break
                spoke = bool(console.verdicts)
                for key, value in console.feed(data):
                    if key == "init" and booted is None:
                        booted = time.monotonic() - start
                    progress(key, value)
                if console.verdicts and not spoke:
                    deadline = time.monotonic() + POWER_OFF_SECONDS
            if ending is not None:
                process.kill()
            status = process.wait(POWER_OFF_SECONDS)
        finally:
            # Also after Ctrl-C, and a QEMU that closed its output and went on.
            process.kill()
            process.wait()
            process.stdout.close()
        console.close()
        for name, content in console.files().items():
            keep(Path(f"{serial}.{name}"), content)
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()
    if ending is None:
        ending = verdict.EXITED if status == 0 else verdict.BROKE
        words = words or f"exit status {status}"
    return Result(
        problems=verdict.problems(console, ending, whole_limit, words),
        facts=console.facts,
        boot_seconds=booted,
        total_seconds=time.monotonic() - start,
        serial=serial,
        accel=machine.accel,
    )


def keep(path, content):
    """Writes a file of the guest's beside its console; a damaged one is not kept."""
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def chunks(pipe, deadline):
    """What arrives in `pipe`, until it ends; None when `deadline()` is over first."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = deadline() - time.monotonic()
            if left <= 0:
                yield None
                return
            if not selector.select(left):
                continue
            data = pipe.read1(65536)
            if not data:
                return
            yield data
