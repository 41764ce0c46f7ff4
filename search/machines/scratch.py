"""Temporary folders that a killed process does not leave for ever: the next one that needs a folder removes them."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "hpsearch-scratch-"
_LOCK = ".in-use"
_UNLOCKED_SECONDS = 3600  # after which a folder without a lock's file is taken for one whose process was killed


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of this process's own until the block ends. Removes those of processes that were killed."""
    _sweep(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as place,
        (Path(place) / _LOCK).open("w") as lock,
    ):
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Path(place)


def _sweep(temporary: Path) -> None:
    for place in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else removes it at the same moment
            found = place.lstat()
            if found.st_uid == os.getuid() and _is_unused(place, time.time() - found.st_mtime):
                shutil.rmtree(place)


def _is_unused(place: Path, age: float) -> bool:
    if not (place / _LOCK).exists():
        return age > _UNLOCKED_SECONDS
    with (place / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return False
    return True
