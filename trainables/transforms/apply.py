"""The transforms of a configuration, ready to be applied batch after batch."""

import zlib
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from torch import Tensor

from trainables.transforms import TRANSFORMS
from trainables.transforms.transform import Batch


class Change(Protocol):
    """Changes inputs float32 (N, C, H, W) and labels int64 (N,) of one batch after the other."""

    def __call__(self, inputs: Tensor, labels: Tensor, *, off: bool = False) -> tuple[Tensor, Tensor]:
        """The changed inputs and labels. off: whether this batch is left as it is; labels keep the others' form."""


def transforms(strengths: Mapping[str, float], seed: int, num_classes: int) -> Change:
    """The transforms of these strengths, each with its own random stream.

    seed: of the epoch, or of a part of it; each transform's stream derives from it and the transform's name. If a
    transform mixes images, the returned labels are shares of each class, float32 (N, num_classes), else int64 (N,).
    """
    chosen = [
        (TRANSFORMS[name], strengths[name], np.random.default_rng([seed, zlib.crc32(name.encode())]))
        for name in TRANSFORMS
        if name in strengths
    ]

    mixes = any(transform.mixes for transform, _, _ in chosen)

    def change(inputs: Tensor, labels: Tensor, *, off: bool = False) -> tuple[Tensor, Tensor]:
        batch = Batch(inputs, labels, num_classes)
        if off:
            return inputs, batch.shares() if mixes else labels  # a captured step takes labels of one form
        for transform, strength, stream in chosen:
            batch = transform.apply(batch, strength, stream)
        return batch.inputs, batch.labels

    return change
