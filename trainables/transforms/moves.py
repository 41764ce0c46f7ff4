"""Vertical flip, shear and zoom, drawn for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform
from trainables.transforms.warp import warp

if TYPE_CHECKING:
    import numpy as np


def flip_vertically(batch: Batch, probability: float, stream: np.random.Generator) -> Batch:
    """Turn each chosen image upside down."""
    import torch  # imported late: configurations are read without it

    chosen = torch.from_numpy(stream.random(len(batch.inputs)) < probability)
    chosen = chosen.to(batch.inputs.device, non_blocking=True).view(-1, 1, 1, 1)
    inputs = torch.where(chosen, batch.inputs.flip(2), batch.inputs).contiguous(memory_format=torch.channels_last)
    return Batch(inputs, batch.labels, batch.num_classes)


def shear(batch: Batch, most: float, stream: np.random.Generator) -> Batch:
    """Shift each row by up to `most` columns per row of distance from the middle, either way."""
    import numpy as np

    maps = np.tile(np.eye(2, 3), (len(batch.inputs), 1, 1))
    maps[:, 0, 1] = most * (2 * stream.random(len(maps)) - 1)
    return Batch(warp(batch.inputs, maps), batch.labels, batch.num_classes)


def zoom(batch: Batch, most: float, stream: np.random.Generator) -> Batch:
    """Make each image larger or smaller by a factor within 1 ± `most`; what is beyond its border is black."""
    import numpy as np

    factors = 1 + most * (2 * stream.random(len(batch.inputs)) - 1)
    maps = np.eye(2, 3) / factors.reshape(-1, 1, 1)
    return Batch(warp(batch.inputs, maps), batch.labels, batch.num_classes)


VERTICAL_FLIP = Transform("vertical_flip", whole=False, most=1.0, apply=flip_vertically)
SHEAR = Transform("shear", whole=False, most=1.0, apply=shear)
ZOOM = Transform("zoom", whole=False, most=0.9, apply=zoom)
