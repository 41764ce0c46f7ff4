"""What a worker is asked to do; known to the driver, to the worker and to nothing of Ray."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One run for a worker: plain values, as it travels through Tune.

    trial, repeat, attempt: who. config, seed: what. resume_from: a checkpoint's path, or None. checkpoints: the path
    prefix for its own. weights: the folder for the trained network, or None in a search. deadline: Unix seconds
    after which an epoch's end writes a checkpoint, or None. calibrate: configurations whose speed is measured first.
    """

    trial: int
    repeat: int
    attempt: int
    config: Mapping[str, Any]
    seed: int
    resume_from: str | None
    checkpoints: str
    weights: str | None = None
    deadline: float | None = None
    calibrate: tuple[Mapping[str, Any], ...] = ()
