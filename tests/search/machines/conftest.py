"""A folder of a user's own modules."""

import sys

import pytest

from tests.search.machines.files import write


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder in which a user calls hpsearch, at the end of the path as the command puts it there."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.path.remove(str(tmp_path))
    sys.path.append(str(tmp_path))
    write(tmp_path / "mine.py", "from helper import WIDTH\n\ndef space(trial):\n    return WIDTH\n")
    write(tmp_path / "helper.py", "WIDTH = 3\n")
    return tmp_path
