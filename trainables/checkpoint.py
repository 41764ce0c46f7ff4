"""Checkpoints as files. Nothing is unpickled that could run code."""

import io
from typing import Any, Protocol

import torch


class Files(Protocol):
    """Where a run's files lie: a `trainables.files.Folder`, or something on another machine that stands for one."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Whole or absent, and durable when this returns."""

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""


def save(folder: Files, name: str, state: dict[str, Any]) -> int:
    """Write a training's state; durable when this returns. Returns its size in bytes; raises OSError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    folder.write(name, buffer.getbuffer())
    return buffer.getbuffer().nbytes


def load(folder: Files, name: str) -> dict[str, Any]:
    """The state that `save` wrote, on the CPU; raises OSError when it is not there."""
    return torch.load(io.BytesIO(folder.read(name)), map_location="cpu", weights_only=True)
