"""Test images that people look at: recorded in the ledger as looks, not as test passes, before they are read."""

import numpy as np

from architectures.errors import HpsearchError
from search.history.events import Looked
from search.history.ledger import Ledger
from search.history.store import Search
from search.run.images import found_again, part_images, unchanged_images
from search.storage import note
from trainables.data.images import DatasetError, Images, fingerprint


class LookError(HpsearchError):
    """Test images that cannot be looked at: one line."""


def look(search: Search, indices: np.ndarray, *, why: str, expected: str | None) -> Images:
    """The test images at these indices, (N,) int64, in the dataset's order. No session may be running.

    why: for the record. expected: the test images' fingerprint, if a test pass has recorded it. Raises, before anything
    is recorded, DatasetError for images that are gone or not those of the search, LookError if the record is also in a
    storage, and LedgerError while another process writes the record.
    """
    if place := note.location_of(search.folder):
        raise LookError(
            f"looking at test images would have to be recorded in {place} too, where only searches and retrains write"
        )
    own = found_again(search)
    unchanged_images(search, own)
    with Ledger(search.ledger) as ledger:
        ledger.append(Looked(images=len(indices), why=why))
        test = part_images(search.request, "test", own)
    if expected is not None and fingerprint(test) != expected:
        raise DatasetError(
            f"the test images of {search.request.dataset} are not those that {search.name} was tested on"
        )
    return test.take(indices)
