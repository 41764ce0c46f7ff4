"""Fetches a search from its storage into a results folder, to show it or to continue it."""

import json
import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.history import ledger
from search.history.events import Closed
from search.history.ledger import Ledger
from search.history.store import CARD, LEDGER, LISTS, SEARCH
from search.machines import scratch
from search.storage import layout, note, record
from search.storage.layout import Claim, Home, StorageError, reported
from search.storage.record import Stored
from trainables import files

WINDOWS_UNTIL_DEAD = 3
"""A driver counts as dead when its heartbeat has not changed for this many loss windows.

The clock is that of the machine that checks.
"""

_LOOKS_A_WINDOW = 5
_RETRAINED = re.compile(rf"retrain/(\d+)-(\d+)/({'|'.join(map(re.escape, layout.RETRAINED))})")


def fetch(location: str, name: str | None, results: Path) -> Path:
    """Fetch a search into a results folder, or update it there; returns its folder.

    name: None for the newest search. A local ledger that differs is left as it is unless another driver has taken over
    since; then it is kept beside the fetched one, with a warning. Raises StorageError, and LedgerError when a process
    of this machine has the search open.
    """
    home = layout.find(location, name)
    with reported(location):
        stored = record.read(home)
    return _bring(home, stored, results)


def take_over(location: str, name: str | None, results: Path, *, sleep: Callable[[float], None] = time.sleep) -> Path:
    """As `fetch`, to continue the search, which is allowed only when its driver has ended.

    It has ended when it closed the search, when it ran in this folder and its process is gone, or when its heartbeat
    has not changed for `WINDOWS_UNTIL_DEAD` loss windows. Else raises StorageError, which names host and process.
    """
    home = layout.find(location, name)
    with reported(location):
        claims = record.read_claims(home)
        last = claims[-1] if claims else None
        dead = last is None or _is_gone(last, results / home.name)
        if last and not dead and _watch(home, last, WINDOWS_UNTIL_DEAD, sleep) == "alive":
            raise StorageError(
                f"{home.name} is running on {last.owner}: its heartbeat in {files.shown(location)} continues; stop it "
                "there first, or watch it with hpsearch status and the same --storage"
            )
        stored = record.read(home)
    if stored.claims != claims:
        raise StorageError(
            f"{home.name} was taken over by {stored.claims[-1].owner} at the same moment; this machine gives way"
        )
    return _bring(home, stored, results)


@contextmanager
def open_copy(location: str, name: str | None, *, weights: bool = False) -> Iterator[Path]:
    """A temporary results folder with a copy of a stored search, which may be running; weights: copy them too."""
    with open_growing_copy(location, name, weights=weights) as (results, _):
        yield results


@contextmanager
def open_growing_copy(
    location: str, name: str | None, *, weights: bool = False
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """As `open_copy`, with a function that updates the copy."""
    home = layout.find(location, name)
    with scratch.folder() as results:

        def bring() -> None:
            with reported(location):
                stored = record.read(home)
            _bring(home, stored, results, weights=weights)

        bring()
        yield results, bring


def is_running(location: str, name: str, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether a driver's heartbeat changes. A no takes a loss window, unless the driver has closed the search."""
    home = layout.find(location, name)
    with reported(location):
        claims = record.read_claims(home)
        return bool(claims) and _watch(home, claims[-1], 1, sleep) == "alive"


def _watch(home: Home, claim: Claim, windows: int, sleep: Callable[[float], None]) -> str:
    """What a driver's heartbeat shows within that many loss windows: "closed", "alive" or "silent"."""
    first = _beat(home, claim)
    for _ in range(_LOOKS_A_WINDOW * windows):
        if first and first["closed"]:
            return "closed"
        sleep(layout.LOSS_WINDOW / _LOOKS_A_WINDOW)
        if (now := _beat(home, claim)) != first:
            return "closed" if now and now["closed"] else "alive"
    return "silent"


def _beat(home: Home, claim: Claim) -> dict[str, Any] | None:
    try:
        return {"closed": False, **record.read_json(home, claim.beat)}
    except FileNotFoundError:
        return None


def _is_gone(last: Claim, folder: Path) -> bool:
    """Whether a claim was made from this folder, no process has its ledger open any more, and its process has ended.

    The last as the folder may be a copy: the lock of the one that it was copied from is not seen here.
    """
    path = folder / LEDGER
    return (
        path.exists()
        and note.is_own(folder, last)
        and last.host == socket.gethostname()
        and not ledger.is_open(path)
        and not _is_another(last.pid)
    )


def _is_another(pid: int) -> bool:
    """Whether another process of this machine has this id; a container that starts again gives the same ids."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return pid != os.getpid()


def _bring(home: Home, stored: Stored, results: Path, weights: bool = True) -> Path:
    folder = results / home.name
    with reported(home.location):
        description = home.folder.read(SEARCH)
        lists = {name: data for name in LISTS if (data := _read_if_there(home, name)) is not None}
    _check_same(folder, home, description)
    folder.mkdir(parents=True, exist_ok=True)
    with Ledger(folder / LEDGER):  # so that no process of this machine writes it meanwhile
        if note.location_of(folder) != home.location:  # it is new here, or the storage has been moved
            note.remember(folder, home.location)
        mine = (folder / LEDGER).read_bytes().splitlines(keepends=True)
        is_prefix = mine == stored.lines[: len(mine)]
        if not is_prefix and note.is_known(folder, stored):
            return folder
        # Before the ledger: if this is interrupted, the next fetch must still find the lines that name these files.
        _bring_retrained(home, folder, stored.lines, len(mine) if is_prefix else 0, weights=weights)
        if not is_prefix:
            _put_aside(folder, stored)
        if mine != stored.lines:
            files.write(folder / LEDGER, b"".join(stored.lines))
    if stored.claims and note.is_own(folder, stored.claims[-1]):
        return folder
    note.remember(folder, home.location, **{each.id: len(stored.lines) for each in stored.claims[-1:]})
    for name, data in lists.items():
        files.write(folder / name, data)
    files.write(folder / SEARCH, description)  # last: it makes the folder a search
    return folder


def _bring_retrained(home: Home, folder: Path, lines: list[bytes], known: int, *, weights: bool) -> None:
    """Fetch the files of retrains that are missing here, or whose runs have lines after the first `known` ones."""
    news = [ledger.decode(line, seq) for seq, line in enumerate(lines[known:], known)]
    told = {(each["trial"], each["repeat"]) for each in news if "repeat" in each}
    has_closed = any(each["event"] == Closed.kind for each in news)  # a session writes its cards before it closes
    with reported(home.location):
        names = home.folder.names("retrain")
    for name in names:
        found = _RETRAINED.fullmatch(name)
        if found is None or (name.endswith(".safetensors") and not weights):
            continue
        is_new = (int(found[1]), int(found[2])) in told or (has_closed and found[3] == CARD)
        if is_new or not (folder / name).exists():
            with reported(home.location):
                data = home.folder.read(name)
            files.write(folder / name, data)


def _put_aside(folder: Path, stored: Stored) -> None:
    """Copy a ledger beside itself, named after the driver that took over, with a warning; an earlier copy stays."""
    path, claim = folder / LEDGER, stored.claims[-1]
    data = path.read_bytes()
    aside = path.with_name(f"ledger.before-{claim.number:04}.jsonl")
    while aside.exists() and aside.read_bytes() != data:
        aside = aside.with_name(f"{aside.stem}+.jsonl")
    files.write(aside, data)
    warnings.warn(
        f"{folder.name} was taken over by {claim.owner}; what was recorded here since then does not count and is kept "
        f"in {aside}",
        stacklevel=4,
    )


def _check_same(folder: Path, home: Home, description: bytes) -> None:
    """Raise StorageError when the folder holds another search of that name."""
    path = folder / SEARCH
    try:
        theirs = json.loads(description)
        mine = json.loads(path.read_bytes()) if path.exists() else theirs
        if all(mine[key] == theirs[key] for key in ("created", "request")):
            return
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"search.json in {home} or in {folder} is damaged ({error!r}); restore it") from error
    raise StorageError(f"{folder} is another search of that name than {home}; give another --results")


def _read_if_there(home: Home, name: str) -> bytes | None:
    try:
        return home.folder.read(name)
    except FileNotFoundError:
        return None
