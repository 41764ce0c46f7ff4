"""Images that are nearly the same, such as ones saved again: found by how much their pixels differ."""

from collections.abc import Mapping

import numpy as np

from trainables.data.duplicates import Copy
from trainables.data.formats.format import Part
from trainables.data.images import Images

#: Largest root mean square difference of two images' pixels, of 255, at which they are nearly the same. On CIFAR-100
#: all pairs up to here were looked at and show one picture; at twice as much, Fashion-MNIST has different clothes.
MOST_DIFFERENCE = 8.0
_SIDE = 4  # blocks along each side of a thumbnail
_MOST_PAIRS = 20_000_000  # of similar thumbnails, whose images are compared: about 40 seconds
_BLOCK_BYTES = 1 << 24

Pair = tuple[Copy, Copy]


def find_near(parts: Mapping[Part, Images]) -> tuple[Pair, ...] | None:
    """The pairs of images that are nearly but not quite the same, within and between parts, the most alike first.

    None if so many images look alike that comparing them would take long. A difference of block means is at most that
    of the pixels, so a search among thumbnails in a k-d tree (Bentley 1975) misses no pair.
    """
    from scipy.spatial import KDTree

    arrays = [images.pixels for images in parts.values()]
    tree = KDTree(np.concatenate([_thumbnails(pixels) for pixels in arrays]))
    radius = MOST_DIFFERENCE + 0.01  # thumbnails are in single precision
    if tree.count_neighbors(tree, radius) > 2 * _MOST_PAIRS:
        return None
    pairs = tree.query_pairs(radius, output_type="ndarray")
    at_once = max(_BLOCK_BYTES // arrays[0][0].size, 1)
    blocks = [pairs[start : start + at_once] for start in range(0, len(pairs), at_once)]
    differences = np.concatenate([_differences(arrays, block) for block in blocks] or [np.empty(0)])
    near = np.flatnonzero((differences > 0) & (differences <= MOST_DIFFERENCE))
    copies = [Copy(part, number) for part, images in parts.items() for number in range(len(images))]
    alike = near[np.argsort(differences[near], kind="stable")]
    return tuple((copies[first], copies[second]) for first, second in pairs[alike].tolist())


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Grey means of blocks, float32 (N, blocks), scaled so that a distance is a root mean square over the image."""
    count, channels, height, width = pixels.shape
    rows, columns = (np.linspace(0, side, min(_SIDE, side), endpoint=False).astype(int) for side in (height, width))
    areas = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    found = np.empty((count, areas.size), np.float32)
    at_once = max(_BLOCK_BYTES // (channels * height * width), 1)
    for start in range(0, count, at_once):
        grey = pixels[start : start + at_once].mean(axis=1, dtype=np.float32)
        sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=1), columns, axis=2)
        found[start : start + at_once] = (sums / np.sqrt(areas * (height * width))).reshape(len(grey), -1)
    return found


def _differences(arrays: list[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """The root mean square of the differences of each pair's pixels; numbers run through all arrays."""
    first, second = (_taken(arrays, pairs[:, side]).astype(np.float32) for side in (0, 1))
    first -= second
    found: np.ndarray = np.sqrt(np.square(first, out=first).mean(axis=(1, 2, 3), dtype=np.float64))
    return found


def _taken(arrays: list[np.ndarray], numbers: np.ndarray) -> np.ndarray:
    found = np.empty((len(numbers), *arrays[0].shape[1:]), np.uint8)
    start = 0
    for array in arrays:
        own = (numbers >= start) & (numbers < start + len(array))
        found[own] = array[numbers[own] - start]
        start += len(array)
    return found
