"""Compares what a guest reported with what its row of the table expects."""
from dataclasses import asdict, dataclass, field

PASSED = "passed"
FAILED = "failed"

# Programs that tests want and no guest has: Debian has no static ones.
NOT_STATIC = ("auditctl", "bash", "bpftool", "rsyslogd", "strace", "stress-ng")


@dataclass
class Record:
    """What is kept of one run; results.json has one a row."""

    result: str
    kernel: str = ""
    mote: str = ""
    provider: str = ""
    hooks: int = 0
    missing: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    passed: int = 0
    # `program/check`
    failed: list = field(default_factory=list)
    # `program/check` and why
    skipped: list = field(default_factory=list)
    # `program/check` and why it was played once more
    repeated: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    memory_kib: int = 0
    # Instructions that the verifier looked at in the program where these were most.
    verified: int = 0
    boot_seconds: float = 0.0
    seconds: float = 0.0
    accel: str = ""
    # Runs that failed before the one that is recorded.
    failed_before: int = 0
    # Memory of the second guest, and what the sensor took there.
    small_mib: int = 0
    small_memory_kib: int = 0

    def as_dict(self):
        return asdict(self)


def record(kernel, result, mote, programs=()):
    """The record of `result`, judged by the row `kernel`: of each of `programs` there has to be
    a check."""
    checks = [check.rsplit(" ", 1) for check in result.all_facts("check")]
    skipped = [fact.partition(" ")[::2] for fact in result.all_facts("skipped")]
    repeated = [fact.partition(" ")[::2] for fact in result.all_facts("again")]
    made = Record(
        result="",
        kernel=result.fact("init", ""),
        mote=mote,
        provider=result.fact("provider", ""),
        hooks=int(result.fact("hooks", 0)),
        missing=result.all_facts("missing"),
        warnings=result.all_facts("warning"),
        passed=sum(verdict == "ok" for _, verdict in checks),
        failed=[name for name, verdict in checks if verdict == "FAILED"],
        skipped=[list(pair) for pair in skipped],
        repeated=[list(pair) for pair in repeated],
        verified=int(result.fact("verified") or 0),
        memory_kib=int(result.fact("memory_kib") or 0),
        boot_seconds=round(result.boot_seconds or 0, 1),
        seconds=round(result.total_seconds, 1),
        accel=result.accel,
    )
    made.problems = result.problems + unexpected(kernel, made)
    made.problems += [f"failed: {name}" for name in made.failed]
    made.problems += [f"panicked: {fact}" for fact in result.all_facts("panic")]
    seen = {name.split("/")[0] for name, _ in checks}
    if made.kernel and (silent := [name for name in programs if name not in seen]):
        made.problems.append(f"no check of: {' '.join(silent)}")
    made.problems += [f"failed program: {fact}" for fact in result.all_facts("failed_program")]
    if error := result.fact("error"):
        made.problems.append(f"sensor: {error}")
    made.result = FAILED if made.problems else PASSED
    return made


def summary(made):
    """The result, and how many runs failed before it."""
    before = f" at attempt {made.failed_before + 1}" if made.failed_before else ""
    return made.result + before


def add_small(made, kernel, result):
    """Adds the run in the guest with little memory, which has only the sensor's own checks."""
    small = record(kernel, result, made.mote)
    made.small_mib = 0 if small.problems else kernel.small_mib
    made.small_memory_kib = small.memory_kib
    made.problems += [f"with {kernel.small_mib} MiB: {problem}" for problem in small.problems]
    if small.problems:
        made.result = FAILED


def unexpected(kernel, made):
    """Where the guest differs from its row: nothing passes because nothing was looked at."""
    found = []
    if not made.kernel:
        return found
    if not made.kernel.startswith(kernel.release):
        found.append(f"wrong kernel: {made.kernel}, and the row is for {kernel.release}*")
    if made.provider != kernel.provider:
        found.append(f"provider: {made.provider or 'none'}, and the row expects {kernel.provider}")
    elif kernel.lacks is not None:
        if surplus := sorted(set(made.missing) - set(kernel.lacks)):
            found.append(f"missing hooks that the row does not name: {' '.join(surplus)}")
        if there := sorted(set(kernel.lacks) - set(made.missing)):
            found.append(f"hooks that the row calls lacking are there: {' '.join(there)}")
    # In a guest everything is there but what cannot be static, and a second CPU unless asked
    # for; who skips for another reason, that the row does not name, did not look.
    for name, why in made.skipped:
        missing = why.removesuffix(" is not installed") in NOT_STATIC
        expected = missing or "no second CPU" in why
        if not expected and name not in kernel.skips:
            found.append(f"skipped without need: {name}: {why}")
    if made.memory_kib == 0 and made.provider:
        found.append("the sensor's memory is not known")
    if made.passed == 0:
        found.append("no check passed")
    return found
