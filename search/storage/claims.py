"""A new search's place in a storage, and the claim to write a search's record there."""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex

from search.history.store import LEDGER, LISTS, SEARCH, Search
from search.storage import layout, note, record
from search.storage.layout import Claim, Home, StorageError, reported
from trainables import files

SETTLE_SECONDS = 1.0
"""How long a driver waits between writing its claim and reading it back.

pyarrow has no write that fails when the file exists. When two drivers write claims of one number at the same moment,
the later write replaces the earlier one. After the wait both read the claim that is left, and the driver that finds
another's gives way. A write that takes longer than the wait replaces the claim of a driver that has already begun:
that driver notices it at its next heartbeat, and none of its lines count.
"""


def begin(location: str, search: Search) -> None:
    """Make a place for a new search in a storage, and note it in the search's folder.

    Raises StorageError when there is a search of that name, or when the place cannot be written.
    """
    home, folder = layout.home_of(location, search.name), search.folder
    with reported(location):
        if home.folder.names("drivers"):
            raise StorageError(
                f"the search '{home.name}' exists in {files.shown(location)}; choose another --name, or continue it "
                f"with hpsearch resume {home.name} and the same --storage"
            )
        for name in LISTS:
            if (folder / name).exists():
                home.folder.write(name, (folder / name).read_bytes())
        home.folder.write(SEARCH, search.description)
    note.remember(folder, home.location)


def withdraw(location: str, search: Search) -> None:
    """Remove from a storage what this process has written there of a search that never began.

    Another driver's files stay, and so does everything that cannot be removed.
    """
    home = layout.home_of(location, search.name)
    with suppress(OSError, StorageError):
        if home.folder.read(SEARCH) != search.description or home.folder.names("record"):
            return
        if all(note.is_own(search.folder, each) for each in record.read_claims(home)):
            for name in (SEARCH, *home.folder.names()):
                home.folder.remove(name)


def claim(home: Home, folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Claim:
    """Claim a search for this process, which has its ledger open. Its lines count from the first that is not stored.

    Raises StorageError when another driver has written since `begin` or `take_over`, or claims at the same moment.
    """
    with reported(home.location):
        stored = record.read(home)
        standing = stored.claims[-1] if stored.claims else None
        if note.is_known(folder, stored):
            mine = (folder / LEDGER).read_bytes().splitlines(keepends=True)
            ours = Claim(
                number=len(stored.claims) + 1,
                id=token_hex(4),
                host=socket.gethostname(),
                pid=os.getpid(),
                time=time.time(),
                first_seq=_common(mine, stored.lines),
            )
            # Noted first: after a kill in between, the claim must still be known as this folder's own.
            note.remember(folder, home.location, **{ours.id: None})
            home.folder.write(ours.name, json.dumps(asdict(ours)).encode())
            sleep(SETTLE_SECONDS)
            standing = record.read_claim(home, ours.number)
            if standing == ours:
                return ours
    assert standing is not None
    raise StorageError(f"{home.name} was taken over by {standing.owner} at the same moment; this machine gives way")


def _common(mine: list[bytes], stored: list[bytes]) -> int:
    """How many lines two ledgers have in common before they differ or one ends."""
    pairs = enumerate(zip(mine, stored, strict=False))
    return next((index for index, (ours, theirs) in pairs if ours != theirs), min(len(mine), len(stored)))
