"""The definition of a transform of a training batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A batch of a training step, on its device."""

    inputs: Tensor
    """float32 (N, C, H, W), in [-1, 1]."""
    labels: Tensor
    """int64 (N,), or shares of each class, float32 (N, num_classes)."""
    num_classes: int
    """How many classes there are."""

    def shares(self) -> Tensor:
        """The labels as shares of each class, float32 (N, num_classes)."""
        if self.labels.dim() == 2:
            return self.labels
        from torch.nn.functional import one_hot

        return one_hot(self.labels, self.num_classes).float()


def any_size(strength: float, shape: tuple[int, ...]) -> str | None:
    """The `misfit` of a transform that takes images of every size."""
    return None


@dataclass(frozen=True)
class Transform:
    """A change of training batches whose strength is one number; 0 turns it off."""

    name: str
    """Its field in a configuration's `training`."""
    whole: bool
    """Whether the strength is a whole number."""
    most: float
    """The largest strength."""
    apply: Callable[[Batch, float, np.random.Generator], Batch]
    """The changed batch, with a draw for each image. It neither changes the given tensors nor waits for the device."""
    misfit: Callable[[float, tuple[int, ...]], str | None] = any_size
    """Why images of a shape (C, H, W) cannot be transformed at a strength, as one line; None when they can."""
    mixes: bool = False
    """Whether images and labels are mixed with those of other images."""
