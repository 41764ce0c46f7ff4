"""Vertical flip, shear, zoom and channel shift, held against torchvision's on photographs."""

from collections.abc import Callable
from math import atan, degrees

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import affine, vertical_flip

from architectures.layers import SizeError
from tests.trainables.transforms.photographs import tiles
from trainables.fits import check_transforms
from trainables.transforms import TRANSFORMS
from trainables.transforms.moves import flip_vertically, shear, zoom
from trainables.transforms.transform import Batch
from trainables.transforms.trivial import OPERATIONS, maps_of
from trainables.transforms.warp import warp


def batch(n: int = 64) -> Batch:
    inputs = tiles(n).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
    return Batch(inputs, torch.arange(n) % 4, 4)


def torchvisions(image: Tensor, *, angle: float = 0.0, scale: float = 1.0, shear: float = 0.0) -> Tensor:
    found: Tensor = affine(
        image, angle, [0.0, 0.0], scale, [shear, 0.0], interpolation=InterpolationMode.NEAREST, fill=[-1.0]
    )
    return found


def alike(ours: Tensor, theirs: Tensor) -> bool:
    """Whether all pixels are the same but for a few that fall just between two."""
    return (ours != theirs).any(0).float().mean().item() < 0.02


def drawn(most: float, n: int = 64) -> list[float]:
    """What a transform draws first from a stream of seed 0: either way, up to `most`."""
    return [float(value) for value in most * (2 * np.random.default_rng(0).random(n) - 1)]


def test_each_image_is_sheared_by_its_own_draw_as_torchvision_shears_it() -> None:
    given = batch()
    result = shear(given, 0.5, np.random.default_rng(0))
    for before, after, share in zip(given.inputs, result.inputs, drawn(0.5), strict=True):
        assert alike(after, torchvisions(before, shear=degrees(atan(share))))


def test_each_image_is_zoomed_by_its_own_draw_as_torchvision_zooms_it() -> None:
    given = batch()
    result = zoom(given, 0.4, np.random.default_rng(0))
    for before, after, share in zip(given.inputs, result.inputs, drawn(0.4), strict=True):
        assert alike(after, torchvisions(before, scale=1 + share))


@pytest.mark.parametrize("angle", [-135.0, -30.0, 5.0, 90.0, 135.0])
def test_rotations_are_torchvisions(angle: float) -> None:
    given = batch(16)
    rotate = OPERATIONS.index("rotate")
    turned = warp(given.inputs, maps_of(np.full(16, rotate), np.full(16, angle / 135)))
    for before, after in zip(given.inputs, turned, strict=True):
        assert alike(after, torchvisions(before, angle=-angle))


def test_translations_move_whole_pixels_and_leave_black() -> None:
    given = batch(16)
    for name, axis in (("translate_x", 3), ("translate_y", 2)):
        moved = warp(given.inputs, maps_of(np.full(16, OPERATIONS.index(name)), np.full(16, 5 / 32)))
        expected = given.inputs.roll(-5, axis)
        expected.narrow(axis, expected.shape[axis] - 5, 5).fill_(-1)
        assert torch.equal(moved, expected)


def test_so_many_images_are_turned_upside_down() -> None:
    given = batch()
    result = flip_vertically(given, 0.5, np.random.default_rng(0))
    turned = [not torch.equal(a, b) for a, b in zip(given.inputs, result.inputs, strict=True)]
    assert 20 < sum(turned) < 44
    for before, after, is_turned in zip(given.inputs, result.inputs, turned, strict=True):
        assert torch.equal(after, vertical_flip(before) if is_turned else before)


def test_each_channel_is_shifted_by_its_own_draw_and_cut_off() -> None:
    inputs = torch.zeros(4000, 3, 2, 2)
    result = TRANSFORMS["channel_shift"].apply(Batch(inputs, torch.zeros(4000), 2), 0.2, np.random.default_rng(0))
    shifts = result.inputs[:, :, 0, 0]
    assert shifts.abs().max().item() == pytest.approx(0.4, abs=0.01)  # a fifth of [-1, 1]
    assert torch.corrcoef(shifts.T).fill_diagonal_(0).abs().max() < 0.1
    bright = TRANSFORMS["channel_shift"].apply(Batch(inputs + 0.9, torch.zeros(4000), 2), 0.2, np.random.default_rng(0))
    assert bright.inputs.max() == 1


def test_channels_of_grey_images_are_not_shifted() -> None:
    check_transforms({"channel_shift": 0.2}, (3, 8, 8))
    with pytest.raises(SizeError, match="channel_shift changes the colours of images, and these are grey; leave it"):
        check_transforms({"channel_shift": 0.2}, (1, 8, 8))


@pytest.mark.parametrize("apply", [flip_vertically, shear, zoom, TRANSFORMS["channel_shift"].apply])
def test_the_given_batch_stays_as_it_was_and_keeps_its_layout(
    apply: Callable[[Batch, float, np.random.Generator], Batch],
) -> None:
    given = batch()
    result = apply(given, 0.5, np.random.default_rng(0))
    assert torch.equal(given.inputs, batch().inputs) and torch.equal(result.labels, given.labels)
    assert result.inputs.is_contiguous(memory_format=torch.channels_last)
