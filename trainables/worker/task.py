"""What a worker is asked to do; used by the driver and the worker, and independent of Ray."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run for a worker, as plain values, because it is sent through Tune."""

    trial: int
    """The trial's number."""
    repeat: int
    """0 in a search; from 1 in a retrain or for a finalist's fold."""
    attempt: int
    """The number of this attempt at the run, from 1."""
    config: Mapping[str, Any]
    """The configuration, as `Config.to_json` writes it."""
    seed: int
    """The training's seed."""
    resume_from: str | None = None
    """The name of the checkpoint to continue from."""
    weights: bool = False
    """Whether the trained network is kept, as a retrain's is."""
    fold: tuple[int, int, int] | None = None
    """The fold of the images that is left out of training and validated on: its number from 1, how many there are, and
    the seed by which images are dealt to them. The predictions for it are kept. None to train on all images."""
    teachers: tuple[str, ...] = ()
    """What the names of the files begin with of each network whose answers are learnt instead of the labels."""
    deadline: float | None = None
    """Unix seconds after which the end of a segment writes a checkpoint."""
    micro_batch: int | None = None
    """Images whose gradients are computed at a time; None for all of a batch."""
    calibrate: tuple[Mapping[str, Any], ...] = ()
    """Configurations whose speed is measured first."""
    judged_by: str = "val_accuracy"
    """The field of a measurement that early stopping uses."""
    marks: tuple[float, ...] = ()
    """Epochs at which a segment ends, besides the end of every epoch."""
    pauses: bool = False
    """Whether the run may pause at a mark; a checkpoint is then written at each."""

    @property
    def prefix(self) -> str:
        """What the names of this attempt's files begin with, so that no attempt can write into another's."""
        return f"{self.trial}-{self.repeat}-{self.attempt}"
