"""Checkpoints as files, each with its checksum at the end. Nothing is unpickled that could run code."""

import io
import pickle
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


_PARTS = {"images": int, "model": dict, "optimizer": dict}


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
    try:
        state = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:  # its checksum is right, and it was not written by `save`
        raise CheckpointError(f"{name} holds no tensors and plain values alone") from error
    if not isinstance(state, dict) or not all(isinstance(state.get(part), kind) for part, kind in _PARTS.items()):
        raise CheckpointError(f"{name} does not hold the state of a training")
    return state
