"""Checks of Python and of the installed packages."""

import platform
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from search.machines.row import Row


def packages() -> list[Row]:
    """Whether Python and the packages have the versions that this project needs."""
    needed = [Requirement(line) for line in requires("hpsearch") or []]
    needed = [each for each in needed if each.marker is None or each.marker.evaluate()]
    rows = [_version("Python", platform.python_version(), SpecifierSet(metadata("hpsearch")["Requires-Python"]))]
    for each in needed:
        try:
            found = version(each.name)
        except PackageNotFoundError:
            found = None
        row = _version(each.name, found, each.specifier)
        if row.verdict != "ok":
            rows.append(row)
    fine = ", ".join(f"{name} {version(name)}" for name in ("torch", "ray", "optuna"))
    if len(rows) == 1:
        rows.append(Row("packages", f"hpsearch {version('hpsearch')}; all {len(needed)} are there: {fine}, …"))
    return rows


def _version(name: str, found: str | None, wanted: SpecifierSet) -> Row:
    if found is not None and wanted.contains(found, prereleases=True):
        return Row(name, found)
    advice = "make a virtual environment with a newer Python" if name == "Python" else f"pip install '{name}{wanted}'"
    return Row(name, found or "missing", "problem", f"{wanted} is needed: {advice}")
