"""The colour changes of TrivialAugment, each for a batch of images.

Each takes float32 (N, C, H, W) in [0, 1] and, as (N, 1, 1, 1), the share of the operation's range for each image, from
-1 to 1; it returns images of the same shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.augment import grey

_MOST_FACTOR = 0.99  # how far a factor lies from 1, at most
_MOST_BITS = 6  # of eight, that are cleared


def _blend(images: Tensor, other: Tensor, shares: Tensor) -> Tensor:
    """The images, moved away from `other` for a positive share, towards it for a negative one."""
    return torch.lerp(other, images, 1 + _MOST_FACTOR * shares).clamp_(0, 1)


def brightness(images: Tensor, shares: Tensor) -> Tensor:
    """Blend with black."""
    return _blend(images, torch.zeros_like(images), shares)


def saturation(images: Tensor, shares: Tensor) -> Tensor:
    """Blend with the grey image."""
    return _blend(images, grey(images).expand_as(images), shares)


def contrast(images: Tensor, shares: Tensor) -> Tensor:
    """Blend with the mean of the grey image."""
    return _blend(images, grey(images).mean((1, 2, 3), keepdim=True).expand_as(images), shares)


def sharpness(images: Tensor, shares: Tensor) -> Tensor:
    """Blend with the image smoothed by a 3×3 mean in which the middle counts five times; the border stays."""
    if min(images.shape[2:]) < 3:
        return images
    around = F.avg_pool2d(images, 3, 1) * 9
    inner = images[:, :, 1:-1, 1:-1]
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = (around + 4 * inner) / 13
    return _blend(images, smooth, shares)


def posterize(images: Tensor, shares: Tensor) -> Tensor:
    """Clear up to six of the eight bits of each value."""
    step = torch.exp2((_MOST_BITS * shares.abs()).round())
    return _bytes(images).div_(step).floor_().mul_(step).div_(255)


def solarize(images: Tensor, shares: Tensor) -> Tensor:
    """Invert the values from a threshold on, which falls from 1 to 0."""
    return torch.where(images >= 1 - shares.abs(), 1 - images, images)


def autocontrast(images: Tensor, shares: Tensor) -> Tensor:
    """Stretch each channel to the whole range; one with a single value stays."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    is_flat = high == low
    return torch.where(is_flat, images, (images - low) / torch.where(is_flat, 1.0, high - low))


def equalize(images: Tensor, shares: Tensor) -> Tensor:
    """Spread the values of each channel so that all are about as frequent (as PIL does, in steps of 1/255)."""
    n, channels, height, width = images.shape
    values = _bytes(images).long().reshape(n * channels, height * width)
    counts = torch.zeros(n * channels, 256, device=images.device).scatter_add_(
        1, values, torch.ones_like(values).float()
    )
    last = 255 - (counts.flip(1) > 0).byte().argmax(1, keepdim=True)
    step = ((height * width - counts.gather(1, last)) / 255).floor_()
    below = counts.cumsum(1) - counts
    table = ((below + (step / 2).floor_()) / step.clamp(min=1)).floor_().clamp_(max=255)
    spread = table.gather(1, values).view(images.shape)
    return torch.where(step.view(n, channels, 1, 1) > 0, spread / 255, images)


def _bytes(images: Tensor) -> Tensor:
    """Values in steps of 1/255, as whole numbers from 0 to 255 in float32."""
    return (images * 255).round_()


OF_COLOUR: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    each.__name__: each
    for each in (brightness, saturation, contrast, sharpness, posterize, solarize, autocontrast, equalize)
}
