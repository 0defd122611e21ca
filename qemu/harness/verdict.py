"""What a guest's console says: facts, one verdict, and signs of a sick kernel.

The guest prints `mote-fact: KEY=VALUE` lines, then exactly one of

    mote-verdict: pass
    mote-verdict: fail REASON

and powers off. Whatever else happens is a failure with a name. Files come before the verdict,
compressed, in lines `mote-data: NAME BASE64`.
"""
import base64
import gzip
import re
import zlib
from dataclasses import dataclass, field

# Where a line of ours or of the kernel's begins: after the time stamp, where there is one.
# A printk that is interrupted leaves no newline, so it is looked for in the whole line.
FACT = re.compile(r"mote-fact: ([a-z_]+)=(.*)$")
DATA = re.compile(r"mote-data: ([a-z.]+) ([A-Za-z0-9+/=]+)$")
VERDICT = re.compile(r"mote-verdict: (pass|fail\b.*)$")

# The kernel's own words, from kernel/panic.c, kernel/watchdog.c, kernel/hung_task.c,
# kernel/rcu/ (tree_stall.h; update.c and tree.c before 5.1) and the arch's fault handlers.
TROUBLE = (
    ("kernel panic", re.compile(r"Kernel panic - not syncing")),
    ("lockup", re.compile(r"soft lockup - CPU|hard LOCKUP|Hard LOCKUP|NMI watchdog: Watchdog detected")),
    ("RCU stall", re.compile(r"rcu[a-z_]*:? .*(detected stall|self-detected stall|detected expedited stalls)", re.I)),
    ("out of memory", re.compile(r"Out of memory: Kill|invoked oom-killer")),
    ("hung task", re.compile(r"blocked for more than \d+ seconds")),
    ("kernel BUG", re.compile(r"(^|\] |watchdog: )(BUG: |kernel BUG at )")),
    ("kernel oops", re.compile(r"(^|\] )(Oops[: ]|Internal error: |Unable to handle kernel |general protection fault)")),
)


@dataclass
class Console:
    """Reads the console as it comes; what people read of it goes to `log`."""

    log: object = None
    facts: list = field(default_factory=list)
    verdicts: list = field(default_factory=list)
    # (name, the kernel's line), the first of each name.
    trouble: list = field(default_factory=list)
    # By name, in base64.
    data: dict = field(default_factory=dict)
    lines: int = 0
    rest: str = ""

    def feed(self, data):
        """Takes the next bytes; returns the facts that they completed."""
        before = len(self.facts)
        *lines, self.rest = (self.rest + data.decode("utf-8", "replace")).split("\n")
        for line in lines:
            self._line(line.strip("\r"))
        return self.facts[before:]

    def close(self):
        """A last line without its newline counts."""
        if self.rest:
            self.feed(b"\n")

    def files(self):
        """The guest's files by name; None for one that was damaged on its way."""
        files = {}
        for name, lines in self.data.items():
            try:
                files[name] = gzip.decompress(base64.b64decode("".join(lines)))
            except (ValueError, OSError, EOFError, zlib.error):
                files[name] = None
        return files

    def _line(self, line):
        self.lines += bool(line.strip())
        if match := DATA.search(line):
            self.data.setdefault(match[1], []).append(match[2])
            return
        if self.log:
            self.log.write(f"{line}\n".encode())
            self.log.flush()
        if match := FACT.search(line):
            self.facts.append((match[1], match[2].strip()))
        elif match := VERDICT.search(line):
            self.verdicts.append(match[1].strip())
        else:
            for name, pattern in TROUBLE:
                if pattern.search(line):
                    if name not in (known for known, _ in self.trouble):
                        self.trouble.append((name, line.strip()))
                    break


# How QEMU ended.
EXITED = "exited"  # by itself, after the guest's power-off, reboot or panic
TIMED_OUT = "timed out"
STAYED_ON = "stayed on"  # after its verdict, and was killed
BROKE = "broke"  # QEMU itself failed


def problems(console, ending, limit_seconds=None, said=""):
    """Why the run is no success, each by its name; empty for a success."""
    found = [f"{name}: {line}" for name, line in console.trouble]
    if ending == BROKE:
        found.append(f"QEMU failed: {said}")
    if ending == TIMED_OUT:
        found.append(f"timeout: no verdict within {limit_seconds:.0f} s")
    if not console.verdicts and ending == EXITED:
        if console.lines == 0:
            found.append("silence: the guest ended without a word")
        elif not console.trouble:
            found.append("silence: the guest ended without a verdict")
    if ending == STAYED_ON:
        found.append("no power-off: the guest stayed on after its verdict")
    for verdict in console.verdicts[:1]:
        if verdict != "pass":
            found.append(f"verdict: {verdict}")
    if len(console.verdicts) > 1:
        found.append(f"second verdict: {', then '.join(console.verdicts)}")
    return found
