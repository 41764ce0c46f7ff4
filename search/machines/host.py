"""What a machine offers: memory for trials, and file systems."""

import os
import shutil
from pathlib import Path

from trainables.limits import text_of

PROC = Path("/proc")
WORKER_BYTES = 2**30  # of memory for a slot with torch, a network and its batches, about
RAY_BYTES = 2**30  # of memory for the driver and Ray's own processes, about


def slots_in(memory: int) -> int:
    """About how many trials at a time fit into so many bytes; 0 for less than one."""
    return max(0, (memory - RAY_BYTES) // WORKER_BYTES)


def existing(path: Path) -> Path:
    """A folder that exists: the path itself, or the nearest one above it."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())


def file_system(path: Path) -> str:
    """The kind of file system that a folder lies on, such as ext4, overlay, nfs4 or tmpfs."""
    place, best, kind = existing(path).resolve(), Path(), "unknown"
    for line in text_of(PROC / "self/mountinfo").splitlines():
        mount, _, source = line.partition(" - ")
        escaped = os.fsencode(mount.split()[4])
        point = Path(os.fsdecode(escaped.decode("unicode_escape").encode("latin-1")))  # a space is \040
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, source.split()[0]
    return kind


def shared_memory() -> tuple[int, int]:
    """Bytes of /dev/shm in all and free; 0 and 0 without such a folder."""
    if not Path("/dev/shm").is_dir():
        return 0, 0
    usage = shutil.disk_usage("/dev/shm")
    return usage.total, usage.free
