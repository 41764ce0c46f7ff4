"""A search's record, updated while its ledger grows: each poll reads only new lines."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from search.history import ledger
from search.history.events import Event, OfRun, parse
from search.history.record import Key, Record


@dataclass(frozen=True)
class Change:
    """The result of a poll."""

    events: list[Event]
    """The new events, in order."""
    anew: bool
    """Whether the ledger was replaced or cut: the record is a new one, and `events` are all of its events."""
    running: bool
    """Whether a process had the ledger open before the poll, so that no line of a session that has ended is missed."""

    @property
    def runs(self) -> set[Key]:
        """The (trial, repeat) that these events are about."""
        return {(event.trial, event.repeat) for event in self.events if isinstance(event, OfRun)}


class Follower:
    """Reads a ledger as it grows, from its beginning on; for one thread.

    The cost of a poll depends on the new lines only. An incomplete last line is left to the next poll.
    """

    def __init__(self, path: Path) -> None:
        """Follow the ledger at a path, which need not exist yet."""
        self._path = path
        self._file: FileIO | None = None
        self._begin()

    def poll(self) -> Change:
        """Read new lines and apply their events. Raises LedgerError or EventError on damage before the last line."""
        running = ledger.is_open(self._path)
        anew = self._file is not None and not self._goes_on()
        if anew:
            self.close()
            self._begin()
        if self._file is None:
            if not self._path.exists():
                return Change([], anew, running)
            self._file = self._path.open("rb", buffering=0)
        events = [self._fold(entry) for entry in self._new_entries(self._file)]
        return Change(events, anew, running)

    def close(self) -> None:
        """Close the file; the record stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self.record = Record()
        self._end = 0  # bytes of the complete lines that were read
        self._count = 0  # events that were read
        self._last = b""  # the last complete line, to notice when the file is replaced
        self._unchecked: deque[ledger.Entry] = deque()
        self._checked = parse(self._one_by_one())

    def _one_by_one(self) -> Iterator[ledger.Entry]:
        """The lines of all polls as one sequence, as the check depends on earlier ones; read only when a line waits."""
        while True:
            yield self._unchecked.popleft()

    def _goes_on(self) -> bool:
        """Whether the path's file has the last line that was read at the same place; it may be a longer copy."""
        assert self._file is not None
        try:
            if not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
                self.close()
                self._file = self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        return os.pread(self._file.fileno(), len(self._last), self._end - len(self._last)) == self._last

    def _new_entries(self, file: FileIO) -> Iterator[ledger.Entry]:
        file.seek(self._end)
        lines = file.readall().splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            try:
                entry = ledger.decode(line, self._count)
            except ValueError:
                if number < len(lines):
                    self._complain()
                return  # a line that is being written
            if entry["v"] > ledger.VERSION:
                self._complain()
                return
            self._count, self._end, self._last = self._count + 1, self._end + len(line), line
            yield entry

    def _complain(self) -> None:
        """Raise the LedgerError that says what is wrong; there is none if the file has just been replaced."""
        ledger.read(self._path)

    def _fold(self, entry: ledger.Entry) -> Event:
        self._unchecked.append(entry)
        event = next(self._checked)
        self.record.apply(event)
        return event
