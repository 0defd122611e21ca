"""The kernel table, kernels.toml, and where a row's image is kept."""
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import ROOT

TABLE = ROOT / "qemu/kernels.toml"
# One folder a row, with the image's package in it.
KERNELS = Path("target/kernels")


class TableError(Exception):
    """Says which row is wrong."""


@dataclass(frozen=True)
class Kernel:
    """One row; kernels.toml says what each field is."""

    row: str
    arch: str
    distribution: str
    version: str
    minimum: str
    release: str
    package: str
    published: str
    provider: str
    suites: tuple = ()
    lacks: tuple | None = None
    skips: tuple = ()
    small_mib: int | None = None

    @property
    def folder(self):
        return KERNELS / self.row

    def image(self):
        """The image at hand, or None."""
        files = [f for f in self.folder.glob("*") if f.suffix in (".deb", ".rpm", ".vmlinuz")]
        return max(files, key=lambda file: file.stat().st_mtime, default=None)


def load(path=TABLE):
    """Every row, in order."""
    rows = []
    for entry in tomllib.loads(Path(path).read_text())["kernel"]:
        lists = {key: tuple(entry[key]) for key in ("suites", "lacks", "skips") if key in entry}
        try:
            rows.append(Kernel(**{**entry, **lists}))
        except TypeError as error:
            raise TableError(f"{path}: row {entry.get('row', '?')}: {error}") from error
    names = [kernel.row for kernel in rows]
    if len(set(names)) != len(names):
        raise TableError(f"{path}: a row's name occurs twice")
    return rows


def chosen(rows, names):
    """The rows of these names; all for none."""
    known = {kernel.row: kernel for kernel in rows}
    if unknown := [name for name in names if name not in known]:
        raise TableError(f"no row {', '.join(unknown)}; the table has: {' '.join(known)}")
    return [known[name] for name in names] if names else rows
