"""The transforms of a configuration, ready to be applied batch after batch."""

import zlib
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from architectures.layers import SizeError
from trainables.transforms import TRANSFORMS
from trainables.transforms.transform import Batch

Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def transforms(strengths: Mapping[str, float], seed: int, num_classes: int) -> Change:
    """A function that changes inputs float32 (N, C, H, W) and labels int64 (N,) of one batch after the other.

    seed: of the epoch, or of a part of it; each transform's stream derives from it and the transform's name. The
    returned labels are still int64 (N,), or shares of each class, float32 (N, num_classes).
    """
    chosen = [
        (TRANSFORMS[name], strengths[name], np.random.default_rng([seed, zlib.crc32(name.encode())]))
        for name in TRANSFORMS
        if name in strengths
    ]

    def change(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        batch = Batch(inputs, labels, num_classes)
        for transform, strength, stream in chosen:
            batch = transform.apply(batch, strength, stream)
        return batch.inputs, batch.labels

    return change


def check_fits(strengths: Mapping[str, float], shape: tuple[int, ...]) -> None:
    """Raise SizeError if images of this shape (C, H, W) are too small for a transform."""
    for name, strength in strengths.items():
        if misfit := TRANSFORMS[name].misfit(strength, shape):
            raise SizeError(misfit)
