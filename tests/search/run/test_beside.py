"""Followers beside a session."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search.follow.following import sink_folder
from search.follow.sink import SinkError, opened
from search.history import store
from search.history.store import Search
from search.run.beside import followed

OLD = Path(__file__).parents[2] / "data" / "0.1.0" / "killed"  # no follower of it would end by itself


@pytest.fixture
def search(tmp_path: Path) -> Search:
    shutil.copytree(OLD, tmp_path / "one")
    return store.find(tmp_path, "one")


def test_a_follower_writes_all_and_ends_when_its_session_is_killed(search: Search) -> None:
    session = (
        "import sys, time; from pathlib import Path; from search.history import store; "
        "from search.run.beside import followed\n"
        "with followed(store.find(Path(sys.argv[1])), ['tensorboard'], lambda line: print(line, flush=True)):\n"
        "    time.sleep(1000)"
    )
    words = [sys.executable, "-c", session, str(search.folder.parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "look at them with: tensorboard --logdir" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while is_followed(search) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_followed(search)
    assert list(sink_folder(search.folder, "tensorboard").glob("trial-*/events*"))


def is_followed(search: Search) -> bool:
    """Whether a process writes to the folder of the sink."""
    try:
        with opened("tensorboard", sink_folder(search.folder, "tensorboard"), search):
            return False
    except SinkError:
        return True


def test_a_follower_that_fails_is_told_of_once_and_the_session_goes_on(search: Search) -> None:
    (search.folder / "follow").write_bytes(b"a file")
    before = {path: path.read_bytes() for path in search.folder.iterdir() if path.is_file()}
    said: list[str] = []
    with followed(search, ["tensorboard"], said.append):
        pass
    (line,) = said
    assert line.startswith("cannot write to ")
    assert "hpsearch follow tensorboard one" in line
    assert {path: path.read_bytes() for path in search.folder.iterdir() if path.is_file()} == before
