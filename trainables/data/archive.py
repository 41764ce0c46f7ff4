"""Zip and tar files as folders: listed and read in place, and never unpacked to disk."""

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from trainables.data.decode import SUFFIXES
from trainables.data.images import DatasetError
from trainables.data.members import MOST_MEMBERS, members_of, most_unpacked, naming, too_large

MOST_MEMBER = 1 << 28  # bytes of one encoded image, or of one file of labels
#: Suffixes of archives; the content decides whether a file is one.
ARCHIVE_SUFFIXES = (".zip", ".npz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
START_BYTES = 32  # kept of each file without an image's suffix


def open_archive(file: Path) -> "Archive":
    """The archive, which is listed again only if its file changes."""
    found = file.stat()
    return _listed(file, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _listed(file: Path, size: int, changed: int) -> "Archive":
    del size, changed
    return Archive(file)


class Archive:
    """A zip or tar file, listed when it is opened.

    Raises DatasetError if it is damaged or locked, unpacks to far more than images do, or holds links, devices, names
    that lead out of it, or a name twice.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.state = file.stat()
        #: The names of all files, in the archive's order, each with its first bytes if it has no image's suffix.
        self.files: dict[str, bytes] = {}
        self._inside: dict[str, dict[str, None]] = {"": {}}
        total, most = 0, most_unpacked(file)
        with naming(file):
            for name, member in members_of(file, whole=True):
                total += member.size
                if total > most or len(self.files) > MOST_MEMBERS:
                    raise too_large(file)
                self._enter(name, is_folder=member.is_folder)
                if not member.is_folder:
                    is_called_image = PurePosixPath(name).suffix.lower() in SUFFIXES
                    self.files[name] = b"" if is_called_image else member.read(START_BYTES)

    @property
    def root(self) -> "Packed":
        """The archive as a folder."""
        return Packed(self, "")

    def inside(self, folder: str) -> dict[str, None] | None:
        """The names in a folder; None if there is no such folder."""
        return self._inside.get(folder)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of the given files, in the archive's order.

        Raises DatasetError if a file is larger than images are, or the archive has changed since it was listed.
        """
        left = len(names)
        with naming(self.file):
            for name, member in members_of(self.file):
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
        with naming(self.file), zipfile.ZipFile(self.file) as opened, opened.open(name) as stream:
            yield stream

    def _enter(self, name: str, *, is_folder: bool) -> None:
        """Add a name to its folder, and the folders that contain it."""
        taken = name in self.files or (name in self._inside and not is_folder)
        parent, _, last = name.rpartition("/")
        if taken or any(str(each) in self.files for each in PurePosixPath(name).parents):
            raise DatasetError(f"an archive must hold every name once; {self.file} holds {name!a} more than once")
        if is_folder:
            self._inside.setdefault(name, {})
        while last and last not in self._inside.setdefault(parent, {}):
            self._inside[parent][last] = None
            parent, _, last = parent.rpartition("/")


@dataclass(frozen=True)
class Packed:
    """A file or folder in an archive, with the methods of `pathlib.Path` and `os.DirEntry` that a walk uses."""

    archive: Archive
    """The archive."""
    inside: str
    """Its path in the archive, with / between the names; '' for the archive's own folder."""

    @property
    def name(self) -> str:
        """The last of the names."""
        return PurePosixPath(self.inside).name or self.archive.file.name

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Packed":
        """The folder that contains it."""
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
        """The files and folders in a folder."""
        return [self / name for name in self.archive.inside(self.inside) or ()]

    def start(self) -> bytes:
        """The first bytes of a file that has no image's suffix."""
        return self.archive.files[self.inside]

    def read_bytes(self) -> bytes:
        """The content of a file."""
        return next(self.archive.read([self.inside]))[1]


#: A file or folder on disk or in an archive.
Place = Path | Packed
