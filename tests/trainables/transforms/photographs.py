"""Tiles of a photograph for tests of transforms."""

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor


def tiles(n: int = 64) -> Tensor:
    """uint8 (n, 3, 24, 32)."""
    photograph = torch.from_numpy(np.array(load_sample_images().images[0])).permute(2, 0, 1)
    return photograph.unfold(1, 24, 24).unfold(2, 32, 32).permute(1, 2, 0, 3, 4).flatten(0, 1)[:n].contiguous()
