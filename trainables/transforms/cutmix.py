"""CutMix (Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform

if TYPE_CHECKING:
    import numpy as np


def cut_mix(batch: Batch, probability: float, stream: np.random.Generator) -> Batch:
    """Paste a rectangle of the previous image into each chosen image; labels are mixed by area.

    Batches are shuffled, so the previous image is random. The rectangle's share of the image is uniform (the paper's α
    is 1) and its centre any pixel, so that it may lie partly outside. Each image has its own draw.
    """
    import numpy as np  # imported late, with torch: configurations are read without them
    import torch

    device, (n, _, height, width) = batch.inputs.device, batch.inputs.shape
    chosen, share, down, right = stream.random((4, n))
    side = np.sqrt(share) * (chosen < probability)
    half_y, half_x = (height * side / 2).astype(int), (width * side / 2).astype(int)
    y, x = (down * height).astype(int), (right * width).astype(int)
    edges = np.stack(
        [
            (y - half_y).clip(0, height),
            (y + half_y).clip(0, height),
            (x - half_x).clip(0, width),
            (x + half_x).clip(0, width),
        ]
    )
    kept = 1 - (edges[1] - edges[0]) * (edges[3] - edges[2]) / (height * width)
    top, bottom, left, end = torch.from_numpy(edges).to(device, non_blocking=True).unsqueeze(2).unbind(0)
    own = torch.from_numpy(kept.astype("float32")).to(device, non_blocking=True).view(-1, 1)
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    pasted = ((rows >= top) & (rows < bottom)).view(n, 1, height, 1) & ((columns >= left) & (columns < end)).view(
        n, 1, 1, width
    )
    inputs = torch.where(pasted, batch.inputs.roll(1, 0), batch.inputs).contiguous(memory_format=torch.channels_last)
    labels = batch.shares()
    return Batch(inputs, torch.lerp(labels.roll(1, 0), labels, own), batch.num_classes)


CUTMIX = Transform("cutmix", whole=False, most=1.0, apply=cut_mix, mixes=True)
