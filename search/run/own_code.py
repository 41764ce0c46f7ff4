"""The code of a user's own space and networks, which must not change after a search has begun."""

import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from architectures.errors import HpsearchError, one_line
from architectures.families import import_function
from search.history import store
from search.history.store import Search
from search.readable import count

_OURS = ("__main__", "architectures", "hpsearch_command", "search", "trainables")


class CodeError(HpsearchError):
    """A user's own code that has changed since the search began, or cannot be imported: one line."""


def digests(names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the source of each module that belongs to a user's own spaces and networks, by module name.

    names: of spaces and networks; names of the form `package.module:function` are a user's own. Such a module brings
    the modules of its package and, unless it is installed, those that it has imported from its own folder.
    Raises CodeError for a name that cannot be imported.
    """
    return {module: hashlib.sha256(file.read_bytes()).hexdigest() for module, file in sorted(_files(names).items())}


def check(search: Search, names: Iterable[str], *, accept: bool) -> None:
    """Raise CodeError if these spaces and networks have changed since the search began.

    accept: whether to continue with them as they are, which is then recorded. Version 0.1.0 recorded no code to check.
    """
    recorded: dict[str, str] = search.facts.get("code", {})
    if not recorded:
        return
    files = _files(names)
    now = {module: hashlib.sha256(file.read_bytes()).hexdigest() for module, file in files.items()}
    changed = [module for module in sorted(now) if recorded.get(module, now[module]) != now[module]]
    if not changed:
        return
    if accept:
        earlier = search.facts.get("changed_code", [])
        store.record(search, code=recorded | now, changed_code=sorted({*earlier, *changed}))
        return
    others, have = (f" and {count(len(changed) - 1, 'other file')}", "have") if len(changed) > 1 else ("", "has")
    raise CodeError(
        f"{files[changed[0]]}{others}, part of this search's code, {have} changed since {search.name} began: undo the "
        "change, launch a new search, or continue with --changed-code"
    )


def _files(names: Iterable[str]) -> dict[str, Path]:
    """The files of every module that belongs to one of the names."""
    installed = {Path(place) for place in (*sysconfig.get_paths().values(), *site.getsitepackages())}
    found: dict[str, Path] = {}
    for name in names:
        if ":" not in name or name.endswith(".jsonl"):
            continue
        try:
            import_function(name)
        except ValueError as error:
            raise CodeError(one_line(error)) from error
        module = name.partition(":")[0]
        loaded = _loaded()
        root = _root_of(module, loaded[module]) if module in loaded else None
        for other, file in loaded.items():
            together = root is not None and root not in installed and _root_of(other, file) == root
            if together or other.partition(".")[0] == module.partition(".")[0]:
                found[other] = file
    return found


def _loaded() -> dict[str, Path]:
    """The files of all modules that this process has loaded, without ours."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: Path(file) for name, file in files.items() if file and name.partition(".")[0] not in _OURS}


def _root_of(module: str, file: Path) -> Path | None:
    """The folder of `sys.path` in which a module was found; None for a module whose file does not fit its name."""
    parts = module.split(".")
    stem = file.parent if file.name == "__init__.py" else file.with_suffix("")
    return stem.parents[len(parts) - 1] if list(stem.parts[-len(parts) :]) == parts else None
