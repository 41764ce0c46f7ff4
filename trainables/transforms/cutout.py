"""Cutout (DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform

if TYPE_CHECKING:
    import numpy as np


def cut_out(batch: Batch, side: float, stream: np.random.Generator) -> Batch:
    """Make a square of `side` pixels mid-grey in each image.

    Its centre is any pixel, as in the paper, so that the square may lie partly outside the image.
    """
    import torch  # imported late: configurations are read without it

    device, (n, _, height, width) = batch.inputs.device, batch.inputs.shape
    corners = stream.integers((0, 0), (height, width), size=(n, 2)) - int(side) // 2
    top, left = torch.from_numpy(corners).to(device, non_blocking=True).unbind(1)
    y, x = torch.arange(height, device=device) - top.view(-1, 1), torch.arange(width, device=device) - left.view(-1, 1)
    rows, columns = (y >= 0) & (y < side), (x >= 0) & (x < side)
    square = rows.view(n, 1, height, 1) & columns.view(n, 1, 1, width)
    # Not masked_fill, which loses the channels-last layout.
    return Batch(batch.inputs.clone().masked_fill_(square, 0.0), batch.labels, batch.num_classes)


def _misfit(side: float, shape: tuple[int, ...]) -> str | None:
    _, height, width = shape
    if side <= min(height, width):
        return None
    return f"cutout must be at most {min(height, width)} pixels for images of {width}×{height}, got {side}"


CUTOUT = Transform("cutout", whole=True, most=1024, apply=cut_out, misfit=_misfit)
