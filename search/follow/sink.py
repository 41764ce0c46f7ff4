"""What a sink is, and how one is opened by its name."""

import fcntl
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from architectures.errors import HpsearchError
from search.follow import SINKS
from search.history.record import Run


class SinkError(HpsearchError):
    """A sink that cannot be opened: one line."""


class Sink(Protocol):
    """Writes the runs of one search to a folder of its own, in another tool's format.

    A sink is used by one thread of one process at a time. It only reads what it is given. It may be killed at any
    moment: the next one on the same folder starts with every run again and leaves none twice.
    """

    viewer: str
    """The command that shows the folder."""

    def start(self, runs: Sequence[Run]) -> None:
        """Make the folder hold exactly these runs, whatever an earlier sink has left in it."""

    def update(self, runs: Sequence[Run]) -> None:
        """Take runs that are new, or have changed since they were last given; they are written when it returns."""


@contextmanager
def opened(name: str, folder: Path, search: str) -> Iterator[Sink]:
    """A sink of `SINKS` on a folder, which no other process writes to meanwhile; search: the search's name.

    Raises SinkError when the sink's library is missing, or the folder cannot be written to or is in use.
    """
    try:
        make = importlib.import_module(SINKS[name]).make
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise SinkError(f"the sink {name} needs {library}, which is not installed: pip install {library}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SinkError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        _lock(descriptor, folder)
        yield make(folder, search)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """Hold the folder as long as the descriptor is open, which a kill ends too."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise SinkError(f"another hpsearch follow writes to {folder}; end it first") from error
