"""The searches that a server shows: those of a results folder, followed as they grow, or those of a storage."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from architectures.errors import HpsearchError, one_line
from search.history import ledger, store
from search.history.follower import Follower
from search.history.load import Loaded, read_search
from search.history.record import Record
from search.page.page import Page, page_of
from search.page.view import View
from search.readable import percent
from search.show.overview import summary
from search.show.terminal import with_retrain

STORED_SECONDS = 30.0  # how long a copy from a storage counts as the latest


@dataclass(frozen=True)
class Version:
    """How far a search was read; a new version means a new page."""

    generation: int
    """How often its ledger was replaced, or copied."""
    events: int
    """How many events were read."""
    running: bool
    """Whether a process has its ledger open."""


class Library(Protocol):
    """Searches by name. Its methods are called from several threads."""

    def rows(self) -> list[dict[str, Any]]:
        """A row for each search in words, newest first; `link` is whether it can be opened."""

    def version(self, name: str) -> Version:
        """How far a search has come by now; raises StoreError for an unknown name, LedgerError for damage."""

    def page(self, name: str) -> Page:
        """Its page; raises the same errors as `version`."""


class _Followed:
    """A search of a results folder: its ledger is read as it grows, and its page is made again when it has grown."""

    def __init__(self, search: store.Search) -> None:
        self.search = search
        self.lock = threading.Lock()
        self._follower = Follower(search.ledger)
        self._seen = Version(0, 0, False)
        self._page: tuple[Version, Page] | None = None

    def poll(self) -> Version:
        """Read new events."""
        change = self._follower.poll()
        before = 0 if change.anew else self._seen.events
        self._seen = Version(self._seen.generation + change.anew, before + len(change.events), change.running)
        return self._seen

    def page(self) -> Page:
        """The page of what has been read."""
        version = self.poll()
        if self._page is None or self._page[0] != version:
            # The description is read again, as a retrain or a resume may have added to it.
            search = store.find(self.search.folder.parent, self.search.name)
            self._page = version, page_of([View(Loaded(search, self._follower.record, version.running))])
        return self._page[1]

    def close(self) -> None:
        """Close its ledger."""
        self._follower.close()


class ResultsLibrary:
    """The searches of a results folder."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._lock = threading.Lock()
        self._open: dict[str, _Followed] = {}
        self._rows: dict[str, tuple[Any, dict[str, Any]]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each search, which is read again when its ledger has grown."""
        found = [self._row(name) for name in store.names(self._results)]
        return sorted(found, key=lambda row: row["created"], reverse=True)

    def version(self, name: str) -> Version:
        """How far a search has come by now."""
        followed = self._followed(name)
        with followed.lock:
            return followed.poll()

    def page(self, name: str) -> Page:
        """Its page."""
        followed = self._followed(name)
        with followed.lock:
            return followed.page()

    def _followed(self, name: str) -> _Followed:
        search = store.find(self._results, name)  # searched among the folders: a request opens no path
        with self._lock:
            known = self._open.get(name)
            if known is None or known.search.created != search.created:
                if known is not None:
                    known.close()
                known = self._open[name] = _Followed(search)
            return known

    def _row(self, name: str) -> dict[str, Any]:
        try:
            search = store.find(self._results, name)
            stat = search.ledger.stat() if search.ledger.exists() else None
            running = stat is not None and ledger.is_open(search.ledger)
            mark = (stat and (stat.st_mtime_ns, stat.st_size), running)
            known = self._rows.get(name)
            if known is None or known[0] != mark:
                self._rows[name] = mark, row_of(read_search(self._results, name))
            return self._rows[name][1]
        except (HpsearchError, OSError) as error:
            return _damaged(name, one_line(error))


Open = Callable[[str], AbstractContextManager[Loaded]]
"""Opens a search of a storage as a copy."""


class StorageLibrary:
    """The searches of a storage, copied again when they are requested and the last copy is old."""

    def __init__(self, names: Callable[[], list[str]], opened: Open) -> None:
        """names: gives the searches there, oldest first. opened: opens a copy of one."""
        self._names, self._opened = names, opened
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, Version, Page, dict[str, Any]]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each search."""
        return [self._row(name) for name in reversed(self._names())]

    def version(self, name: str) -> Version:
        """How far a search has come by now."""
        return self._latest(name)[1]

    def page(self, name: str) -> Page:
        """Its page."""
        return self._latest(name)[2]

    def _row(self, name: str) -> dict[str, Any]:
        try:
            return self._latest(name)[3]
        except (HpsearchError, OSError) as error:
            return _damaged(name, one_line(error))

    def _latest(self, name: str) -> tuple[float, Version, Page, dict[str, Any]]:
        with self._lock:
            known = self._read.get(name)
            if known is None or time.monotonic() - known[0] > STORED_SECONDS:
                if name not in self._names():
                    raise store.StoreError(f"there is no search '{name}' in this storage")
                with self._opened(name) as loaded:
                    version = Version(0, _events(loaded.record), loaded.running)
                    page = known[2] if known and known[1] == version else page_of([View(loaded)])
                    known = self._read[name] = time.monotonic(), version, page, row_of(loaded)
            return known


def _events(record: Record) -> int:
    """A number that grows with the record."""
    return sum(1 + len(run.measurements) + len(run.ends) + run.attempt for run in record.runs.values()) + sum(
        (session.reason != "killed") + 1 for session in record.sessions
    )


def row_of(found: Loaded) -> dict[str, Any]:
    """A search as a row of the list."""
    row = summary(found)
    best = percent(row["best_val_accuracy"])
    return row | {
        "state": with_retrain(row["state"], row["retraining"]),
        "trials": f"{row['trials']:,} of {row['samples']:,}",
        "best": best,
        "created": found.search.created,
        "link": True,
    }


def _damaged(name: str, reason: str) -> dict[str, Any]:
    empty = dict.fromkeys(("space", "dataset", "trials", "best", "tested"), "")
    return {"name": name, "state": reason, **empty, "created": 0.0, "link": False}
