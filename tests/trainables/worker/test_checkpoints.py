"""A checkpoint comes back as it was, and reading one runs no code."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables.files import Folder
from trainables.worker import checkpoints

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


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "1.pt"
    size = checkpoints.save(Folder(str(path.parent)), path.name, STATE)
    assert size == path.stat().st_size
    loaded = checkpoints.load(Folder(str(path.parent)), path.name)
    assert torch.equal(loaded["model"].pop("weight"), STATE["model"]["weight"])
    assert loaded | {"model": {}} == STATE | {"model": {}}
    assert names_in(path.parent) == ["1.pt"]


@pytest.mark.parametrize("name", ["two words", "50% größer", "a#b?c", "a+b&c=d", "%20"])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.pt"
    checkpoints.save(Folder(str(path.parent)), path.name, STATE)
    assert [p.relative_to(tmp_path) for p in tmp_path.rglob("*.pt")] == [path.relative_to(tmp_path)]
    assert checkpoints.load(Folder(str(path.parent)), path.name)["images"] == 320


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints.save(Folder("."), "here.pt", STATE)
    assert checkpoints.load(Folder("."), "here.pt")["images"] == 320


def test_reading_runs_no_code(tmp_path: Path) -> None:
    checkpoints.save(Folder(str(tmp_path)), "evil.pt", {"images": 1, "model": Evil(tmp_path / "made")})
    with pytest.raises(checkpoints.CheckpointError):
        checkpoints.load(Folder(str(tmp_path)), "evil.pt")
    assert not (tmp_path / "made").exists()


def test_a_byte_that_has_changed_is_noticed(tmp_path: Path) -> None:
    checkpoints.save(Folder(str(tmp_path)), "1.pt", STATE)
    whole = (tmp_path / "1.pt").read_bytes()
    weight = whole.index(STATE["model"]["weight"].numpy().tobytes())
    for at in (0, weight + 2, len(whole) - 1):
        (tmp_path / "1.pt").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(checkpoints.CheckpointError, match=r"1\.pt does not match its checksum"):
            checkpoints.load(Folder(str(tmp_path)), "1.pt")


@pytest.mark.parametrize("size", [0, 1, 3, 4, 100])
def test_a_file_that_is_cut_off_is_noticed(tmp_path: Path, size: int) -> None:
    checkpoints.save(Folder(str(tmp_path)), "1.pt", STATE)
    (tmp_path / "1.pt").write_bytes((tmp_path / "1.pt").read_bytes()[:size])
    with pytest.raises(checkpoints.CheckpointError):
        checkpoints.load(Folder(str(tmp_path)), "1.pt")


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.pt"):
        checkpoints.load(Folder(str(tmp_path)), "none.pt")
