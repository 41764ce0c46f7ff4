"""A search to show, from the results folder or from a storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from search.history.load import Loaded, read_search


@contextmanager
def opened(results: Path, name: str | None, storage: str | None, *, weights: bool = False) -> Iterator[Loaded]:
    """A search from the results folder, or from a storage, to which another machine may be writing.

    weights: whether the weights of retrained winners are fetched from a storage too.
    """
    if storage is None:
        yield read_search(results, name)
        return
    from search.storage import takeover  # imported late: most searches are local

    with takeover.open_copy(storage, name, weights=weights) as copy:
        found = read_search(copy, None)
        yield replace(found, running=takeover.is_running(storage, found.search.name))
