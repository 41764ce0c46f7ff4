"""Files through pyarrow's file systems, on a disk or in an object store: whole or absent, never torn.

On a disk a file is written under a temporary name, flushed, and renamed. An object store shows an object when its
upload has ended.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs


@dataclass(frozen=True)
class Folder:
    """Named files in one place, which they may be in subfolders of.

    location: a local path, or a URI of one of pyarrow's file systems such as s3://bucket/path?region=…. Every method
    raises OSError when the place cannot be reached or refuses.
    """

    location: str

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file so that it is whole or absent, and durable when this returns."""
        filesystem, root = self._open()
        path = f"{root}/{name}"
        if not isinstance(filesystem, fs.LocalFileSystem):
            with filesystem.open_output_stream(path) as stream:
                stream.write(data)
            return
        filesystem.create_dir(str(Path(path).parent), recursive=True)
        temporary = f"{path}.{os.getpid()}.tmp"
        try:
            with filesystem.open_output_stream(temporary) as stream:
                stream.write(data)
            sync(Path(temporary))
            filesystem.move(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync(Path(path).parent)

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError when it is not there."""
        filesystem, root = self._open()
        with filesystem.open_input_file(f"{root}/{name}") as file:
            return file.readall()

    def has(self, name: str) -> bool:
        """Whether a file of that name is there."""
        filesystem, root = self._open()
        return filesystem.get_file_info(f"{root}/{name}").type == fs.FileType.File

    def remove(self, name: str) -> None:
        """Delete a file that may be gone already."""
        filesystem, root = self._open()
        with suppress(FileNotFoundError):
            filesystem.delete_file(f"{root}/{name}")

    def names(self) -> list[str]:
        """All files below, by their names relative to this folder, in order; none when there is no such folder."""
        filesystem, root = self._open()
        found = filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
        return sorted(info.path.removeprefix(f"{root}/") for info in found if info.type == fs.FileType.File)

    def below(self, name: str) -> "Folder":
        """The subfolder of that name."""
        if not is_uri(self.location):
            return Folder(f"{self.location}/{name}")
        path, mark, query = self.location.partition("?")
        return Folder(f"{path.rstrip('/')}/{name}{mark}{query}")

    def _open(self) -> tuple[fs.FileSystem, str]:
        with _one_line():
            location = self.location if is_uri(self.location) else Path(self.location).absolute().as_uri()
            filesystem, root = fs.FileSystem.from_uri(location)
        return filesystem, root.rstrip("/")


def is_uri(location: str) -> bool:
    """Whether a location is a URI and not a local path."""
    return "://" in location


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room left, on the disk or in one's quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


@contextmanager
def _one_line() -> Iterator[None]:
    """What pyarrow says of a URI it cannot use, as an OSError."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        raise OSError(" ".join(str(error).split())) from error


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a local file so that it is whole or absent, and on disk when this returns."""
    Folder(str(path.absolute().parent)).write(path.name, data)


def remove(path: Path) -> None:
    """Delete a local file that may be gone already."""
    path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a local file or folder to disk; pyarrow's streams do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
