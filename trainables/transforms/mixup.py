"""Mixup (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform

if TYPE_CHECKING:
    import numpy as np


def mix_up(batch: Batch, alpha: float, stream: np.random.Generator) -> Batch:
    """Mix each image and its label with those of the previous image, which is random as batches are shuffled.

    An image's own share is drawn from Beta(alpha, alpha), separately for each image.
    """
    import torch  # imported late: configurations are read without it

    drawn = stream.beta(alpha, alpha, size=len(batch.inputs)).astype("float32")
    share = torch.from_numpy(drawn).to(batch.inputs.device, non_blocking=True)
    others = batch.inputs.roll(1, 0).contiguous(memory_format=torch.channels_last)
    inputs = torch.lerp(others, batch.inputs, share.view(-1, 1, 1, 1))
    labels = batch.shares()
    return Batch(inputs, torch.lerp(labels.roll(1, 0), labels, share.view(-1, 1)), batch.num_classes)


MIXUP = Transform("mixup", whole=False, most=100.0, apply=mix_up, mixes=True)
