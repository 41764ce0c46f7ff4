"""What another terminal can do to a search: end it as Ctrl-C does, or delete it."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from architectures.errors import HpsearchError
from search.history import ledger, store
from search.history.load import Loaded, read_search
from search.readable import command_line
from search.show.terminal import with_retrain
from search.storage import layout, note, record, takeover
from trainables import files


class EndingError(HpsearchError):
    """A search that cannot be ended or deleted from here: one line."""


#: Seconds that a search has to close its record: a worker may be writing a checkpoint.
PATIENCE = 60.0


def stop(found: Loaded, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """End a running search as a Ctrl-C in its terminal would; returns how it ended.

    Raises EndingError for a search that is not running, runs elsewhere, or has not ended after `PATIENCE` seconds.
    """
    search = found.search
    if not found.running:
        where = _elsewhere(search)
        raise EndingError(
            f"{search.name} runs on {where}: stop it there"
            if where
            else f"{search.name} is not running: {with_retrain(found.state, found.retraining)}"
        )
    opened = found.record.sessions[-1].opened if found.record.sessions else None
    if opened and opened.host not in (None, socket.gethostname()):
        raise EndingError(f"{search.name} runs on {opened.host} (process {opened.pid}): hpsearch stop there")
    if opened is None or opened.pid is None or not _has_open(opened.pid, search.ledger):
        raise EndingError(f"{search.name} is starting, or another command is using its record; try again")
    os.kill(opened.pid, signal.SIGINT)
    for _ in range(round(PATIENCE / 0.2)):
        sleep(0.2)
        if not ledger.is_open(search.ledger):
            return read_search(search.folder.parent, search.name).record.sessions[-1].reason
    raise EndingError(
        f"{search.name} has not ended {PATIENCE:.0f} s after the request; process {opened.pid} still runs"
    )


def _has_open(pid: int, path: Path) -> bool:
    """Whether a process of this machine has a file open: its id may now belong to another process."""
    try:
        return any(each.samefile(path) for each in Path(f"/proc/{pid}/fd").iterdir() if each.exists())
    except OSError:  # it has ended, or is another user's
        return False


def _elsewhere(search: store.Search) -> str | None:
    """Where a search with a storage runs, if its driver writes a heartbeat; else None."""
    place = note.location_of(search.folder)
    if place is None or not takeover.is_running(place, search.name):
        return None
    home = layout.find(place, search.name)
    with layout.reported(place):
        return record.read_claims(home)[-1].owner


def check_deletable(results: Path, name: str) -> store.Search:
    """The search to delete; raises EndingError if it runs, here or elsewhere, and StoreError if there is none."""
    search = store.find(results, name)
    if ledger.is_open(search.ledger):
        raise EndingError(f"{name} is running: end it first with {command_line('stop', name, results)}")
    if where := _elsewhere(search):
        raise EndingError(f"{name} is running on {where}: end it there first")
    return search


def delete(search: store.Search) -> str | None:
    """Remove a search's folder; returns the storage in which a copy of it stays, if there is one.

    `search.json` is removed first, so that what remains after a kill is no search. Raises OSError.
    """
    place, folder = note.location_of(search.folder), search.folder.resolve()  # it may be a link to another disk
    (folder / store.SEARCH).unlink()
    shutil.rmtree(folder)
    if search.folder.is_symlink():
        search.folder.unlink()
    return files.shown(place) if place else None
