"""TrivialAugment (Müller and Hutter 2021): one operation for each image, at a strength drawn at random.

The operations and their widest ranges are those of the paper's wide space. An image's operation, strength and sign are
drawn on the host, so each operation is computed for all of its images together and nothing waits for the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.transforms.transform import Batch, Transform

if TYPE_CHECKING:
    import numpy as np

MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
COLOURS = (
    "brightness",
    "saturation",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
OPERATIONS = ("identity", *MOVES, *COLOURS)
_MOST_SHEAR, _MOST_PIXELS, _MOST_DEGREES = 0.99, 32, 135.0


def augment_trivially(batch: Batch, most: float, stream: np.random.Generator) -> Batch:
    """Apply one of `OPERATIONS` to each image, at up to the share `most` of its range, either way."""
    import numpy as np  # imported late, with torch: configurations are read without them
    import torch

    from trainables.transforms.colours import OF_COLOUR
    from trainables.transforms.warp import warp

    inputs = batch.inputs.clone()
    operation, size, sign = stream.random((3, len(inputs)))
    drawn = (operation * len(OPERATIONS)).astype(int)
    shares = most * size * np.where(sign < 0.5, -1.0, 1.0)

    def images_of(number: int | range) -> tuple[np.ndarray, torch.Tensor]:
        numbers = np.flatnonzero(np.isin(drawn, number))
        return numbers, torch.from_numpy(numbers).to(inputs.device, non_blocking=True)

    numbers, index = images_of(range(1, 1 + len(MOVES)))
    if len(numbers):
        inputs[index] = warp(inputs[index], maps_of(drawn[numbers], shares[numbers]))
    for number, name in enumerate(COLOURS, 1 + len(MOVES)):
        numbers, index = images_of(number)
        if len(numbers):
            share = torch.from_numpy(shares[numbers].astype("float32")).to(inputs.device, non_blocking=True)
            changed = OF_COLOUR[name](inputs[index].add_(1).div_(2), share.view(-1, 1, 1, 1))
            inputs[index] = changed.mul_(2).sub_(1)
    return Batch(inputs, batch.labels, batch.num_classes)


def maps_of(drawn: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The maps (N, 2, 3) of moves, which are numbers in `OPERATIONS`, at these shares of their ranges."""
    import numpy as np

    maps = np.tile(np.eye(2, 3), (len(drawn), 1, 1))

    def put(name: str, row: int, column: int, values: np.ndarray) -> None:
        which = drawn == OPERATIONS.index(name)
        maps[which, row, column] = values[which]

    put("shear_x", 0, 1, _MOST_SHEAR * shares)
    put("shear_y", 1, 0, _MOST_SHEAR * shares)
    put("translate_x", 0, 2, np.round(_MOST_PIXELS * shares))
    put("translate_y", 1, 2, np.round(_MOST_PIXELS * shares))
    angle = np.deg2rad(_MOST_DEGREES * shares)
    for row, column, values in ((0, 0, np.cos(angle)), (0, 1, -np.sin(angle)), (1, 0, np.sin(angle))):
        put("rotate", row, column, values)
    put("rotate", 1, 1, np.cos(angle))
    return maps


TRIVIAL = Transform("trivial_augment", whole=False, most=1.0, apply=augment_trivially)
