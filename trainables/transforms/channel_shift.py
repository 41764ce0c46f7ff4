"""Channel shift, as in Keras but with a separate shift for each channel: the tint of an image changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform

if TYPE_CHECKING:
    import numpy as np


def shift_channels(batch: Batch, most: float, stream: np.random.Generator) -> Batch:
    """Shift each channel of each image by up to `most` of the full range, either way; the result is clipped."""
    import torch  # imported late: configurations are read without it

    n, channels, _, _ = batch.inputs.shape
    drawn = (2 * most * (2 * stream.random((channels, n)).T - 1)).astype("float32")  # inputs span 2, from -1 to 1
    shifts = torch.from_numpy(drawn).to(batch.inputs.device, non_blocking=True).view(n, channels, 1, 1)
    return Batch((batch.inputs + shifts).clamp_(-1, 1), batch.labels, batch.num_classes)


def _misfit(most: float, shape: tuple[int, ...]) -> str | None:
    if shape[0] > 1:
        return None
    return "channel_shift changes the colours of images, and these are grey; leave it out, or use jitter"


CHANNEL_SHIFT = Transform("channel_shift", whole=False, most=1.0, apply=shift_channels, misfit=_misfit)
