"""Knowledge distillation: a network learns what trained networks say about its own augmented images.

All of the loss is the cross-entropy with the teachers' mean probabilities for the very images that the student sees, as
in Beyer et al., "Knowledge distillation: A good teacher is patient and consistent" (2022).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Teachers:
    """Trained networks that give soft labels; they no longer change."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        """networks: on the device of the images, in the same memory format, and with the same classes."""
        self._networks = [network.eval().requires_grad_(False) for network in networks]

    def __call__(self, inputs: Tensor) -> Tensor:
        """The mean of their probabilities, float32 (B, num_classes), for inputs (B, C, H, W)."""
        with torch.no_grad():
            found = torch.stack([network(inputs).float().softmax(1) for network in self._networks])
        return found.mean(0)
