"""What a search's folder records about its storage, in `storage.json` there."""

import json
from pathlib import Path
from typing import Any

from search.storage.layout import Claim, StorageError
from search.storage.record import Stored
from trainables import files

_FILE = "storage.json"


def location_of(folder: Path) -> str | None:
    """The storage that this folder's search is copied to; None without one."""
    path = folder / _FILE
    return _recall(folder)["storage"] if path.exists() else None


def remember(folder: Path, location: str, **claims: int | None) -> None:
    """Note the folder's storage, and claims by their id.

    claims: None for a claim made from this folder; for another driver's claim, the number of lines that were stored
    when the search was fetched.
    """
    known = _recall(folder)["claims"] | claims
    files.write(folder / _FILE, json.dumps({"storage": location, "claims": known}, indent=1).encode())


def is_own(folder: Path, claim: Claim) -> bool:
    """Whether a claim was made from this folder."""
    return _recall(folder)["claims"].get(claim.id, ...) is None


def is_known(folder: Path, stored: Stored) -> bool:
    """Whether the folder has every line that another driver has stored."""
    if not stored.claims or is_own(folder, stored.claims[-1]):
        return True
    return _recall(folder)["claims"].get(stored.claims[-1].id) == len(stored.lines)


def _recall(folder: Path) -> dict[str, Any]:
    path = folder / _FILE
    if not path.exists():
        return {"claims": {}}
    try:
        known = dict(json.loads(path.read_bytes()))
        if isinstance(known["storage"], str) and isinstance(known["claims"], dict):
            return known
        raise TypeError("it names no storage")
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{path} is damaged ({error!r}); restore it, or fetch the search into another --results with --storage"
        ) from error
