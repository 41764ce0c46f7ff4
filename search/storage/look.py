"""A search to look at, from the results folder or from a storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from search.history.load import Loaded, read_search
from search.storage import takeover


@contextmanager
def opened(results: Path, name: str | None, storage: str | None) -> Iterator[Loaded]:
    """A search from the results folder, or from a storage, to which another machine may be writing."""
    if storage is None:
        yield read_search(results, name)
        return
    with takeover.open_copy(storage, name) as copy:
        found = read_search(copy, None)
        yield replace(found, running=takeover.is_running(storage, found.search.name))
