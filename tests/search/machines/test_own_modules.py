"""A user's own modules travel to a cluster's nodes, and nothing else does."""

import json
from pathlib import Path

import pytest

from search.machines import own_modules
from search.machines.cluster import ClusterError
from tests.search.machines.files import write


def staged(names, home):
    folder = Path(own_modules.runtime_env(names, home)["working_dir"])
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("names", [[], ["cnn_all", "cnn6"], ["list.jsonl"], ["a:b.jsonl"], ["elsewhere:space"]])
def test_nothing_travels_when_nothing_is_the_users_own(home, names):
    assert own_modules.runtime_env(names, home) is None


def test_code_travels_and_nothing_else(home):
    write(home / "nets" / "small.py")  # a package without __init__.py
    write(home / "nets" / "weights.bin")
    write(home / "package" / "__init__.py")
    write(home / "package" / "classes.json")
    write(home / "package" / ".cache")
    write(home / "package" / "data" / "image.py")
    write(home / "results" / "first" / "trial.py")
    write(home / "venv" / "pyvenv.cfg")
    write(home / "venv" / "lib" / "module.py")
    write(home / ".git" / "hook.py")
    write(home / "not-a-name" / "module.py")
    write(home / "notes.txt")
    expected = {"mine.py", "helper.py", "nets/small.py", "package/__init__.py", "package/classes.json"}
    assert staged(["mine:space", "cnn6"], home) == expected


def test_what_python_finds_elsewhere_stays_here(home):
    """The folder is the last place to look here and the first in a worker, which must get the same modules."""
    for name in ("random", "torch", "search", "trainables", "__main__"):
        write(home / f"{name}.py", "raise SystemExit\n")
    assert staged(["mine:space"], home) == {"mine.py", "helper.py"}


def test_more_than_code_is_refused(home, monkeypatch):
    write(home / "package" / "__init__.py")
    write(home / "package" / "weights.bin", "0" * 2**20)
    monkeypatch.setattr(own_modules, "MOST_BYTES", 2**20)
    with pytest.raises(ClusterError, match="weights.bin"):
        own_modules.runtime_env(["mine:space"], home)
    monkeypatch.setattr(own_modules, "MOST_ENTRIES", 3)
    with pytest.raises(ClusterError, match="more than 3 files"):
        own_modules.runtime_env(["mine:space"], home)


def test_a_job_with_a_folder_has_given_it_to_its_workers(home, monkeypatch):
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": {"working_dir": "gcs://x.zip"}}))
    assert own_modules.runtime_env(["mine:space"], home) is None
