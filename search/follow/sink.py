"""What a sink is, and how one is opened by its name."""

import fcntl
import importlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from architectures.errors import HpsearchError
from search.follow import SINKS
from search.history.record import Run
from search.history.store import Search


class SinkError(HpsearchError):
    """A sink that cannot be opened, or whose tool refuses what it is given: one line."""


class Sink(Protocol):
    """Writes the runs of one search in another tool's format, to a folder of its own or to that tool's server.

    A sink is used by one thread of one process at a time. It only reads what it is given. It may be killed at any
    moment: the next one on the same folder starts with every run again and leaves none twice.
    """

    viewer: str
    """The command that shows what is written, or the address where it is shown."""

    @property
    def runs(self) -> int:
        """How many runs the output holds."""

    def start(self, runs: Sequence[Run]) -> None:
        """Make the output hold exactly these runs, whatever an earlier sink has left in it."""

    def update(self, runs: Sequence[Run]) -> None:
        """Take runs that are new, or have changed since they were last given.

        They are written when it returns, or within a second where the tool's library writes by itself.
        """

    def close(self) -> None:
        """Finish what is open; all that was given is then written."""


def check(name: str) -> None:
    """Raise SinkError unless the library of a sink is installed; nothing is imported."""
    library = SINKS[name]
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:  # without an origin it may be any folder of that name
        raise _missing(name, library)


@contextmanager
def opened(name: str, folder: Path, search: Search) -> Iterator[Sink]:
    """A sink of `SINKS` on a folder, which no other process writes to meanwhile.

    Raises SinkError when the sink's library is missing, or the folder cannot be written to or is in use.
    """
    check(name)
    try:
        make = importlib.import_module(f"search.follow.{name}").make
    except ModuleNotFoundError as error:
        raise _missing(name, (error.name or "").partition(".")[0]) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SinkError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        _lock(descriptor, folder)
        into = make(folder, search)
        try:
            yield into
        finally:
            into.close()
    finally:
        os.close(descriptor)


def _missing(name: str, library: str) -> SinkError:
    extras = importlib.metadata.metadata("hpsearch").get_all("Provides-Extra") or []
    package = f"'hpsearch[{name}]'" if name in extras else library
    return SinkError(f"the sink {name} needs {library}, which is not installed: pip install {package}")


def _lock(descriptor: int, folder: Path) -> None:
    """Hold the folder as long as the descriptor is open, which a kill ends too, if there are locks for folders."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SinkError(f"another hpsearch follow writes to {folder}; end it first") from error
    except OSError:  # NFS has none
        return
