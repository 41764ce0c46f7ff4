"""Checkpoints are whole or absent, and reading one runs no code."""

import os
import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables import checkpoint

STATE: dict[str, Any] = {
    "images": 320,
    "model": {"weight": torch.arange(6.0).reshape(2, 3)},
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]},
}


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """No file of this process may grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "1.pt"
    size = checkpoint.save(path, STATE)
    assert size == path.stat().st_size
    loaded = checkpoint.load(path)
    assert torch.equal(loaded["model"].pop("weight"), STATE["model"]["weight"])
    assert loaded | {"model": {}} == STATE | {"model": {}}
    assert names_in(path.parent) == ["1.pt"]


@pytest.mark.parametrize("name", ["two words", "50% größer", "a#b?c", "a+b&c=d", "%20"])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.pt"
    checkpoint.save(path, STATE)
    assert [p.relative_to(tmp_path) for p in tmp_path.rglob("*.pt")] == [path.relative_to(tmp_path)]
    assert checkpoint.load(path)["images"] == 320
    checkpoint.remove(path)
    assert not path.exists()


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint.save(Path("here.pt"), STATE)
    assert checkpoint.load(Path("here.pt"))["images"] == 320


def test_a_newer_file_replaces_the_older(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "file", b"older and longer")
    checkpoint.write(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"newer"


def test_a_disk_that_fills_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "file", b"older")
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        checkpoint.write(tmp_path / "file", bytes(1_000_000))
    assert (tmp_path / "file").read_bytes() == b"older"
    assert names_in(tmp_path) == ["file"]


def test_a_flush_that_fails_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write(tmp_path / "file", b"older")

    def fail(_path: Path) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(checkpoint, "sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        checkpoint.write(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"older"
    assert names_in(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        checkpoint.write(tmp_path / "file", b"newer")
    assert names_in(tmp_path) == ["file"]


def test_reading_runs_no_code(tmp_path: Path) -> None:
    torch.save({"images": 1, "model": Evil(tmp_path / "made")}, tmp_path / "evil.pt")
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "made").exists()


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.pt"):
        checkpoint.load(tmp_path / "none.pt")


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "1.pt", STATE)
    checkpoint.remove(tmp_path / "1.pt")
    checkpoint.remove(tmp_path / "1.pt")
    assert names_in(tmp_path) == []
