"""Following a search: its ledger is read as it grows, and a sink receives every run that has changed."""

import select
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from search.follow import run_values, sink
from search.history.events import FINAL, Closed, Opened
from search.history.follower import Change, Follower
from search.history.record import Key, Record, Run
from search.history.store import Search
from search.readable import count

POLL_SECONDS = 1.0


def sink_folder(search: Path, name: str) -> Path:
    """Where a sink's output lies, given the search's folder."""
    return search / "follow" / name


def wait() -> bool:
    """Pause between two polls; returns True, as more polls follow."""
    time.sleep(POLL_SECONDS)
    return True


def wait_for_input() -> bool:
    """Pause between two polls; returns False once standard input has ended, as when its writer has ended."""
    return not select.select([sys.stdin], [], [], POLL_SECONDS)[0]


def follow(
    search: Search,
    name: str,
    folder: Path,
    *,
    once: bool,
    say: Callable[[str], None] = lambda _: None,
    pause: Callable[[], bool] = wait,
) -> None:
    """Write a search to a sink from its beginning and, unless `once`, as it grows, until it is finished.

    folder: the sink's. say: receives a line for people. pause: waits until the next poll, and returns False if that is
    the last one. Raises SinkError, LedgerError or EventError.
    """
    with sink.opened(name, folder, search) as into, Follower(search.ledger) as follower:
        begun, last = False, once
        while True:
            change = follower.poll()
            record = follower.record
            if change.anew or not begun:
                into.start(_given(record, record.runs))
            elif change.events:
                into.update(_given(record, sorted(_changed(record, change))))
            if not begun:
                say(f"{search.name}: {count(into.runs, 'run')} in {name}; look at them with: {into.viewer}")
            begun = True
            if last or (not change.running and _is_finished(record)):
                return
            last = not pause()


def _is_finished(record: Record) -> bool:
    """Whether the search and the last session, perhaps a retrain, have finished: others may be continued."""
    return record.finished and record.sessions[-1].reason == "finished"


def _changed(record: Record, change: Change) -> set[Key]:
    """The runs that have changed; a session that begins or ends may change all that have not ended."""
    if any(isinstance(event, Opened | Closed) for event in change.events):
        return change.runs | {run.key for run in record.runs.values() if run.state not in FINAL}
    return change.runs


def _given(record: Record, keys: Iterable[Key]) -> list[Run]:
    """The runs as a sink gets them."""
    return [run_values.as_given(record.runs[key], finished=record.finished) for key in keys]
