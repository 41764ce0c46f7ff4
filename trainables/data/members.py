"""The files in zip and tar files, one after the other, and the errors for archives that are not read."""

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from architectures.errors import one_line
from trainables.data.contents import beginning, kind_of
from trainables.data.images import DatasetError

# Encoded images hardly get smaller in an archive. One that unpacks to more than both limits holds something else.
MOST_UNPACKED = 1 << 30  # bytes
MOST_RATIO = 100  # times the file's size
MOST_MEMBERS = 10_000_000

_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, UnicodeError, LookupError, OverflowError),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_UNPACKERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
)


def most_unpacked(file: Path) -> int:
    """How many bytes a file of images may unpack to."""
    return max(MOST_UNPACKED, MOST_RATIO * file.stat().st_size)


def is_archive(file: Path) -> bool:
    """Whether a file is a zip or tar file, perhaps a damaged one, by its content."""
    start = beginning(file, tarfile.BLOCKSIZE)
    if start.startswith(_ZIP):
        return True
    try:
        if unpack := _unpacker(start):
            with unpack(file, "rb") as stream:
                start = stream.read(tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    except (EOFError, zlib.error, lzma.LZMAError, OSError):  # the compressed data are damaged
        return True
    return True


@dataclass(frozen=True)
class Member:
    """A file or folder as an archive lists it."""

    name: str
    """Its name as listed."""
    is_folder: bool
    """Whether it is a folder."""
    size: int
    """Bytes when unpacked."""
    read: Callable[[int], bytes]
    """Reads at most so many first bytes; only works while this is the last listed member."""


def members_of(file: Path, *, whole: bool = False) -> Iterator[tuple[str, Member]]:
    """The members under plain names. whole: read to the archive's very end, so that a truncated one is noticed."""
    members = _zip_members if beginning(file, 4).startswith(_ZIP) else _tar_members
    for member in members(file, whole):
        if (name := _plain(member.name, file)) != ".":
            yield name, member


def _zip_members(file: Path, whole: bool) -> Iterator[Member]:
    del whole  # the list of a zip file is at its end
    with zipfile.ZipFile(file) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_file(file, info.filename)
            if info.flag_bits & 1:
                raise DatasetError(f"an archive must open without a password; {file} asks for one: unpack it first")

            def read(size: int, info: zipfile.ZipInfo = info) -> bytes:
                with opened.open(info) as stream:
                    return stream.read(size)

            name = _zip_name(info)
            yield Member(name, name.endswith("/"), info.file_size, read)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The intended name: some programs write UTF-8 without saying so, and \\ between folders."""
    name = info.filename.replace("\\", "/")
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            return name.encode("cp437").decode()
        except UnicodeError:
            return name
    return name


def _tar_members(file: Path, whole: bool) -> Iterator[Member]:
    with _tar(file) as tar:
        for info in tar:
            if not info.isreg() and not info.isdir():
                raise _no_file(file, info.name)

            def read(size: int, info: tarfile.TarInfo = info) -> bytes:
                stream = tar.extractfile(info)
                return stream.read(size) if stream else b""

            yield Member(info.name, info.isdir(), info.size, read)
        if whole:
            _check_end(file, tar)


def _check_end(file: Path, tar: tarfile.TarFile) -> None:
    """Raise DatasetError unless a block of zeros ends the archive, and nothing follows it."""
    stream: Any = tar.fileobj
    if stream.tell() <= tar.offset:
        raise _damaged(file, "it is cut short")
    while rest := stream.read(1 << 20):
        if rest.strip(b"\0"):
            raise DatasetError(
                f"a tar file must end where it says; {file} continues after its end, as two joined files do: split them"
            )


@contextmanager
def _tar(file: Path) -> Iterator[tarfile.TarFile]:
    """An opened tar file; a compressed one as a stream that can only be read forward."""
    unpack = _unpacker(beginning(file, tarfile.BLOCKSIZE))
    names: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}
    if unpack is None:
        with tarfile.open(file, "r:", **names) as tar:
            yield tar
        return
    with unpack(file, "rb") as stream:
        limited: Any = _Limited(stream, file)
        with tarfile.open(fileobj=limited, mode="r|", **names) as tar:
            yield tar


def _unpacker(start: bytes) -> Callable[..., Any] | None:
    """The decompressor for a file that begins with these bytes; None if it is not compressed."""
    return next((unpack for magic, unpack in _UNPACKERS if start.startswith(magic)), None)


class _Limited:
    """The content of a compressed tar file, up to a limit."""

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self._stream, self._file, self._left = stream, file, most_unpacked(file)

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._file)
        return data


def _plain(name: str, file: Path) -> str:
    """A member's name without . and //; raises DatasetError for one that leads out of the archive."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise DatasetError(f"names in an archive must stay inside it, which {name!a} in {file} does not")
    return str(path)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Turns errors of archives into a DatasetError of one line."""
    try:
        yield
    except gzip.BadGzipFile as error:  # whose text holds two checksums
        raise _damaged(file, "its checksum differs") from error
    except _DAMAGES as error:
        raise _damaged(file, one_line(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a compression that Python does not know
        raise DatasetError(
            f"{file} is packed in a way that is not read ({one_line(error)}): unpack it first"
        ) from error


def _damaged(file: Path, reason: str) -> DatasetError:
    kind = kind_of(beginning(file))
    said = f"it is {kind}" if kind else f"{reason}; was its download cut? Download it again"
    return DatasetError(f"{file} must be a whole zip or tar file: {said}")


def _no_file(file: Path, name: str) -> DatasetError:
    return DatasetError(f"an archive must hold files and folders alone; {name!a} in {file} is a link or a device")


def too_large(file: Path) -> DatasetError:
    """The error for an archive that unpacks to more than images do."""
    return DatasetError(
        f"{file} unpacks to more than {MOST_RATIO} times its size, or holds more than {MOST_MEMBERS:,} files: "
        "archives of encoded images do not"
    )
