"""Files on disk, through pyarrow's file systems: whole or absent, never torn.

A file is written under a temporary name, flushed to disk, and renamed.
"""

import os
from pathlib import Path

from pyarrow import fs


def remove(path: Path) -> None:
    """Delete a file that may be gone already."""
    path.unlink(missing_ok=True)


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that it is whole or absent, and on disk when this returns."""
    filesystem, inner = fs.FileSystem.from_uri(path.absolute().as_uri())
    filesystem.create_dir(str(Path(inner).parent), recursive=True)
    temporary = f"{inner}.{os.getpid()}.tmp"
    try:
        with filesystem.open_output_stream(temporary) as stream:
            stream.write(data)
        sync(Path(temporary))
        filesystem.move(temporary, inner)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a local file or folder to disk; pyarrow's streams do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
