"""The ledger: one append-only file with one event per line, from which everything else is derived.

A line is a JSON object `{v, seq, time, event, trial, repeat, attempt, …, crc}`; `crc` is the CRC-32 of the line without
it. The fields and their values are in `search.history.events`. A line is on disk before `append` returns. A lock on the
file ensures that one process writes at a time; any process may read.
"""

import fcntl
import json
import math
import os
import re
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import FileIO
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO

from architectures.errors import HpsearchError
from search.history.events import Cut, Event, parse
from search.readable import command_line
from trainables import files

VERSION = 1

Entry = dict[str, Any]
"""A line as JSON, without its checksum."""


class LedgerError(HpsearchError):
    """A ledger that cannot be read or opened: one line with the file, the place and what to do."""


class DiskError(LedgerError):
    """A line could not be written to disk; all earlier lines are intact."""

    exit_code = 1


class Ledger:
    """A ledger open for writing; the only writer until it is closed or its process ends."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open or create the file; an incomplete last line is cut off with a warning.

        Raises LedgerError when another process has it open, or when a line before the last is damaged, and EventError
        for a line that hpsearch would not write.
        """
        self._path, self._clock = path, clock
        self._file = _open_locked(path)
        try:
            entries, good = _parse(path)
            self.events = list(parse(entries))
        except HpsearchError:
            self._file.close()
            raise
        if good < path.stat().st_size:
            warnings.warn(f"{path}: the last line is torn (a kill or a full disk) and is cut off", stacklevel=2)
            self._file.truncate(good)

    def append(self, event: Event) -> Event:
        """Record an event; it is on disk when this returns, with its place and time. Raises DiskError."""
        event = replace(event, seq=len(self.events), time=self._clock())
        end = self._file.seek(0, os.SEEK_END)
        try:
            line = _encode(entry_of(event))
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
            self.events.append(event)
        except BaseException as error:  # also a Ctrl-C: the line is kept both on disk and in memory, or in neither
            if len(self.events) > event.seq:
                raise
            self._file.truncate(end)
            if isinstance(error, OSError):
                raise DiskError(
                    f"cannot write {self._path}: {error.strerror}; nothing recorded is lost: "
                    f"make room, then {_resume(self._path)}"
                ) from error
            raise
        return event

    def close(self) -> None:
        """Close the file, so that another process may write."""
        self._file.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemoryLedger:
    """A ledger in memory only, for simulations."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.events: list[Event] = []

    def append(self, event: Event) -> Event:
        """Record an event, with its place and time."""
        event = replace(event, seq=len(self.events), time=self._clock())
        self.events.append(event)
        return event


def entry_of(event: Event) -> Entry:
    """An event as the object of its line."""
    head = {"v": VERSION, "seq": event.seq, "time": event.time, "event": event.kind}
    return head | plain(event.to_json())


def _open_locked(path: Path) -> FileIO:
    """The file at a path, locked; it is opened again if it was replaced during the wait for the lock."""
    while True:
        file = path.open("a+b", buffering=0)  # data that a full disk refused must not stay in a buffer
        try:
            _lock(file, path)
            if _is_at(file, path):
                return file
        except LedgerError:
            file.close()
            raise
        file.close()


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: FileIO | BinaryIO, path: Path) -> None:
    """Lock the file at a path; raises LedgerError if another process has locked it for a second, or none can."""
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)  # `is_open` in another process holds the lock for a moment
        except OSError as error:
            raise LedgerError(
                f"{path} cannot be locked ({error.strerror}), and a search needs file locks: choose another --results "
                "on a local disk, or mount this one with locks"
            ) from error
    command = command_line("status", path.parent.name, path.parent.parent)
    raise LedgerError(f"{path.parent.name} is running in another process; see {command}")


def read(path: Path) -> list[Entry]:
    """The objects of all complete lines, also while another process writes.

    Raises LedgerError on damage before the last line. `search.history.events.parse` makes events of them.
    """
    return _parse(path)[0]


def cut(path: Path, line: int) -> None:
    """Cut a ledger off before a line (from 1) and record that; the whole file is kept beside it.

    The *cut* event holds the number of test passes in the lost lines, because these did happen. Raises
    LedgerError when there is no such line, when one before it is damaged, or when a process has the ledger open.
    """
    with path.open("r+b") as file:  # over NFS, only a file that is open for writing can be locked for one process
        _lock(file, path)
        _cut(path, line)


def _cut(path: Path, line: int) -> None:
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    if not 1 < line <= len(lines):
        raise LedgerError(f"--until is the number of a line of {path}, 2 to {len(lines)}; got {line}")
    kept, lost = lines[: line - 1], lines[line - 1 :]
    if len(_decode_all(path, kept)) < len(kept):
        raise LedgerError(f"{path}, line {len(kept)} is damaged as well: --until {len(kept)}")
    tested = sum(_test_passes(each) for each in lost)
    entry = entry_of(Cut(seq=len(kept), time=time.time(), lines=len(lost), tested=tested))
    stem = f"ledger-{time.strftime('%Y%m%d-%H%M%S')}"
    names = chain([f"{stem}.jsonl"], (f"{stem}-{number}.jsonl" for number in count(2)))  # for cuts in the same second
    files.write(next(each for each in map(path.with_name, names) if not each.exists()), data)
    files.write(path, b"".join((*kept, _encode(entry))))


def _test_passes(line: bytes) -> int:
    """How many test passes a line records; the line may be damaged."""
    cut = re.search(rb'"event":"cut".*"tested":(\d+)', line)
    return int(cut[1]) if cut else int(b'"event":"testing"' in line)


def is_open(path: Path) -> bool:
    """Whether a process has the ledger open for writing.

    False where there is no ledger yet, and where there are no locks, as no process can open one there.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _encode(entry: Entry) -> bytes:
    body = json.dumps(entry, separators=(",", ":"), allow_nan=False)
    return f'{body[:-1]},"crc":{zlib.crc32(body.encode())}}}\n'.encode()


def _resume(path: Path, *options: str) -> str:
    """The command that continues the search of a ledger."""
    return command_line("resume", path.parent.name, path.parent.parent, *options)


def _parse(path: Path) -> tuple[list[Entry], int]:
    """The objects of the complete lines and their length in bytes; an incomplete end is left out."""
    events = _decode_all(path, lines := path.read_bytes().splitlines(keepends=True))
    return events, sum(map(len, lines[: len(events)]))


def _decode_all(path: Path, lines: list[bytes]) -> list[Entry]:
    events: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(decode(line, len(events)))
        except ValueError as error:
            if number == len(lines):
                break
            way_on = (
                f"the lines before it are whole, those after it cannot be trusted. "
                f"To continue from before it: {_resume(path, '--until', str(number))}"
                if number > 1
                else "there is nothing before it: restore the file"
            )
            raise LedgerError(f"{path}, line {number}: {error}; {way_on}") from error
        version = events[-1]["v"]
        if version > VERSION:
            raise LedgerError(
                f"{path} is a ledger of version {version}; this hpsearch reads up to {VERSION}, so update it"
            )
    return events


def decode(line: bytes, seq: int) -> Entry:
    """The object of a complete line that must have the number `seq`; raises ValueError with what is wrong."""
    if not line.endswith(b"\n"):
        raise ValueError("the line has no end")
    body, mark, crc = line[:-2].rpartition(b',"crc":')
    if not mark or not crc.isdigit() or zlib.crc32(body + b"}") != int(crc):
        raise ValueError("the line does not match its checksum")
    try:
        event = json.loads(body + b"}")
        # A newer version may number lines differently; the caller refuses it by its version.
        misplaced = event["v"] <= VERSION and event["seq"] != seq
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError("the line is not an event") from error
    if misplaced:
        raise ValueError(f"event {event['seq']} stands where {seq} is due")
    return event


def plain(value: Any) -> Any:
    """A value without NaN and infinity, which JSON does not have: they become None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
