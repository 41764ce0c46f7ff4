"""Files on a disk or in an object store, through pyarrow's file systems: each is whole or absent, never partial.

On a disk a file is written under a temporary name, flushed and renamed. An object store shows an object only after its
upload has ended. pyarrow is imported late: reading a search on a disk does not need it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from architectures.errors import one_line

if TYPE_CHECKING:
    from pyarrow import fs

NETWORK_FILES = WEIGHTS, SETTINGS = "model.safetensors", "config.json"  # of a trained network
SCHEMES = ("s3", "gs", "abfs", "hdfs", "file")
_S3_OPTIONS = ("region", "scheme", "endpoint_override")

# Without these limits every operation on an unreachable store takes minutes.
_CONNECT_SECONDS = 3
SILENT_SECONDS = 5
_ATTEMPTS = 2
_GCS_RETRY_SECONDS = 5


@dataclass(frozen=True)
class Folder:
    """Files in one place, by their names; a name may begin with subfolders.

    Every method raises OSError if the place refuses or cannot be reached; for S3 and Google's store within half a
    minute.
    """

    location: str
    """A local path, or a URI of one of pyarrow's file systems such as
    s3://bucket/path?endpoint_override=host:port&scheme=http&region=…"""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file so that it is whole or absent, and durable when this returns."""
        filesystem, root = self._open()
        path = f"{root}/{name}"
        if filesystem.type_name != "local":
            with filesystem.open_output_stream(path) as stream:
                stream.write(data)
            return
        filesystem.create_dir(str(Path(path).parent), recursive=True)
        temporary = f"{path}.{token_hex(4)}.tmp"  # in a shared folder, process ids are not unique
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
        """A file's bytes; raises FileNotFoundError without it."""
        filesystem, root = self._open()
        with filesystem.open_input_file(f"{root}/{name}") as file:
            return file.readall()

    def has(self, name: str) -> bool:
        """Whether a file of that name exists."""
        filesystem, root = self._open()
        return bool(filesystem.get_file_info(f"{root}/{name}").is_file)

    def remove(self, name: str) -> None:
        """Delete a file; does nothing when it does not exist."""
        filesystem, root = self._open()
        with suppress(FileNotFoundError):
            filesystem.delete_file(f"{root}/{name}")

    def names(self, below: str = "") -> list[str]:
        """The sorted paths from here of all files here or in a subfolder; empty if the folder does not exist."""
        from pyarrow import fs

        filesystem, root = self._open()
        start = f"{root}/{below}" if below else root
        found = filesystem.get_file_info(fs.FileSelector(start, allow_not_found=True, recursive=True))
        return sorted(info.path.removeprefix(f"{root}/") for info in found if info.is_file)

    def folders(self) -> list[str]:
        """The sorted names of the subfolders directly here; empty if the folder does not exist."""
        from pyarrow import fs

        filesystem, root = self._open()
        try:
            found = filesystem.get_file_info(fs.FileSelector(root))
        except FileNotFoundError:
            return []
        return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)

    def below(self, name: str) -> Folder:
        """The subfolder of that name."""
        if not is_uri(self.location):
            return Folder(f"{self.location}/{name}")
        scheme, _, rest = self.location.partition("://")
        path, mark, query = rest.partition("?")
        return Folder(f"{scheme}://{path.rstrip('/')}/{name}{mark}{query}")

    def _open(self) -> tuple[fs.FileSystem, str]:
        from pyarrow import fs

        if is_uri(self.location):
            return _file_system(self.location)
        path = str(Path(self.location).absolute()).rstrip("/")
        if not is_utf_8(path):  # pyarrow takes no other path
            raise OSError(errno.EILSEQ, "files are kept only where the path is in UTF-8", path)
        return fs.LocalFileSystem(), path


@dataclass(frozen=True)
class SharedFolder(Folder):
    """A folder that several machines reach, such as a mounted one.

    Where it is not mounted every file would be missing, and written ones would lie where no other machine looks. So
    that is an OSError, and no FileNotFoundError.
    """

    home: Folder
    """What is mounted, or a folder in it."""
    sign: str
    """The name in `home` of a file that is always there."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """As `Folder.write`, where the folder is reached."""
        self._check()
        super().write(name, data)

    def read(self, name: str) -> bytes:
        """As `Folder.read`, where the folder is reached."""
        try:
            return super().read(name)
        except FileNotFoundError:
            self._check()
            raise

    def has(self, name: str) -> bool:
        """As `Folder.has`, where the folder is reached."""
        if super().has(name):
            return True
        self._check()
        return False

    def _check(self) -> None:
        if not self.home.has(self.sign):
            raise OSError(
                f"{shown(self.home.location)} on {os.uname().nodename} is not the folder that the machines share: "
                f"{self.sign} is missing there"
            )


@lru_cache(maxsize=64)  # one client for each place, as a client keeps its connections
def _file_system(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI and the path in it; raises OSError with the rule that the URI breaks."""
    from pyarrow import fs

    with _one_line():
        parts = urlsplit(uri)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise OSError(f"a location is a path or begins with one of {known}; got '{parts.scheme}://'")
    if parts.scheme == "s3":
        return _s3(parts)
    if ":" in parts.netloc.rpartition("@")[0]:
        raise OSError("a location holds no password, since it is written into records")
    if parts.scheme == "gs" and "retry_limit_seconds" not in parts.query:
        uri += f"{'&' if parts.query else '?'}retry_limit_seconds={_GCS_RETRY_SECONDS}"
    with _one_line():
        filesystem, root = fs.FileSystem.from_uri(uri)
    return filesystem, root.rstrip("/")


def _s3(parts: SplitResult) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    # from_uri has no option that limits the time.
    if ":" in parts.netloc or "@" in parts.netloc:
        raise OSError(
            "a location holds no keys, since it is written into records; S3 keys come from AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or from ~/.aws/credentials"
        )
    if not parts.netloc:
        raise OSError("it names no bucket; right would be s3://bucket/path")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := [name for name in options if name not in _S3_OPTIONS]:
        raise OSError(f"the options of s3:// are {', '.join(_S3_OPTIONS)}; got '{unknown[0]}'")
    with _one_line():
        if "region" not in options:
            # Stores at an endpoint take any region; without one the SDK would ask several services for it.
            options["region"] = "us-east-1" if "endpoint_override" in options else fs.resolve_s3_region(parts.netloc)
        filesystem = fs.S3FileSystem(
            **options,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=SILENT_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
            allow_delayed_open=True,  # a small file takes one request
        )
    return filesystem, f"{parts.netloc}{unquote(parts.path)}".rstrip("/")


def is_uri(location: str) -> bool:
    """Whether a location is a URI and not a local path."""
    return "://" in location


def shown(location: str) -> str:
    """A location as it is printed: without its options, and without keys that are in it by mistake."""
    if not is_uri(location):
        return location
    scheme, _, rest = location.partition("?")[0].partition("://")
    host = rest.partition("/")[0]
    return f"{scheme}://{'…' if ':' in host or '@' in host else rest}"


def is_utf_8(path: str) -> bool:
    """Whether the bytes of a path's names are UTF-8."""
    return path.encode(errors="replace").decode() == path


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk or the user's quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


@contextmanager
def _one_line() -> Iterator[None]:
    """Turns pyarrow's errors for a URI that it cannot use into an OSError of one line."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        raise OSError(one_line(error)) from error


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a local file so that it is whole or absent, and on disk when this returns."""
    Folder(str(path.absolute().parent)).write(path.name, data)


def remove(path: Path) -> None:
    """Delete a local file; does nothing when it does not exist."""
    path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a local file or folder to disk; pyarrow's streams do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
