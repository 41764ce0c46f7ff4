"""What Ray needs to start on this machine: the doctor checks it beforehand, a session after a failed start.

Neither torch nor Ray is imported.
"""

import fcntl
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from search.machines import host, tokens
from search.machines.row import Row, size_of
from trainables import files
from trainables import limits as machine

LITTLE_DISK, NO_DISK = 5e9, 5e8  # bytes; less is a warning, and a problem
MOST_TEMPORARY = 36  # characters in the path of the temporary folder: paths of Ray's sockets in it are limited to 107
LEAST_FILES = 4096  # open at a time; Ray opens some for each worker
LEAST_ADDRESS_SPACE = 8 * 2**30  # bytes: with 4 GiB Ray's threads end the process that starts it, with 12 GiB it runs
LEAST_PROCESSES = 2000  # and threads; Ray has about 500 before its first worker


def in_the_way() -> str | None:
    """What keeps Ray from starting here, with what to do; None when nothing is known.

    The first problem, or else a low limit, with which Ray may or may not work.
    """
    short = limits()
    rows = [*ray_files(), token(), short, memory()]
    found = [row for row in rows if row.verdict == "problem"] + ([short] if short.verdict == "warning" else [])
    return next((f"{row.check}: {row.found}: {row.advice}" for row in found), None)


def folder(check: str, path: Path, *, locks: bool = True) -> Iterator[Row]:
    """Room in a folder, and whether a file can be written, renamed and locked there; the file is deleted again.

    locks: whether a search needs file locks there.
    """
    place = host.existing(path)
    kind, free = host.file_system(place), shutil.disk_usage(place).free
    found = f"{path}: {size_of(free)} free ({kind})" + ("" if place == path.absolute() else ", not there yet")
    if free < NO_DISK:
        yield Row(check, found, "problem", f"make room, or choose another folder: a search needs {size_of(NO_DISK)}")
    elif free < LITTLE_DISK:
        yield Row(check, found, "warning", "checkpoints and images may fill it: a full disk pauses a search")
    elif kind in ("tmpfs", "ramfs"):
        yield Row(check, found, "warning", "it is in memory, and is lost when the machine restarts")
    else:
        yield Row(check, found)
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".hpsearch-doctor-") as scratch:
            files.write(Path(scratch) / "file", b"written, flushed, renamed")
            locked = _locks(Path(scratch) / "file")
    except OSError as error:
        yield Row(check, f"{place} cannot be written: {error.strerror or error}", "problem", "choose another folder")
        return
    if locks and not locked:
        advice = "a search needs them: choose another folder on a local disk, or mount this one with locks"
        yield Row(check, f"{place} has no file locks ({kind})", "problem", advice)


def ray_files() -> Iterator[Row]:
    """Whether Ray can keep its files and sockets in the folder for temporary files."""
    on_linux = sys.platform.startswith("linux")
    place = Path(os.environ.get("RAY_TMPDIR") or (on_linux and os.environ.get("TMPDIR")) or "/tmp")
    if len(os.fsencode(place)) > MOST_TEMPORARY:
        advice = "paths of its sockets are too long there: set RAY_TMPDIR=/tmp, or to another short path"
        yield Row("Ray's files", str(place), "problem", advice)
    yield from folder("Ray's files", place / "ray")


def token() -> Row:
    """Whether Ray has a token here, and who may read it."""
    if not tokens.wants_token():
        found = f"RAY_AUTH_MODE={os.environ['RAY_AUTH_MODE']}"
        return Row("token", found, "warning", "whoever reaches Ray's ports may run code: unset RAY_AUTH_MODE")
    file = tokens.token_file()
    if file is None:
        return Row("token", tokens.place())
    if not file.exists() and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        if not file.is_absolute():
            advice = "Ray keeps its token there: set HOME to a folder that can be written, or RAY_AUTH_TOKEN_PATH"
            return Row("token", "there is no home folder", "problem", advice)
        if not os.access(host.existing(file.parent), os.W_OK):
            advice = "Ray keeps its token there: set HOME to a folder that can be written, or RAY_AUTH_TOKEN_PATH"
            return Row("token", f"{host.existing(file.parent)} cannot be written", "problem", advice)
        return Row("token", "none yet; the first launch makes one")
    if tokens.token() is None:
        return Row("token", f"none in {file}", "problem", tokens.REMEDY)
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        return Row("token", f"{file} has mode {mode:o}", "problem", f"others may read it: chmod 600 {file}")
    return Row("token", f"{file}, mode {mode:o}")


def ends_the_process() -> str | None:
    """Why starting Ray would end this process before it could say anything; None when nothing is known."""
    most_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most_bytes == resource.RLIM_INFINITY or most_bytes >= LEAST_ADDRESS_SPACE:
        return None
    row = limits()
    return f"{row.check}: {row.found}: {row.advice}"


def limits() -> Row:
    """The limits on open files, processes and threads."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = machine.process_limit()
    found = f"{'any number of' if most_files < 0 else f'{most_files:,}'} files, " + (
        "any number of processes" if most is None else f"{most:,} processes"
    )
    most_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most_bytes != resource.RLIM_INFINITY:
        found += f", {size_of(most_bytes)} of address space"
        return Row("limits", found, "problem", "torch and Ray reserve more than they use: ulimit -v unlimited")
    if 0 <= most_files < LEAST_FILES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_FILES} open files: ulimit -n, or docker run --ulimit")
    if most is not None and most < LEAST_PROCESSES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_PROCESSES} threads: docker run --pids-limit")
    return Row("limits", found)


def memory() -> Row:
    """Whether there is enough memory for a trial on each core."""
    total, free = machine.memory()
    found = f"{size_of(free)} free of {size_of(total)}"
    slots = host.slots_in(free)
    if slots < 1:
        needed = size_of(host.RAY_BYTES + host.WORKER_BYTES)
        return Row("memory", found, "problem", f"make {needed} free: a search needs that")
    if slots < machine.cores():
        return Row("memory", found, "warning", f"a trial takes about {size_of(host.WORKER_BYTES)}: --parallel {slots}")
    return Row("memory", found)


def _locks(path: Path) -> bool:
    """Whether a second lock on a file is refused."""
    with path.open("r+b") as first, path.open("r+b") as second:  # NFS locks only what is open for writing
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
