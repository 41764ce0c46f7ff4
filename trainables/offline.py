"""Copies of the training images that are augmented once, as if they were stored beside the originals.

Offline augmentation adds a number of copies of each image to the training set and uses the same copies again and again.
Here no copy is stored: its augmentation derives from the training's seed and the numbers of the image and the copy, so
the copy is made again whenever it is used. An epoch keeps its number of images. In as many epochs as an image has
versions, of which the original is one, each version is used once.
"""

import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.augment import NUMBERS, augment_as, draw_of, normalise
from trainables.training_config import TrainingConfig
from trainables.transforms import TRANSFORMS
from trainables.transforms.transform import Batch


def augment_offline(pixels: Tensor, numbers: np.ndarray, settings: TrainingConfig, seed: int, epoch: int) -> Tensor:
    """The versions of uint8 images (N, C, H, W) that an epoch uses: float32 in [-1, 1], same shape, channels last.

    numbers (N,): of the images in the training set. The transforms that mix images are left out, because they mix
    different images in every epoch.
    """
    version = versions(numbers, settings.offline, seed, epoch)
    augmentation = settings.augmentation
    numbers_drawn = _Stream(seed, numbers, version, "preset").random((NUMBERS, len(numbers))).T.astype("float32")
    uniforms = torch.from_numpy(numbers_drawn).to(pixels.device, non_blocking=True)
    inputs = augment_as(pixels, augmentation, draw_of(augmentation, uniforms))
    batch = Batch(inputs, torch.zeros(len(numbers), dtype=torch.int64, device=pixels.device), 1)
    for name, transform in TRANSFORMS.items():
        if name in settings.active_transforms and not transform.mixes:
            stream: Any = _Stream(seed, numbers, version, name)
            batch = transform.apply(batch, settings.active_transforms[name], stream)
    is_original = torch.from_numpy(version == 0).to(pixels.device, non_blocking=True).view(-1, 1, 1, 1)
    inputs = torch.where(is_original, normalise(pixels), batch.inputs)
    return inputs.contiguous(memory_format=torch.channels_last)


def versions(numbers: np.ndarray, copies: int, seed: int, epoch: int) -> np.ndarray:
    """The version of each image that an epoch uses: 0 for the original, from 1 for its copies."""
    first = _uniforms(seed, numbers, np.zeros_like(numbers), zlib.crc32(b"version"), 1)[0]
    return ((first * (copies + 1)).astype(np.int64) + epoch) % (copies + 1)


class _Stream:
    """A transform's random numbers: the same whenever the same version of an image is used."""

    def __init__(self, seed: int, numbers: np.ndarray, version: np.ndarray, name: str) -> None:
        self._seed, self._numbers, self._version = seed, numbers, version
        self._key = zlib.crc32(name.encode())

    def random(self, size: int | tuple[int, int]) -> np.ndarray:
        """Uniform numbers for each image: (N,) or (K, N)."""
        rows = size[0] if isinstance(size, tuple) else 1
        found = _uniforms(self._seed, self._numbers, self._version, self._key, rows)
        return found if isinstance(size, tuple) else found[0]

    def integers(self, low: tuple[int, ...], high: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
        """Whole numbers (N, K) for each image: from `low` to below `high`, which have K each."""
        return (low + self.random((size[1], size[0])).T * (np.array(high) - low)).astype(np.int64)


def _uniforms(seed: int, numbers: np.ndarray, version: np.ndarray, key: int, rows: int) -> np.ndarray:
    """Numbers (rows, N) from 0 to below 1, each derived from only the arguments (SplitMix64; Steele et al. 2014)."""
    with np.errstate(over="ignore"):  # products are meant to wrap around
        state = np.full(len(numbers), seed, np.uint64)
        for part in (numbers, version, np.full(len(numbers), key)):
            state = _mixed(state ^ _mixed(part.astype(np.uint64)))
        found = [_mixed(state + np.uint64(row + 1)) for row in range(rows)]
    return (np.stack(found) >> np.uint64(40)) / 2**24  # 24 bits, as in float32, where the largest stays below 1


def _mixed(values: np.ndarray) -> np.ndarray:
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
