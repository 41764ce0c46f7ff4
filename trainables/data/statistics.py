"""Statistics of a part of a dataset: images of each class, colours, and an average image of each class."""

from dataclasses import dataclass

import numpy as np

from trainables.data.decode import Progress
from trainables.data.images import Images

_BLOCK_BYTES = 1 << 25  # of pixels that are processed at once, as floating point in four times as many


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of a part's images."""

    counts: np.ndarray
    """int64 (classes,), images of each class."""
    mean: np.ndarray
    """float64 (C,), the mean of each channel over all pixels, as a fraction of one."""
    deviation: np.ndarray
    """float64 (C,), the standard deviation of each channel over all pixels."""
    class_means: np.ndarray
    """float64 (classes, C), the mean of each channel over the pixels of a class; NaN if the class has no image."""
    averages: np.ndarray
    """uint8 (classes, C, H, W), the average image of each class; black if the class has no image."""


def statistics(images: Images, progress: Progress | None = None) -> Statistics:
    """The statistics, in one pass, class by class; `progress(done, total)` is called after each block of images."""
    num_classes, shape = len(images.classes), images.shape
    counts = np.bincount(images.labels, minlength=num_classes).astype(np.int64)
    averages = np.zeros((num_classes, *shape), np.uint8)
    class_means = np.full((num_classes, shape[0]), np.nan)
    sums, squares = np.zeros(shape[0]), np.zeros(shape[0])
    at_once = max(_BLOCK_BYTES // int(np.prod(shape)), 1)
    done = 0
    for label in np.flatnonzero(counts):
        members = np.flatnonzero(images.labels == label)
        total = np.zeros(shape)
        for start in range(0, len(members), at_once):
            # Squares of 8 bits are exact in single precision, and their sums in double precision.
            block = images.pixels[members[start : start + at_once]].astype(np.float32)
            total += block.sum(axis=0, dtype=np.float64)
            squares += np.square(block, out=block).sum(axis=(0, 2, 3), dtype=np.float64)
            done += len(block)
            if progress:
                progress(done, len(images))
        averages[label] = np.rint(total / len(members))
        class_means[label] = total.mean(axis=(1, 2)) / len(members) / 255
        sums += total.sum(axis=(1, 2))
    pixels = max(len(images) * shape[1] * shape[2], 1)
    mean = sums / pixels
    variance = np.maximum(squares / pixels - mean**2, 0)
    return Statistics(counts, mean / 255, np.sqrt(variance) / 255, class_means, averages)
