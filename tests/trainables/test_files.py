"""Files are whole or absent."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainables import files


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


def test_a_newer_file_replaces_the_older(tmp_path: Path) -> None:
    files.write(tmp_path / "file", b"older and longer")
    files.write(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"newer"


def test_a_disk_that_fills_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    files.write(tmp_path / "file", b"older")
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        files.write(tmp_path / "file", bytes(1_000_000))
    assert (tmp_path / "file").read_bytes() == b"older"
    assert names_in(tmp_path) == ["file"]


def test_a_flush_that_fails_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(tmp_path / "file", b"older")

    def fail(_path: Path) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        files.write(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"older"
    assert names_in(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        files.write(tmp_path / "file", b"newer")
    assert names_in(tmp_path) == ["file"]


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    files.write(tmp_path / "file", b"any")
    files.remove(tmp_path / "file")
    files.remove(tmp_path / "file")
    assert names_in(tmp_path) == []


def test_a_folder_lists_what_is_below_it_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    folder = files.Folder(str(tmp_path / "a ?b"))
    assert folder.names() == []
    folder.write("one", b"1")
    folder.below("sub").write("two", b"2")
    assert folder.names() == ["one", "sub/two"]
    assert folder.read("sub/two") == b"2"
    folder.remove("one")
    folder.remove("one")
    assert folder.names() == ["sub/two"]


def test_a_place_that_is_no_place_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        files.Folder("nowhere://bucket/path").write("one", b"1")
    with pytest.raises(FileNotFoundError):
        files.Folder(str(tmp_path)).read("none")
