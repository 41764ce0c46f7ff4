"""Checkpoints on disk. Nothing is unpickled that could run code."""

import io
from pathlib import Path
from typing import Any

import torch
from pyarrow import fs

from trainables import files


def save(path: Path, state: dict[str, Any]) -> int:
    """Write a training's state; durable when this returns. Returns its size in bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    files.write(path, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU; raises OSError when it is not there."""
    filesystem, inner = fs.FileSystem.from_uri(path.absolute().as_uri())
    with filesystem.open_input_file(inner) as file:
        return torch.load(io.BytesIO(file.readall()), map_location="cpu", weights_only=True)
