"""Images seen through an affine map of their pixels, a batch at a time; not a transform itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

BLACK = -1.0  # of inputs, which lie in [-1, 1]


def warp(inputs: Tensor, maps: np.ndarray) -> Tensor:
    """The images (N, C, H, W) with each pixel taken from where its map sends it: the nearest pixel, black outside.

    maps (N, 2, 3): rows (a, b, c) and (d, e, f), which send the pixel x columns and y rows from the image's centre to
    a·x + b·y + c columns and d·x + e·y + f rows from it.
    """
    import torch  # imported late: configurations are read without it

    n, channels, height, width = inputs.shape
    device = inputs.device
    (a, b, c), (d, e, f) = (
        row.unbind(1) for row in torch.from_numpy(maps.astype("float32")).to(device, non_blocking=True).unbind(1)
    )
    y = torch.arange(height, dtype=torch.float32, device=device).sub_((height - 1) / 2).view(1, height, 1)
    x = torch.arange(width, dtype=torch.float32, device=device).sub_((width - 1) / 2).view(1, 1, width)
    a, b, c, d, e, f = (value.view(n, 1, 1) for value in (a, b, c, d, e, f))
    from_x = (a * x + (b * y + (c + (width - 1) / 2))).round_()
    from_y = (d * x + (e * y + (f + (height - 1) / 2))).round_()
    column, row = from_x.clamp(0, width - 1), from_y.clamp(0, height - 1)
    inside = ((column == from_x) & (row == from_y)).view(n, height * width, 1)
    first = torch.arange(n, device=device).mul_(height * width).view(n, 1, 1)
    pixel = (row * width + column).long().add_(first).flatten()
    # Pixels are rows of their channels, as they lie in memory.
    rows = inputs.permute(0, 2, 3, 1).reshape(n * height * width, channels)
    moved = torch.where(inside, rows[pixel].view(n, height * width, channels), BLACK)
    return moved.view(n, height, width, channels).permute(0, 3, 1, 2)
