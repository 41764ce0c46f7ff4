"""The search: what to try, what to stop, what happened, what won.

import search

found = search.load("my-search")     # or search.load() for the newest
found.trials                         # a row a trial
found.epochs                         # a row a measurement
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.history.load import Loaded


def load(name: str | None = None, results: str = "results") -> Loaded:
    """A search's tables, also while it runs; the newest when no name is given. Raises StoreError or LedgerError."""
    from pathlib import Path

    from search.history.load import read_search  # imported late: `import search` stays cheap for the command line

    return read_search(Path(results), name)
