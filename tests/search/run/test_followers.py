"""Followers beside a session."""

import shutil
import time
from pathlib import Path

import pytest

from search.follow.loop import sink_folder
from search.follow.sink import SinkError, opened
from search.history import store
from search.history.store import Search
from search.run.followers import followed
from tests.search.forks import forked

OLD = Path(__file__).parents[2] / "data" / "0.1.0" / "killed"  # no follower of it would end by itself


@pytest.fixture
def search(tmp_path: Path) -> Search:
    shutil.copytree(OLD, tmp_path / "one")
    return store.find(tmp_path, "one")


def test_followers_end_with_a_session_that_is_killed_and_one_that_fails_is_told_of_once(search: Search) -> None:
    sink_folder(search.folder, "optuna").parent.mkdir()
    sink_folder(search.folder, "optuna").write_bytes(b"a file")
    before = files_of(search)

    def session() -> None:
        with followed(search, ("tensorboard", "optuna"), print):
            time.sleep(1000)

    with forked(session) as (process, printed):
        refused, shown = sorted((printed.readline(), printed.readline()))
        assert process.is_alive()
    assert refused.startswith("cannot write to ")
    assert "hpsearch follow optuna one" in refused
    assert "look at them with: tensorboard --logdir" in shown
    deadline = time.monotonic() + 60
    while is_followed(search) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_followed(search)
    assert list(sink_folder(search.folder, "tensorboard").glob("trial-*/events*"))
    assert files_of(search) == before


def files_of(search: Search) -> dict[Path, bytes]:
    """The search's own files."""
    return {path: path.read_bytes() for path in search.folder.iterdir() if path.is_file()}


def is_followed(search: Search) -> bool:
    """Whether a process writes to the folder of the sink."""
    try:
        with opened("tensorboard", sink_folder(search.folder, "tensorboard"), search):
            return False
    except SinkError:
        return True
