"""Images where they are trained on: whole on the device, or on the host where the device has no room for them."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.data.images import Images


@dataclass(frozen=True)
class Resident:
    """Pixels uint8 (N, C, H, W) and labels int64 (N,), of which batches come on the labels' device.

    The pixels lie there too, or on the host, from where a batch's are copied while the device works on the last one's.
    """

    pixels: Tensor
    labels: Tensor
    num_classes: int

    @classmethod
    def of(cls, images: Images, device: str, *, room: float | None = None) -> "Resident":
        """Put images on the device; on the CPU the arrays are shared, not copied.

        room: bytes that they may take there; pixels that take more stay on the host.
        """
        with warnings.catch_warnings():
            # Arrays that other processes share are read-only, and nothing here writes to them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
        fits = room is None or pixels.nbytes <= room
        return cls(pixels.to(device) if fits else pixels, labels.to(device), len(images.classes))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Where batches come."""
        return self.labels.device

    def first(self, number: int) -> "Resident":
        """The first images alone."""
        return Resident(self.pixels[:number], self.labels[:number], self.num_classes)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels and labels of the images at these indices, which lie where the pixels do."""
        return self._here(self.pixels[index]), self.labels[self._here(index)]

    def split(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and labels of all images in order, `size` at a time."""
        for pixels, labels in zip(self.pixels.split(size), self.labels.split(size), strict=True):
            yield self._here(pixels), labels

    def _here(self, values: Tensor) -> Tensor:
        if values.device == self.device:
            return values
        return values.pin_memory().to(self.device, non_blocking=True)  # from pinned memory without waiting
