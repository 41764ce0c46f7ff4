"""Labelled images as arrays."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from architectures.errors import HpsearchError


class DatasetError(HpsearchError):
    """A dataset cannot be used as asked; one line with the rule, the value and what would be right."""


# A dataclass would compare arrays, which have no single truth value.
@dataclass(frozen=True, eq=False)
class Images:
    """Images with labels. Arrays that come from the cache are mapped from a file and cannot be written to."""

    pixels: np.ndarray
    """uint8 (N, C, H, W)."""
    labels: np.ndarray
    """int64 (N,), numbers of classes."""
    classes: tuple[str, ...]
    """The classes' names by number."""
    bits: int | None = None
    """How many bits images with 16 bits of grey used from black to white; None for all other images."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image: (C, H, W)."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def take(self, indices: np.ndarray) -> "Images":
        """A copy of the images at `indices`, in that order, with the same classes."""
        return Images(self.pixels[indices], self.labels[indices], self.classes, self.bits)

    def and_also(self, others: "Images") -> "Images":
        """A copy of these images followed by others of the same classes and shape."""
        pixels = np.concatenate((self.pixels, others.pixels))
        return Images(pixels, np.concatenate((self.labels, others.labels)), self.classes)


def fingerprint(images: Images) -> str:
    """16 hex digits that depend on every pixel, label and class name, and on the shape."""
    digest = hashlib.blake2b(json.dumps([images.pixels.shape, images.classes]).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(images.pixels).data)
    digest.update(np.ascontiguousarray(images.labels).data)
    return digest.hexdigest()
