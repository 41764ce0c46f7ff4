"""Files are whole or absent."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def test_a_path_that_is_not_utf_8_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="only where the path is in UTF-8"):
        files.Folder(str(tmp_path / "caf\udce9")).write("file", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_tells_its_subfolders_and_what_is_in_one(tmp_path: Path) -> None:
    folder = files.Folder(str(tmp_path / "none"))
    assert (folder.folders(), folder.names("a")) == ([], [])
    folder = files.Folder(str(tmp_path))
    for name in ("one", "b/two", "a/three", "a/c/four"):
        folder.write(name, b"")
    assert folder.folders() == ["a", "b"]
    assert folder.names("a") == ["a/c/four", "a/three"]


def test_an_object_store_holds_files_as_a_disk_does(object_store: Any) -> None:
    folder = files.Folder(object_store.location("files"))
    assert (folder.names(), folder.folders()) == ([], [])
    large = bytes(range(256)) * 50_000  # more than an object store takes in one part
    folder.write("one", b"1")
    folder.write("one", b"newer")
    folder.below("sub").write("two", large)
    assert folder.names() == ["one", "sub/two"]
    assert folder.folders() == ["sub"]
    assert folder.names("sub") == ["sub/two"]
    assert (folder.read("one"), folder.read("sub/two")) == (b"newer", large)
    folder.remove("sub/two")
    folder.remove("sub/two")
    assert folder.names() == ["one"]
    with pytest.raises(FileNotFoundError):
        folder.read("sub/two")


def test_a_place_in_a_bucket_that_is_not_there_is_an_os_error(object_store: Any) -> None:
    folder = files.Folder(object_store.location("files", bucket="nowhere"))
    with pytest.raises(OSError, match="NO_SUCH_BUCKET"):
        folder.write("one", b"1")
    with pytest.raises(OSError, match="NO_SUCH_BUCKET"):
        folder.folders()


def test_googles_store_is_given_up_soon(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(OSError, match="UNAVAILABLE"):
        files.Folder("gs://anonymous@bucket/x?endpoint_override=127.0.0.1:1&scheme=http&retry_limit_seconds=1").names()
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("location", "printed"),
    [
        ("some/path", "some/path"),
        ("s3://bucket/path?endpoint_override=host:9000&scheme=http", "s3://bucket/path"),
        ("s3://key:secret@bucket/path", "s3://…"),
        ("s3://key:sec/ret@bucket/path", "s3://…"),
    ],
)
def test_a_location_is_printed_without_options_and_keys(location: str, printed: str) -> None:
    assert files.shown(location) == printed
