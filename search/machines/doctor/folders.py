"""Folders and storages: whether there is room, and whether files can be written there."""

import fcntl
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from architectures.errors import one_line
from search.machines import host
from search.machines.doctor.row import Row, size_of
from trainables import files
from trainables.data.known import DATASETS

LITTLE_DISK, NO_DISK = 5e9, 5e8  # bytes, under which room is short, and too short
MOST_TEMPORARY = 36  # characters of the folder for temporary files: Ray's sockets in it may have paths of 107


def folder(check: str, path: Path) -> Iterator[Row]:
    """Room in a folder, and whether a file can be written, renamed and locked there; it is deleted again."""
    place = host.existing(path)
    kind, free = host.file_system(place), shutil.disk_usage(place).free
    found = f"{path}: {size_of(free)} free ({kind})" + ("" if place == path.absolute() else ", not there yet")
    if free < NO_DISK:
        yield Row(check, found, "problem", f"make room, or choose another folder: a search needs {size_of(NO_DISK)}")
    elif free < LITTLE_DISK:
        yield Row(check, found, "warning", "checkpoints and images may fill it: a full disk pauses a search")
    elif kind in ("tmpfs", "ramfs"):
        yield Row(check, found, "warning", "it is memory, gone with the machine's next start")
    else:
        yield Row(check, found)
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".hpsearch-doctor-") as scratch:
            files.write(Path(scratch) / "file", b"written, flushed, renamed")
            locked = _locks(Path(scratch) / "file")
    except OSError as error:
        yield Row(check, f"{place} cannot be written: {error.strerror or error}", "problem", "choose another folder")
        return
    if not locked:
        advice = "nothing keeps two processes from one search: use a local disk, or mount it with locks"
        yield Row(check, f"{place} has no file locks ({kind})", "warning", advice)


def ray_files() -> Iterator[Row]:
    """Whether Ray can keep its files and sockets in the folder for temporary files."""
    on_linux = sys.platform.startswith("linux")
    place = Path(os.environ.get("RAY_TMPDIR") or (on_linux and os.environ.get("TMPDIR")) or "/tmp")
    if len(os.fsencode(place)) > MOST_TEMPORARY:
        advice = "paths of its sockets are too long there: set RAY_TMPDIR=/tmp, or to another short path"
        yield Row("Ray's files", str(place), "problem", advice)
    yield from folder("Ray's files", place / "ray")


def _locks(path: Path) -> bool:
    """Whether a second lock on a file is refused."""
    with path.open("rb") as first, path.open("rb") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def datasets(data_dir: Path) -> Row:
    """Which of the known datasets are decoded already."""
    cached = [name for name in DATASETS if any((data_dir / "cache").glob(f"{name}-train-*.json"))]
    return Row("datasets", f"decoded: {', '.join(cached)}" if cached else "none decoded yet; the first launch does it")


def round_trip(storage: str) -> Row:
    """Write, read and delete a small file in a storage."""
    place = files.Folder(storage)
    name, content = f".hpsearch-doctor-{os.getpid()}", b"a small file"
    began = time.perf_counter()
    try:
        place.write(name, content)
        same = place.read(name) == content
        place.remove(name)
    except OSError as error:
        reason = re.sub(r"//[^/@\s]*@", "//", one_line(error))[:200]
        return Row(
            "storage",
            reason,
            "problem",
            "s3:// takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a folder must be writable",
        )
    if not same:
        return Row("storage", "what was read is not what was written", "problem", "use another storage")
    return Row("storage", f"written, read and deleted in {(time.perf_counter() - began) * 1e3:.0f} ms")
