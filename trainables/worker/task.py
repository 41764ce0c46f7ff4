"""What a worker is asked to do; known to the driver, to the worker and to nothing of Ray."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One run for a worker: plain values, as it travels through Tune.

    trial, repeat, attempt: who. config, seed: what. resume_from: the name of a checkpoint, or None. weights: whether
    the trained network is kept, as of a retrain. deadline: Unix seconds after which an epoch's end writes a
    checkpoint, or None. micro_batch: images whose gradients are computed at a time, or None for a batch's. calibrate:
    configurations whose speed is measured first.
    """

    trial: int
    repeat: int
    attempt: int
    config: Mapping[str, Any]
    seed: int
    resume_from: str | None
    weights: bool = False
    deadline: float | None = None
    micro_batch: int | None = None
    calibrate: tuple[Mapping[str, Any], ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of this attempt's files begin with, so that no attempt can write into another's."""
        return f"{self.trial}-{self.repeat}-{self.attempt}"
