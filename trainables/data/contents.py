"""The kind of a file, by its first bytes, for messages about files that are not read."""

from pathlib import Path

_KINDS = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, which stands for a file that is not here: git lfs pull fetches it",
    ),
    (b"<!DOCTYPE html", "a web page, as a failed download leaves: download it again"),
    (b"<html", "a web page, as a failed download leaves: download it again"),
    (b"<?xml", "a text in XML, as a failed download may leave: download it again"),
    (b"\x93NUMPY", "one array of NumPy, which holds no labels"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard: unpack it first"),
    (b"\x80\x04", "a pickle, which could run code when it is read"),
    (b"\x80\x05", "a pickle, which could run code when it is read"),
    (b"ARROW1", "an Arrow file: store it as Parquet"),
)


def beginning(file: Path, size: int = 512) -> bytes:
    """The first bytes of a file; empty if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except OSError:
        return b""


def kind_of(start: bytes) -> str | None:
    """The kind of a file that begins with these bytes; None if unknown."""
    if not start:
        return "empty"
    if not start.strip(b"\0"):
        return "nothing but zeros, as a download that was cut may leave: download it again"
    return next((words for magic, words in _KINDS if start.lower().startswith(magic.lower())), None)
