"""Checkpoints as files, each with its checksum at the end. Nothing is unpickled that could run code."""

import io
import zlib
from typing import Any, Protocol

import torch

from architectures.errors import HpsearchError


class Files(Protocol):
    """Where a run's files lie: a `trainables.files.Folder`, or something on another machine that stands for one."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Whole or absent, and durable when this returns."""

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""


CRC_BYTES = 4


class CheckpointError(HpsearchError):
    """A checkpoint that is not what was written."""


def save(folder: Files, name: str, state: dict[str, Any]) -> int:
    """Write a training's state; durable when this returns. Returns its size in bytes; raises OSError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.write(zlib.crc32(buffer.getbuffer()).to_bytes(CRC_BYTES, "big"))  # torch looks at no checksum
    folder.write(name, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def load(folder: Files, name: str) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU; raises OSError without it, CheckpointError when it is damaged."""
    data = memoryview(folder.read(name))
    written, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if zlib.crc32(written).to_bytes(CRC_BYTES, "big") != bytes(crc):
        raise CheckpointError(f"{name} does not match its checksum")
    return torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
