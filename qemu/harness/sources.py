"""Finds Debian's archives in the machine's own apt sources, which are only read."""
import re
from dataclasses import dataclass
from pathlib import Path

APT = Path("/etc/apt")
# What a suite of Debian's begins with: a vendor's repository has other names.
RELEASES = (
    "stable oldstable oldoldstable testing unstable sid experimental "
    "stretch buster bullseye bookworm trixie forky duke"
).split()


@dataclass(frozen=True)
class Source:
    """One `deb` source: where from, and which key signs it."""

    uri: str
    suite: str
    components: tuple
    signed_by: str = ""


def one_line(text):
    """Sources of a file in the one-line format, sources.list(5)."""
    found = []
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        match = re.fullmatch(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)", line)
        if match:
            options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
            found.append(
                Source(match[2], match[3], tuple(match[4].split()), options.get("signed-by", ""))
            )
    return found


def deb822(text):
    """Sources of a file in the deb822 format, sources.list(5)."""
    found = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        entry = {}
        key = None
        for line in stanza.strip("\n").splitlines():
            if line[:1] in (" ", "\t"):
                entry[key] = f"{entry.get(key, '')}\n{line}"
            else:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                entry[key] = value.strip()
        if entry.get("enabled", "yes").lower() in ("no", "false", "off", "0"):
            continue
        words = {k: entry.get(k, "").split() for k in ("types", "uris", "suites", "components")}
        if "deb" not in words["types"]:
            continue
        # The name of a file, or a key itself with all its lines.
        signed_by = entry.get("signed-by", "")
        found += [
            Source(uri, suite, tuple(words["components"]), signed_by)
            for uri in words["uris"]
            for suite in words["suites"]
        ]
    return found


def machine(etc=APT):
    """Every source of the machine."""
    found = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            found += deb822(text)
        elif path.suffix == ".list":
            found += one_line(text)
    return found


def archive(sources, suite):
    """The source that has `suite`, going by a neighbour of it: security suites are in an
    archive of their own, all others in the main one. None if the machine names neither."""
    for source in sources:
        if _debian(source.suite) and _security(source.suite) == _security(suite):
            if "main" in source.components:
                return Source(source.uri, suite, ("main",), source.signed_by)
    return None


def _debian(suite):
    return re.split(r"[-/]", suite)[0] in RELEASES


def _security(suite):
    # `bullseye-security`; before Debian 11 `buster/updates`.
    return suite.endswith("-security") or suite.endswith("/updates")
