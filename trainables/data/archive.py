"""Zip and tar files as folders: listed and read where they lie, and never unpacked to disk."""

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from architectures.errors import one_line
from trainables.data.contents import beginning, kind_of
from trainables.data.decode import SUFFIXES
from trainables.data.images import DatasetError

MOST_MEMBERS = 10_000_000
MOST_MEMBER = 1 << 28  # bytes of one encoded image, or of one file of labels
# Encoded images hardly get smaller in an archive. One that unpacks to more than both of these holds something else.
MOST_UNPACKED = 1 << 30  # bytes
MOST_RATIO = 100  # times the file's size
#: What archives are called; what one is, its content says.
ARCHIVE_SUFFIXES = (".zip", ".npz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
START_BYTES = 32  # of a file whose name does not say that it is an image

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
    """Whether a file is a zip or tar file, told by its content; a damaged one is one too."""
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
    except (EOFError, zlib.error, lzma.LZMAError, OSError):  # of what is packed
        return True
    return True


def open_archive(file: Path) -> "Archive":
    """The archive, listed once as long as its file does not change."""
    found = file.stat()
    return _listed(file, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _listed(file: Path, size: int, changed: int) -> "Archive":
    del size, changed
    return Archive(file)


class Archive:
    """A zip or tar file, listed when it is opened.

    Raises DatasetError for one that is damaged or locked, that unpacks to far more than images do, and that holds
    links, devices, names that lead out of it, or a name twice.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.state = file.stat()
        #: The names of all files, in the archive's order, each with its start if it is not called an image.
        self.files: dict[str, bytes] = {}
        self._inside: dict[str, dict[str, None]] = {"": {}}
        total, most = 0, most_unpacked(file)
        with _named(file):
            for name, member in self._members(whole=True):
                total += member.size
                if total > most or len(self.files) > MOST_MEMBERS:
                    raise _too_large(file)
                self._enter(name, is_folder=member.is_folder)
                if not member.is_folder:
                    is_called_image = PurePosixPath(name).suffix.lower() in SUFFIXES
                    self.files[name] = b"" if is_called_image else member.read(START_BYTES)

    @property
    def root(self) -> "Packed":
        """The archive as a folder."""
        return Packed(self, "")

    def inside(self, folder: str) -> dict[str, None] | None:
        """The names of what lies in a folder; None if there is no such folder."""
        return self._inside.get(folder)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of the given files, in the archive's order.

        Raises DatasetError if a file is larger than images are, or the archive has changed since it was listed.
        """
        left = len(names)
        with _named(self.file):
            for name, member in self._members():
                if name not in names:
                    continue
                if member.size > MOST_MEMBER:
                    raise DatasetError(
                        f"a dataset's files have at most {MOST_MEMBER >> 20} MiB; {self.file}/{name} has more"
                    )
                yield name, member.read(MOST_MEMBER + 1)
                left -= 1
                if not left:
                    return
        raise DatasetError(f"{self.file} has changed while it was read: start again")

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A file of a zip as a stream, whatever its size."""
        with _named(self.file), zipfile.ZipFile(self.file) as opened, opened.open(name) as stream:
            yield stream

    def _enter(self, name: str, *, is_folder: bool) -> None:
        """Note a name in its folder, and the folders that it lies in."""
        taken = name in self.files or (name in self._inside and not is_folder)
        parent, _, last = name.rpartition("/")
        if taken or any(str(each) in self.files for each in PurePosixPath(name).parents):
            raise DatasetError(f"an archive must hold every name once; {self.file} holds {name!a} more than once")
        if is_folder:
            self._inside.setdefault(name, {})
        while last and last not in self._inside.setdefault(parent, {}):
            self._inside[parent][last] = None
            parent, _, last = parent.rpartition("/")

    def _members(self, *, whole: bool = False) -> "Iterator[tuple[str, _Member]]":
        """The members under plain names. whole: to the archive's very end, so that a cut one is noticed."""
        members = _zip_members if beginning(self.file, 4).startswith(_ZIP) else _tar_members
        for member in members(self.file, whole):
            if (name := _plain(member.name, self.file)) != ".":
                yield name, member


@dataclass(frozen=True)
class Packed:
    """A file or folder in an archive, with what a walk asks of a `pathlib.Path` and of an `os.DirEntry`."""

    archive: Archive
    """The archive."""
    inside: str
    """Names of folders and of the file itself with / between them; the archive's own folder is ''."""

    @property
    def name(self) -> str:
        """The last of the names."""
        return PurePosixPath(self.inside).name or self.archive.file.name

    @property
    def suffix(self) -> str:
        """What the name ends with, from its last point."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Packed":
        """The folder that it lies in."""
        return Packed(self.archive, self.inside.rpartition("/")[0])

    def __truediv__(self, name: str) -> "Packed":
        return Packed(self.archive, f"{self.inside}/{name}" if self.inside else name)

    def __str__(self) -> str:
        return f"{self.archive.file}/{self.inside}" if self.inside else str(self.archive.file)

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.archive.inside(self.inside) is not None

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.inside in self.archive.files

    def is_symlink(self) -> bool:
        """Never: an archive with links is refused."""
        return False

    def exists(self) -> bool:
        """Whether the archive holds it."""
        return self.is_dir() or self.is_file()

    def children(self) -> list["Packed"]:
        """What lies in a folder."""
        return [self / name for name in self.archive.inside(self.inside) or ()]

    def start(self) -> bytes:
        """The first bytes of a file whose name does not say that it is an image."""
        return self.archive.files[self.inside]

    def read_bytes(self) -> bytes:
        """All of a file."""
        return next(self.archive.read([self.inside]))[1]


#: A file or folder on disk or in an archive.
Place = Path | Packed


@dataclass(frozen=True)
class _Member:
    """A file or folder as an archive lists it."""

    name: str
    """As it stands there."""
    is_folder: bool
    """Whether it is a folder."""
    size: int
    """Bytes when unpacked."""
    read: Callable[[int], bytes]
    """At most so many of its first bytes; while it is the one that was listed last."""


def _zip_members(file: Path, whole: bool) -> Iterator[_Member]:
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
            yield _Member(name, name.endswith("/"), info.file_size, read)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A name as it was meant: some programs write UTF-8 without saying so, and \\ between folders."""
    name = info.filename.replace("\\", "/")
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            return name.encode("cp437").decode()
        except UnicodeError:
            return name
    return name


def _tar_members(file: Path, whole: bool) -> Iterator[_Member]:
    with _tar(file) as tar:
        for info in tar:
            if not info.isreg() and not info.isdir():
                raise _no_file(file, info.name)

            def read(size: int, info: tarfile.TarInfo = info) -> bytes:
                stream = tar.extractfile(info)
                return stream.read(size) if stream else b""

            yield _Member(info.name, info.isdir(), info.size, read)
        if whole:
            _check_end(file, tar)


def _check_end(file: Path, tar: tarfile.TarFile) -> None:
    """Raise DatasetError unless a block of zeros ends the archive, and nothing follows them."""
    stream: Any = tar.fileobj
    if stream.tell() <= tar.offset:
        raise _damaged(file, "it ends before its end")
    while rest := stream.read(1 << 20):
        if rest.strip(b"\0"):
            raise DatasetError(
                f"a tar file must end where it says; {file} goes on, as two that were joined do: split them"
            )


@contextmanager
def _tar(file: Path) -> Iterator[tarfile.TarFile]:
    """An opened tar file; a packed one as a stream, in which one can only go forward."""
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
    """What unpacks a file that begins so; None for one that is not packed."""
    return next((unpack for magic, unpack in _UNPACKERS if start.startswith(magic)), None)


class _Limited:
    """What a packed tar file unpacks to, up to a limit."""

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self._stream, self._file, self._left = stream, file, most_unpacked(file)

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._file)
        return data


def _plain(name: str, file: Path) -> str:
    """A member's name without . and //; raises DatasetError for one that leads out of the archive."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise DatasetError(f"names in an archive must stay inside it, which {name!a} in {file} does not")
    return str(path)


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Errors of archives as one line."""
    try:
        yield
    except gzip.BadGzipFile as error:  # whose text holds two checksums
        raise _damaged(file, "its checksum is another one") from error
    except _DAMAGES as error:
        raise _damaged(file, one_line(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a way of packing that Python does not know
        raise DatasetError(
            f"{file} is packed in a way that is not read ({one_line(error)}): unpack it first"
        ) from error


def _damaged(file: Path, reason: str) -> DatasetError:
    kind = kind_of(beginning(file))
    said = f"it is {kind}" if kind else f"{reason}; was its download cut? Download it again"
    return DatasetError(f"{file} must be a whole zip or tar file: {said}")


def _no_file(file: Path, name: str) -> DatasetError:
    return DatasetError(f"an archive must hold files and folders alone; {name!a} in {file} is a link or a device")


def _too_large(file: Path) -> DatasetError:
    return DatasetError(
        f"{file} unpacks to more than {MOST_RATIO} times its size, or holds more than {MOST_MEMBERS:,} files: "
        "archives of encoded images do not"
    )
