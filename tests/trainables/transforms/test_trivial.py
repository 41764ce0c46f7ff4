"""TrivialAugment: each operation held against torchvision's, and one of them for each image."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from tests.trainables.transforms.photographs import tiles
from trainables.transforms.colours import OF_COLOUR
from trainables.transforms.transform import Batch
from trainables.transforms.trivial import COLOURS, OPERATIONS, augment_trivially

SHARES = torch.linspace(-1, 1, 24)


def of_bytes(operation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """An operation on whole numbers from 0 to 255, for images in [0, 1]."""
    return lambda image: operation((image * 255).round().byte()).float() / 255


#: By name: the share of the range to torchvision's operation on an image in [0, 1].
THEIRS: dict[str, Callable[[float], Callable[[Tensor], Tensor]]] = {
    "brightness": lambda share: lambda image: functional.adjust_brightness(image, 1 + 0.99 * share),
    "saturation": lambda share: lambda image: functional.adjust_saturation(image, 1 + 0.99 * share),
    "contrast": lambda share: lambda image: functional.adjust_contrast(image, 1 + 0.99 * share),
    "sharpness": lambda share: lambda image: functional.adjust_sharpness(image, 1 + 0.99 * share),
    "posterize": lambda share: of_bytes(lambda image: functional.posterize(image, 8 - round(6 * abs(share)))),
    "solarize": lambda share: lambda image: functional.solarize(image, 1 - abs(share)),
    "autocontrast": lambda share: functional.autocontrast,
    "equalize": lambda share: of_bytes(functional.equalize),
}


@pytest.mark.parametrize("name", COLOURS)
def test_each_operation_is_torchvisions_for_each_image_at_its_own_share(name: str) -> None:
    images = tiles(24).float() / 255
    images[3] = 0.5  # of one value
    images[4, 0] = 1.0
    found = OF_COLOUR[name](images.clone(), SHARES.view(-1, 1, 1, 1))
    for image, ours, share in zip(images, found, SHARES.tolist(), strict=True):
        difference = (ours - THEIRS[name](share)(image)).abs()
        assert (difference > 2e-3).float().mean() < 0.01  # less than a step; a threshold may fall on a value


def test_every_operation_is_met_as_often_and_each_image_has_its_own() -> None:
    inputs = (tiles(40).float() / 127.5 - 1).repeat(50, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    result = augment_trivially(Batch(inputs, torch.arange(2000), 2), 1.0, np.random.default_rng(0))
    same = (result.inputs == inputs).flatten(1).all(1).float().mean()
    assert 1 / len(OPERATIONS) * 0.7 < same < 0.2  # the identity, and what does nothing to some images
    assert result.inputs.is_contiguous(memory_format=torch.channels_last)
    assert result.inputs.min() >= -1 and result.inputs.max() <= 1
    drawn = np.random.default_rng(0).random((3, 2000))[0]
    assert np.bincount((drawn * len(OPERATIONS)).astype(int)).min() > 100


def test_a_smaller_strength_changes_less() -> None:
    inputs = tiles(60).float() / 127.5 - 1
    changes = []
    for most in (0.1, 0.5, 1.0):
        drawing = np.random.default_rng(0)
        result = augment_trivially(Batch(inputs, torch.zeros(60), 2), most, drawing)
        changes.append((result.inputs - inputs).abs().mean().item())
    assert changes == sorted(changes)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_every_kind_are_taken_and_stay_as_they_were(channels: int) -> None:
    inputs = torch.rand(200, channels, 2, 5) * 2 - 1
    before = inputs.clone()
    assert (
        augment_trivially(Batch(inputs, torch.zeros(200), 2), 1.0, np.random.default_rng(0)).inputs.shape
        == inputs.shape
    )
    assert torch.equal(inputs, before)
