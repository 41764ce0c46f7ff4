"""A user's own modules, which are sent to the machines of a cluster."""

import atexit
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from search.machines import ray_private, scratch
from search.machines.cluster import ClusterError

MOST_BYTES = 50 * 2**20  # of a user's own modules; Ray's own limit is ten times that
MOST_ENTRIES = 20_000  # files and folders that are searched for them

_OURS = ("architectures", "search", "trainables")
_NOT_CODE = ("__pycache__", "data", "node_modules", "results")


def runtime_env(names: Iterable[str], folder: Path) -> dict[str, Any] | None:
    """Ray's runtime environment that lets workers import a user's own modules from a folder.

    names: of spaces and networks. None when none of them is in a module of the folder. Raises ClusterError as `stage`.
    """
    files = find(names, folder)
    # A job's workers already have the job's own folder, and Ray refuses a second one.
    return stage(files) if files and not ray_private.job_has_folder() else None


def find(names: Iterable[str], folder: Path) -> dict[Path, Path]:
    """The files that a user's own spaces and networks may import, each with its name relative to the folder.

    These are the Python files of the folder and the packages below it, without modules whose names Python would find
    elsewhere, results, data, virtual environments and hidden files. Empty when none of `names` is in a module of the
    folder. Raises ClusterError when the folder has too many files to search.
    """
    own = {name.partition(":")[0].partition(".")[0] for name in names if ":" in name and not name.endswith(".jsonl")}
    if not any(_is_own(name, folder) for name in own):
        return {}
    return {file: file.relative_to(folder) for file in _modules(folder)}


def stage(files: Mapping[Path, Path]) -> dict[str, Any]:
    """A runtime environment whose working directory holds copies of these files under these names.

    Workers have that directory first on their path, so a module has the same name there as here. The copies are
    deleted when this process ends. Raises ClusterError when they take more than `MOST_BYTES`.
    """
    size = sum(file.stat().st_size for file in files)
    if size > MOST_BYTES:
        largest = max(files, key=lambda file: file.stat().st_size)
        raise ClusterError(
            f"your own modules would take {size / 2**20:.0f} MiB to the cluster, more than {MOST_BYTES >> 20}; the "
            f"largest file is {largest}: keep what is not code out of the packages in {Path.cwd()}"
        )
    kept = ExitStack()
    atexit.register(kept.close)
    copy = kept.enter_context(scratch.folder()) / "modules"
    for file, name in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy / name)
    return {"working_dir": str(copy)}


def _modules(folder: Path) -> list[Path]:
    """The Python files of a folder and its subfolders, and all files of its packages."""
    found: list[Path] = []
    entries = 0
    for place, folders, files in os.walk(folder):
        here = Path(place)
        entries += len(folders) + len(files)
        if entries > MOST_ENTRIES:
            raise ClusterError(
                f"{folder} holds too much to look through for your own modules (more than {MOST_ENTRIES:,} files): "
                "call hpsearch in a folder of their own"
            )
        folders[:] = [each for each in folders if _may_hold_modules(here / each, top=here == folder)]
        package = here != folder and "__init__.py" in files
        for name in files:
            if here == folder and not _is_own(name.removesuffix(".py"), folder):
                continue
            if name.endswith(".py") or (package and not name.startswith(".")):
                found.append(here / name)
    return found


def _may_hold_modules(folder: Path, *, top: bool) -> bool:
    name = folder.name
    if not name.isidentifier() or name in _NOT_CODE or (folder / "pyvenv.cfg").exists():
        return False
    return not top or _is_own(name, folder.parent)


def _is_own(name: str, folder: Path) -> bool:
    """Whether this process imports the folder's module under that name.

    Python looks into the folder last here, but first in a worker of a cluster. So a file that this process never
    imports, because Python or a package has a module of that name, must not be sent: a worker would import it.
    """
    if not ((folder / f"{name}.py").exists() or (folder / name).is_dir()) or name in _OURS:
        return False
    if name in sys.stdlib_module_names:
        return False
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # __main__
        return False
    if spec is None:  # not on the path here
        return True
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations or []
    return any(place and Path(place).resolve().is_relative_to(folder.resolve()) for place in places)
