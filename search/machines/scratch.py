"""Temporary folders; those of a killed process are removed by the next process that needs a folder."""

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
_UNLOCKED_SECONDS = 3600  # after which the process of a folder without a lock file is assumed to be killed


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for this process until the block ends. Also removes those of killed processes."""
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
        with suppress(OSError):  # another process removes it at the same moment
            found = place.lstat()
            if found.st_uid == os.getuid() and _is_unused(place, time.time() - found.st_mtime):
                shutil.rmtree(place)


def _is_unused(place: Path, age: float) -> bool:
    if not (place / _LOCK).exists():
        return age > _UNLOCKED_SECONDS
    with (place / _LOCK).open("r+") as lock:  # NFS locks only what is open for writing
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return False
    return True
