"""A private apt: its own sources, lists and cache below one folder. What the machine says
about proxies and certificates holds; its sources and lists are not touched."""
import os
import re
import subprocess
import tempfile
from pathlib import Path

UPDATE_SECONDS = 300
# A package of the image itself; since Debian 14 it is behind one more that depends on it.
IMAGE_PACKAGE = re.compile(r"\b(linux-(?:image|binary)-[a-z0-9.+~-]*\d[a-z0-9.+~-]*)")


class AptError(Exception):
    """What apt said."""


class Apt:
    """apt for some sources and one architecture."""

    def __init__(self, folder, sources, arch):
        self.folder = Path(folder).resolve()
        self.arch = arch
        for name in ("lists/partial", "cache/archives/partial", "sources"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        stanzas = [
            f"Types: deb\nURIs: {s.uri}\nSuites: {s.suite}\nComponents: {' '.join(s.components)}\n"
            + (f"Signed-By: {s.signed_by}\n" if s.signed_by else "")
            for s in sources
        ]
        (self.folder / "sources/debian.sources").write_text("\n".join(stanzas))
        (self.folder / "apt.conf").write_text(self._settings(arch))

    def _settings(self, arch):
        machine = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
        # How to reach a source, from the machine; not what it wants to know of each.
        kept = [
            line
            for line in machine.stdout.splitlines()
            if line.startswith("Acquire::") and "IndexTargets" not in line
        ]
        own = {
            "APT::Architecture": arch,
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "1",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": f"{self.folder}/sources",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": str(self.folder),
            "Dir::State::lists": f"{self.folder}/lists",
            "Dir::State::status": f"{self.folder}/status",
            "Dir::Cache": f"{self.folder}/cache",
        }
        kept += ["#clear APT::Architectures;", f'APT::Architectures:: "{arch}";']
        return "\n".join(kept + [f'{key} "{value}";' for key, value in own.items()]) + "\n"

    def _run(self, *command, folder=None):
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment,
                cwd=folder, timeout=UPDATE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AptError(f"{command[0]} did not end within {UPDATE_SECONDS} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).splitlines()
            errors = [line[2:].strip() for line in said if line.startswith(("E:", "W:"))]
            raise AptError("; ".join(errors) or f"{command[0]} ended with {done.returncode}")
        return done.stdout

    def update(self):
        self._run("apt-get", "update")

    def show(self, package):
        """The fields of the newest version."""
        text = self._run("apt-cache", "show", "--no-all-versions", package)
        fields = re.findall(r"^([A-Za-z0-9-]+): (.*)$", text.split("\n\n")[0], re.MULTILINE)
        if not fields:
            raise AptError(f"no package {package}")
        return dict(fields)

    def image_package(self, package):
        """The name and version of the package with the image, which `package` leads to."""
        seen = []
        while package not in seen:
            seen.append(package)
            fields = self.show(package)
            further = IMAGE_PACKAGE.search(fields.get("Depends", ""))
            if not further:
                break
            package = further[1]
        return package, fields["Version"]

    def dependency(self, package, pattern):
        """The package that `package` depends on, by what its name is like."""
        depends = self.show(package).get("Depends", "")
        found = re.search(rf"(?<![\w.+-])({pattern})(?![\w.+-])", depends)
        if not found:
            raise AptError(f"{package} depends on no {pattern}: {depends}")
        return found[1]

    def unpack(self, package, root):
        """Unpacks its files below `root`, and installs nothing."""
        deb = self.download(package, self.folder / "packages" / package)
        Path(root).mkdir(parents=True, exist_ok=True)
        self._run("dpkg-deb", "-x", str(deb), str(root))

    def download(self, package, folder):
        """Downloads it to `folder`, in place of what is there; the file."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            self._run("apt-get", "download", package, folder=scratch)
            new = next(Path(scratch).glob("*.deb"))
            for old in folder.glob("*.deb"):
                old.unlink()
            return new.rename(folder / new.name)
