"""Whether KVM boots stock kernels here.

/dev/kvm may be there and not do it: nested virtualization that emulates too little makes
QEMU abort, or the guest spin. So it is tried once, with a time limit.
"""
import json
import os
from dataclasses import replace
from pathlib import Path

from . import ROOT
from .run import run

PROBE_SECONDS = 20
ANSWER = ROOT / "target/qemu/kvm.json"


def accelerator(machine, wanted="auto"):
    """`kvm` or `tcg` for this machine."""
    if wanted != "auto":
        return wanted
    if not machine.kvm_is_possible():
        return "tcg"
    return "kvm" if _works(machine) else "tcg"


def _works(machine):
    host = f"{os.uname().release} {os.uname().version} {_cpu()}"
    try:
        answer = json.loads(ANSWER.read_text())
        if answer["host"] == host:
            return answer["works"]
    except (OSError, ValueError, KeyError):
        pass
    probe = replace(machine, accel="kvm")
    result = run(probe, ANSWER.with_name("kvm.serial"), PROBE_SECONDS - 10, "true", boot_seconds=10)
    ANSWER.parent.mkdir(parents=True, exist_ok=True)
    ANSWER.write_text(
        json.dumps({"host": host, "works": result.passed, "why": result.problems}, indent=1)
    )
    return result.passed


def _cpu():
    """The processor's name: a work folder may move to another machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")
