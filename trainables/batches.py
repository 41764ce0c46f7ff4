"""How an epoch is cut into batches, blocks of them, and segments."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Both are numbers of images up to 32×32; fewer larger ones are taken at once (`at_once`).
AUGMENTED_TOGETHER = 512  # images, over several batches; no image's augmentation depends on it
# Large enough to keep a device busy, small enough for the widest family's maps (under 1 GB in float32).
EVALUATION_BATCH = 512
_SMALL = 32 * 32  # pixels


def at_once(images: int, pixels: int) -> int:
    """How many images to take at once if each has so many pixels: `images` up to 32×32, fewer if larger, at least 1."""
    return max(1, images * _SMALL // max(_SMALL, pixels))


def batches_of(order: Tensor, size: int) -> list[Tensor]:
    """Split indices into batches; a single last image joins the previous batch, as batch norm needs two."""
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [order[-(size + 1) :]]
    return batches


def blocks_of(batches: list[Tensor], pixels: int) -> Iterator[list[Tensor]]:
    """Batches that are augmented together: for small ones, calling operators takes longer than computing.

    pixels: of an image.
    """
    together = max(1, at_once(AUGMENTED_TOGETHER, pixels) // len(batches[0]))
    return (batches[i : i + together] for i in range(0, len(batches), together))


def starts_of(batches: list[Tensor]) -> Iterator[int]:
    """How many images come before each batch."""
    return accumulate((len(batch) for batch in batches[:-1]), initial=0)


def steps_before(images: int, num_images: int, batch_size: int) -> float:
    """How many steps a training has made after so many images: the last batch of each epoch may be another size."""
    per_epoch = max(1, math.ceil((num_images - 1) / batch_size))  # see `batches_of`
    return images // num_images * per_epoch + images % num_images / batch_size


def mark_at(epochs: float, num_images: int, batch_size: int) -> int:
    """The image count of a mark: at the end of the batch in which so many epochs are reached."""
    whole = int(epochs)
    within = round((epochs - whole) * num_images, 6)  # without floating-point error
    batches = math.ceil(within / batch_size)
    is_last = batches * batch_size >= num_images - 1  # see `batches_of`
    return whole * num_images + (num_images if is_last else batches * batch_size)
