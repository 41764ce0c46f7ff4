"""Augmentation of a whole batch on its device: each image has its own draw, and nothing waits for the device.

The published pipeline is torchvision's RandomHorizontalFlip, RandomCrop(padding=3), ColorJitter(0.1, 0.1, 0.1, 0.1),
RandomRotation(5), ToTensor, Normalize(0.5, 0.5). This one differs as follows. The numbers are mean absolute differences
for the published preset, in steps of 1/255, on the first 256 training images of CIFAR-10 (similar on photograph tiles):

- No rounding after each colour change: 1.3. torchvision truncates to whole steps each time, which darkens by that much.
- The colour changes have one order (brightness, contrast, saturation, hue); torchvision draws an order for each
  image: 0.2.
- Contrast is relative to the mean of the rotated image, whose corners are repeated instead of filled: 0.01.
- If a rotated pixel falls between two, the nearest is chosen as in torchvision on tensors; PIL chooses another for
  fewer than one pixel in a thousand: 0.003.

Flip and crop are exact, and each colour change equals torchvision's on float images. Grey images have no
saturation and no hue.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.augmentation import MOST_MOVED, PRESETS, Augmentation

_GREY = (0.2989, 0.587, 0.114)  # Rec. 601 luma, to torchvision's digits
# Pixels that are augmented in one piece on a CPU: 64 images of 32×32. With 512 such images intermediates leave the
# cache, which costs a quarter of the speed; with few, calling operators costs more than computing.
_CPU_PIXELS = 64 * 32 * 32
NUMBERS = 8  # uniform random numbers for each image, one for each step


@dataclass(frozen=True)
class Draw:
    """The changes drawn for each image of a batch; every field is a tensor (N,)."""

    flip: Tensor
    """Whether it is mirrored."""
    dy: Tensor
    """The crop's first row in the padded, mirrored image."""
    dx: Tensor
    """The crop's first column in that image."""
    brightness: Tensor
    """A factor."""
    contrast: Tensor
    """A factor."""
    saturation: Tensor
    """A factor."""
    hue: Tensor
    """Turns."""
    angle: Tensor
    """Degrees, counter-clockwise."""


def draw(augmentation: Augmentation, n: int, *, generator: torch.Generator, device: torch.device | str) -> Draw:
    """Draw for n images. Every image takes eight uniform numbers from `generator`, also for steps that are off.

    `generator` lives on `device`.
    """
    return draw_of(augmentation, torch.rand(n, NUMBERS, generator=generator, device=device))


def draw_of(augmentation: Augmentation, uniforms: Tensor) -> Draw:
    """The draw for N images that results from uniform numbers (N, 8), from 0 to below 1."""
    flip, dy, dx, brightness, contrast, saturation, hue, angle = uniforms.unbind(1)
    corners = 2 * augmentation.crop_padding + 1
    return Draw(
        flip=flip < 0.5 * augmentation.flip,
        dy=(dy * corners).long(),
        dx=(dx * corners).long(),
        brightness=_between(max(0.0, 1 - augmentation.brightness), 1 + augmentation.brightness, brightness),
        contrast=_between(max(0.0, 1 - augmentation.contrast), 1 + augmentation.contrast, contrast),
        saturation=_between(max(0.0, 1 - augmentation.saturation), 1 + augmentation.saturation, saturation),
        hue=_between(-augmentation.hue, augmentation.hue, hue),
        angle=_between(-augmentation.rotation, augmentation.rotation, angle),
    )


def apply(images: Tensor, augmentation: Augmentation, draw: Draw) -> Tensor:
    """Apply a draw to uint8 images (N, C, H, W), C 1 or 3; returns float32 in [0, 1], same shape."""
    images, inside = _move(images, augmentation, draw)
    x = images.float()
    if augmentation.brightness:
        x.mul_(_per_image(draw.brightness / 255)).clamp_(max=1)
    else:
        x.div_(255)
    if augmentation.contrast:
        factor = _per_image(draw.contrast)
        mean = grey(x.mean((2, 3), keepdim=True))
        x.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)
    if augmentation.saturation and x.shape[1] == 3:
        factor = _per_image(draw.saturation)
        shade = grey(x).mul_(1 - factor)
        x.mul_(factor).add_(shade).clamp_(0, 1)
    if augmentation.hue and x.shape[1] == 3:
        _turn_hue(x, draw.hue)
    return x if inside is None else x.mul_(inside)


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Augment uint8 images (N, C, H, W) with a fresh draw; returns float32 in [-1, 1], same shape, channels last.

    `generator` lives on the images' device; an augmentation that does nothing leaves it untouched.
    """
    if augmentation == PRESETS["none"]:
        return normalise(images)
    return augment_as(images, augmentation, draw(augmentation, len(images), generator=generator, device=images.device))


def augment_as(images: Tensor, augmentation: Augmentation, drawn: Draw) -> Tensor:
    """Augment uint8 images (N, C, H, W) with a given draw; returns the same as `augment`."""
    result = torch.empty(images.shape, device=images.device, memory_format=torch.channels_last)
    chunk = max(1, _CPU_PIXELS // (images.shape[2] * images.shape[3])) if images.device.type == "cpu" else len(images)
    values = zip(*(value.split(chunk) for value in vars(drawn).values()), strict=True)
    for part, target, value in zip(images.split(chunk), result.split(chunk), values, strict=True):
        target.copy_(apply(part, augmentation, Draw(*value)).mul_(2).sub_(1))
    return result


def normalise(images: Tensor) -> Tensor:
    """Scale uint8 images (N, C, H, W) to float32 in [-1, 1], same shape, channels last; for validation and test."""
    return images.float().mul_(2 / 255).sub_(1).contiguous(memory_format=torch.channels_last)


def _between(low: float, high: float, uniform: Tensor) -> Tensor:
    return low + (high - low) * uniform


def _per_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _move(images: Tensor, augmentation: Augmentation, draw: Draw) -> tuple[Tensor, Tensor | None]:
    """Flip, crop and rotate in one gather.

    Returns the images and, after a rotation, which pixels come from inside the image: 1 or 0, (N, 1, H, W). Pixels from
    outside repeat the nearest one until the colours are changed: torchvision fills them after that, so the fill must
    not be part of the mean that contrast uses.
    """
    if not augmentation.moves:
        return images, None
    n, c, h, w = images.shape
    padding = augmentation.crop_padding
    stride = w + 2 * padding
    assert (h + 2 * padding) * stride <= MOST_MOVED
    y = torch.arange(h, dtype=torch.float32, device=images.device).view(1, h, 1)
    x = torch.arange(w, dtype=torch.float32, device=images.device).view(1, 1, w)
    inside = None
    if augmentation.rotation:
        y, x, inside = _rotate(y, x, draw.angle.deg2rad().view(-1, 1, 1))
    # Flip and crop commute with the padding: together they are a start and a direction in the padded, unflipped image.
    direction = 1 - 2 * draw.flip.float()
    start = draw.dy * stride + torch.where(draw.flip, stride - 1 - draw.dx, draw.dx)
    x = (x * direction.view(-1, 1, 1)).add_(start.view(-1, 1, 1))
    pixel = (y * stride + x).long().view(n, 1, h * w).expand(n, c, h * w)
    moved = F.pad(images, (padding,) * 4).flatten(2).gather(2, pixel)
    return moved.view(n, c, h, w), inside


def _rotate(y: Tensor, x: Tensor, angle: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each pixel comes from when rotated about the centre, in radians: row, column and whether inside."""
    h, w = y.shape[1], x.shape[2]
    cos, sin = angle.cos(), angle.sin()
    middle_y, middle_x = (h - 1) / 2, (w - 1) / 2
    y, x = y - middle_y, x - middle_x
    from_y = (y * cos + middle_y).add(x * sin).round_()
    from_x = (x * cos + middle_x).sub(y * sin).round_()
    y, x = from_y.clamp(0, h - 1), from_x.clamp(0, w - 1)
    # Whole pixels, so clamping gives 0 or 1; float arithmetic is several times faster than comparisons on a CPU.
    outside = from_y.sub_(y).abs_().add_(from_x.sub_(x).abs_()).clamp_(max=1)
    return y, x, (1 - outside).unsqueeze(1)


def grey(x: Tensor) -> Tensor:
    """Grey (N, 1, H, W) of images (N, C, H, W)."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.split(1, 1)
    return (red * _GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2])


def _turn_hue(x: Tensor, turns: Tensor) -> None:
    """Turn the hue of (N, 3, H, W) in place by up to half a turn either way, value and saturation kept.

    In HSV each channel is a trapezium function of the hue, between the pixel's least and greatest value, so turning
    needs only these two and the hue. Hue is kept in sixths of a turn times chroma, so that nothing is divided and grey
    is no special case. Its distance from red is linear in the channels, and its sign is that of green minus blue.
    """
    red, green, blue = x.unbind(1)
    high, low = torch.maximum(red, green), torch.minimum(red, green)
    torch.maximum(high, blue, out=high)
    torch.minimum(low, blue, out=low)
    chroma = high - low
    work = green - blue
    hue = (high - red).add_(green).add_(blue).sub_(low, alpha=2).copysign_(work)
    hue.addcmul_(chroma, (6 * turns).view(-1, 1, 1))
    # |hue| is at most a whole turn, so one more reflection at half a turn replaces a remainder.
    torch.abs(hue, out=work).sub_(chroma, alpha=3).abs_().sub_(chroma).add_(low)
    torch.clamp(work, low, high, out=red)
    top = high + chroma
    for channel, towards in ((green, 1), (blue, -1)):
        torch.add(hue, chroma, alpha=towards, out=work).abs_().sub_(chroma, alpha=3).abs_()
        torch.sub(top, work, out=work)
        torch.clamp(work, low, high, out=channel)
