"""Temporary folders go with their process, or when the next one starts."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.machines import scratch

HOLD = """
import os, sys
from search.machines import scratch
with scratch.folder() as place:
    (place / "file").touch()
    print(place, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, also of processes that are started."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_goes_at_the_end_and_those_of_killed_processes_when_the_next_is_made(temporary):
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    theirs = Path(process.stdout.readline().strip())
    with scratch.folder() as mine:
        assert mine.parent == theirs.parent == temporary
        assert (theirs / "file").exists(), "its process lives"
    assert not mine.exists()
    process.kill()
    process.wait()
    assert theirs.exists()
    with scratch.folder():
        assert not theirs.exists()
    assert list(temporary.iterdir()) == []


def test_what_is_not_ours_or_has_just_been_made_stays(temporary):
    (temporary / "hpsearch-scratch-new").mkdir()
    (temporary / "hpsearch-scratch-old").mkdir()
    os.utime(temporary / "hpsearch-scratch-old", (0, 0))
    (temporary / "elsewhere").mkdir()
    (temporary / "hpsearch-scratch-link").symlink_to("elsewhere")
    with scratch.folder():
        pass
    assert {path.name for path in temporary.iterdir()} == {
        "hpsearch-scratch-new",
        "elsewhere",
        "hpsearch-scratch-link",
    }
