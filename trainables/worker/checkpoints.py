"""Checkpoints as files, each with its checksum at the end. Reading one never runs code that is in it."""

import io
import pickle
import zlib
from typing import Any, Protocol

import torch

from architectures.errors import HpsearchError


class Files(Protocol):
    """Where a run's files are: a `trainables.files.Folder`, or an object that reaches one on another machine."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file so that it is whole or absent, and durable when this returns."""

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError without it, another OSError when the place cannot be reached."""


CRC_BYTES = 4  # of CRC-32, big-endian, after what torch wrote


class CheckpointError(HpsearchError):
    """A checkpoint's file is missing, damaged or not a checkpoint; one line names it."""

    exit_code = 1


def save(folder: Files, name: str, state: dict[str, Any]) -> int:
    """Write a training's state; it is durable when this returns. Returns its size in bytes; raises OSError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.write(zlib.crc32(buffer.getbuffer()).to_bytes(CRC_BYTES, "big"))  # torch does not check its own
    folder.write(name, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def load(folder: Files, name: str) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU.

    Raises CheckpointError for any fault of the file, and OSError if its place cannot be reached. Any other error has
    another cause: memory that ran out, or a fault of this program.
    """
    try:
        data = memoryview(folder.read(name))
    except FileNotFoundError as error:
        raise CheckpointError(f"{name} is missing") from error
    written, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if not written or zlib.crc32(written).to_bytes(CRC_BYTES, "big") != bytes(crc):
        raise CheckpointError(f"{name} does not match its checksum")
    try:
        return torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # it holds more than tensors and plain values
        raise CheckpointError(f"{name} is not a checkpoint of hpsearch") from error
