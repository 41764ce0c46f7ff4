"""A search's record, going on as its ledger grows: each poll reads only what is new."""

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
    """What a poll has found."""

    events: list[Event]
    """The events that are new, in order."""
    anew: bool
    """Whether the ledger was replaced or cut: the record is a new one, and `events` are all of its events."""

    @property
    def runs(self) -> set[Key]:
        """The (trial, repeat) that these events are about."""
        return {(event.trial, event.repeat) for event in self.events if isinstance(event, OfRun)}


class Follower:
    """Reads a ledger as it grows, from its beginning on; for one thread.

    A poll costs what is new, however long the ledger is. A last line that is not whole yet waits for the next poll.
    """

    def __init__(self, path: Path) -> None:
        """Follow the ledger at a path, which need not exist yet."""
        self._path = path
        self._file: FileIO | None = None
        self._begin()

    def poll(self) -> Change:
        """Read and fold what is new. Raises LedgerError or EventError on damage before the last line."""
        anew = self._file is not None and not self._is_as_it_was()
        if anew:
            self.close()
            self._begin()
        if self._file is None:
            if not self._path.exists():
                return Change([], anew)
            self._file = self._path.open("rb", buffering=0)
        events = [self._fold(entry) for entry in self._new_entries(self._file)]
        return Change(events, anew)

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
        self._end = 0  # bytes of the whole lines that were read
        self._count = 0  # events that were read
        self._last = b""  # the last whole line, to notice that the file is another
        self._unchecked: deque[ledger.Entry] = deque()
        self._checked = parse(self._one_by_one())

    def _one_by_one(self) -> Iterator[ledger.Entry]:
        """The lines of all polls as one sequence, as the check remembers earlier ones; read only while some wait."""
        while True:
            yield self._unchecked.popleft()

    def _is_as_it_was(self) -> bool:
        """Whether the file at the path is the one that was read, with the last line where it was."""
        assert self._file is not None
        descriptor = self._file.fileno()
        try:
            same_file = os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False
        return same_file and os.pread(descriptor, len(self._last), self._end - len(self._last)) == self._last

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
        """Raise the LedgerError that says what is wrong; a file that was replaced a moment ago raises none."""
        ledger.read(self._path)

    def _fold(self, entry: ledger.Entry) -> Event:
        self._unchecked.append(entry)
        event = next(self._checked)
        self.record.apply(event)
        return event
