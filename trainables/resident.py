"""Images for training: whole on the device, or on the host when the device has no room for them."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainables.data.images import Images

# Of the GPU memory that a process may use, at most, for training images, and again for those to validate or test on.
IMAGES_SHARE = 0.25


@dataclass(frozen=True)
class Resident:
    """Images that give batches on one device, that of the labels."""

    pixels: Tensor
    """uint8 (N, C, H, W), on that device or on the host. A batch is copied while the device trains on the last one."""

    labels: Tensor
    """int64 (N,)."""

    num_classes: int
    """The number of classes; labels are below it."""

    @classmethod
    def of(cls, images: Images, device: str, *, room: float | None = None) -> "Resident":
        """Put images on the device; on the CPU the arrays are shared, not copied.

        room: most bytes that the pixels may take there, otherwise they stay on the host; None for no limit.
        """
        with warnings.catch_warnings():
            # Arrays that are shared with other processes are read-only; nothing here writes to them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
        fits = room is None or pixels.nbytes <= room
        return cls(pixels.to(device) if fits else pixels, labels.to(device), len(images.classes))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """The device of the batches."""
        return self.labels.device

    def first(self, number: int) -> "Resident":
        """The first `number` images."""
        return Resident(self.pixels[:number], self.labels[:number], self.num_classes)

    def part(self, index: np.ndarray) -> "Resident":
        """A copy of the images at these indices, in that order."""
        chosen = torch.from_numpy(index)
        pixels = self.pixels[chosen.to(self.pixels.device)]
        return Resident(pixels, self.labels[chosen.to(self.device)], self.num_classes)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels and labels of the images at these indices, which are on the pixels' device."""
        return self._here(self.pixels[index]), self.labels[self._here(index)]

    def split(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and labels of all images in order, `size` at a time."""
        for pixels, labels in zip(self.pixels.split(size), self.labels.split(size), strict=True):
            yield self._here(pixels), labels

    def _here(self, values: Tensor) -> Tensor:
        if values.device == self.device:
            return values
        return values.pin_memory().to(self.device, non_blocking=True)  # from pinned memory without waiting
