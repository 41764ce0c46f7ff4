"""Checkpoints and weights on disk, through pyarrow's file systems; whole or absent, never torn.

A file is written under a temporary name, flushed to disk, and renamed. Nothing is unpickled that could run code.
"""

import io
import os
from pathlib import Path
from typing import Any

import torch
from pyarrow import fs


def save(path: Path, state: dict[str, Any]) -> int:
    """Write a training's state; durable when this returns. Returns its size in bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write(path, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU; raises OSError when it is not there."""
    filesystem, inner = fs.FileSystem.from_uri(path.absolute().as_uri())
    with filesystem.open_input_file(inner) as file:
        return torch.load(io.BytesIO(file.readall()), map_location="cpu", weights_only=True)


def remove(path: Path) -> None:
    """Delete a checkpoint that may be gone already."""
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
