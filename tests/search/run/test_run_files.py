"""What happens to files of a search that cannot be deleted."""

import warnings
from pathlib import Path

import pytest

from search.history.record import Record
from search.run.run_files import RunFiles
from trainables.files import Folder


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_that_cannot_be_deleted_is_said_once_and_tried_again_by_the_next_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["checkpoints/1-0-1-40.pt", "checkpoints/2-0-1-40.pt", "trials.parquet.0.tmp"]
    for name in names:
        Folder(str(tmp_path)).write(name, b"")
    files = RunFiles(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "remove", refuse)
        patch.setattr(Path, "unlink", refuse)
        with pytest.warns(UserWarning, match="cannot be deleted: .*Operation not permitted") as said:
            files.sweep(Record())
            files.remove("1-0-1-40.pt")
        assert len(said) == 1
    assert files_in(tmp_path) == names
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files.sweep(Record())
    assert files_in(tmp_path) == []
